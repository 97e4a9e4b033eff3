# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutual information of QAM, the effective SNR, the testbed's fading."""

import numpy as np
import pytest

from host.baseline import effective
from host.baseline.effective import (
    Fading,
    effective_snr_db,
    information,
    powers_of,
    required_snr_db,
)
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import qam
from semcom_blocks.phy.numerology import Numerology

SNRS_DB = np.arange(-20.0, 40.1, 2.0)


@pytest.mark.parametrize("bits", qam.BITS_PER_SYMBOL)
def test_information_lies_under_capacity_and_fills_the_label(bits):
    found = information(SNRS_DB, bits)
    assert (np.diff(found) >= 0).all()
    assert (found <= np.log2(1 + 10 ** (SNRS_DB / 10)) + 1e-3).all()
    assert found[-1] == pytest.approx(bits, abs=1e-3)
    assert required_snr_db(found[5:12], bits) == pytest.approx(SNRS_DB[5:12], abs=0.02)


def test_qpsk_is_two_bpsk_of_half_the_power():
    assert information(SNRS_DB, 2) == pytest.approx(2 * information(SNRS_DB - 3.0103, 1), abs=2e-3)


@pytest.mark.parametrize(("bits", "snr_db"), [(2, 0.0), (4, 8.0), (6, 15.0)])
def test_information_is_what_exact_llrs_carry(bits, snr_db):
    # Monte Carlo with the demapper of the testbed, max-log: a little below above QPSK.
    rng = np.random.default_rng(0)
    sent = rng.integers(0, 2, 60_000 * bits, dtype=np.uint8)
    variance = 10 ** (-snr_db / 10)
    noise = rng.standard_normal((60_000, 2)) @ np.array([1, 1j]) * np.sqrt(variance / 2)
    heard = (qam.modulate(sent, bits) + noise).astype(np.complex64)
    llr = qam.demodulate(heard, np.full(60_000, variance, np.float32), bits).astype(float)
    carried = bits * (1 - np.mean(np.logaddexp(0, -(1.0 - 2 * sent) * llr)) / np.log(2))
    assert carried == pytest.approx(float(information(snr_db, bits)), abs=0.02)


def test_equal_symbols_need_no_mapping_and_unequal_ones_cost():
    assert effective_snr_db(9.0, np.ones((3, 48)), 4) == pytest.approx(9.0, abs=1e-6)
    powers = np.array([[0.2, 1.8]])
    found = effective_snr_db(9.0, powers, 4)[0]
    assert 9 + 10 * np.log10(0.2) < found < 9.0
    assert Fading(powers).effective_snr_db(9.0, 4)[0] == found


def test_fading_is_the_software_channels():
    assert powers_of("awgn", 5, 0).tolist() == [[1.0]]
    flat = powers_of("rayleigh", 4000, 0)[:, 0]
    assert flat.mean() == pytest.approx(1, abs=2e-3)
    assert np.mean(flat < 0.1) == pytest.approx(1 - np.exp(-0.1), abs=1e-3)
    paths = powers_of("multipath", 4000, 1)
    assert paths.shape == (4000, Numerology().n_data)
    assert paths.mean() == pytest.approx(1, abs=0.03)
    neighbours = np.corrcoef(paths[:, 0], paths[:, 1])[0, 1]
    apart = np.corrcoef(paths[:, 0], paths[:, 24])[0, 1]
    assert neighbours > 0.9
    assert apart < 0.3
    with pytest.raises(ConfigError, match="channel is 'uma'"):
        powers_of("uma", 1, 0)


def test_a_dead_carrier_is_finite():
    found = effective_snr_db(10.0, np.array([[0.0, 1.0]]), 2)
    assert np.isfinite(found).all()
    assert effective.FLOOR > 0
