# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.air.pluto.synthesiser import (
    CRYSTAL_HZ,
    RF_MODULUS,
    carrier,
    clock_chain,
    lowest_rate_hz,
)


@given(st.integers(325_000_000, 3_800_000_000))
def test_carriers_lie_within_half_a_step_of_what_was_asked(frequency_hz):
    loop = carrier(frequency_hz, CRYSTAL_HZ)
    assert 6e9 <= frequency_hz * loop.divider < 12e9
    step_hz = CRYSTAL_HZ / RF_MODULUS / loop.divider
    assert step_hz < 2.5
    assert abs(loop.frequency_hz() - frequency_hz) <= step_hz / 2 + 1e-6


def test_a_driver_that_knows_the_crystal_tunes_true():
    """A crystal 10 ppm fast, and a driver that was told: 24 kHz become less than a step."""
    crystal_hz = CRYSTAL_HZ * (1 + 10e-6)
    ignorant = carrier(2_400_000_000, CRYSTAL_HZ).frequency_hz(crystal_hz)
    told = carrier(2_400_000_000, round(crystal_hz)).frequency_hz(crystal_hz)
    assert ignorant - 2.4e9 == pytest.approx(24e3, abs=1)
    assert told - 2.4e9 == pytest.approx(0, abs=1)


@given(st.integers(520_833, 61_440_000))
def test_sample_rates_are_true_to_a_hundredth_of_a_ppm(rate_hz):
    factor = 1 if rate_hz >= lowest_rate_hz(1) else 4
    chain = clock_chain(rate_hz, factor, CRYSTAL_HZ)
    assert chain.sample_rate_hz == pytest.approx(rate_hz, rel=2e-8)
    assert 714.9e6 < chain.sample_rate_hz * chain.loop.divider < 1430e6


def test_path_rates_as_a_real_radio_reported_them():
    """Lines seen from hardware at 30.72 MS/s, and at 560 kS/s with a filter by 4."""
    fast = clock_chain(30_720_000, 1, CRYSTAL_HZ)
    assert fast.path_rates(False, CRYSTAL_HZ).split(" ", 1)[1] == (
        "ADC:245760000 R2:122880000 R1:61440000 RF:30720000 RXSAMP:30720000"
    )
    assert fast.path_rates(True, CRYSTAL_HZ).split(" ", 1)[1] == (
        "DAC:122880000 T2:122880000 T1:61440000 TF:30720000 TXSAMP:30720000"
    )
    slow = clock_chain(560_000, 4, CRYSTAL_HZ)
    assert slow.path_rates(False, CRYSTAL_HZ) == (
        "BBPLL:860160003 ADC:26880000 R2:8960000 R1:4480000 RF:2240000 RXSAMP:560000"
    )
    assert slow.path_rates(True, CRYSTAL_HZ) == (
        "BBPLL:860160003 DAC:26880000 T2:8960000 T1:4480000 TF:2240000 TXSAMP:560000"
    )
