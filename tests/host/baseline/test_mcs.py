# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of code words and transport blocks."""

from fractions import Fraction

import pytest

from host.baseline.mcs import MAX_CODED_BITS, SMALL_PAYLOAD, SWEEP, Mcs, lay
from semcom_blocks.errors import ConfigError


def test_sweep_rises_in_efficiency_and_names_are_read_back():
    assert [m.efficiency for m in SWEEP] == sorted(m.efficiency for m in SWEEP)
    assert all(Mcs.parse(m.name) == m for m in SWEEP)


@pytest.mark.parametrize("mcs", SWEEP, ids=lambda m: m.name)
@pytest.mark.parametrize("symbols", [128, 512, 4097, 100_000])
def test_a_layout_never_takes_more_symbols_than_there_are(mcs, symbols):
    found = lay(mcs, symbols)
    assert found.blocks * found.symbols <= symbols < found.blocks * (found.symbols + 1)
    assert found.coded_bits <= MAX_CODED_BITS
    assert found.info_bits / found.coded_bits == pytest.approx(float(mcs.rate), abs=0.01)
    crc = 16 if found.payload_bits <= SMALL_PAYLOAD else 24
    each = 24 if found.blocks > 1 else 0
    assert found.payload_bits == found.blocks * (found.info_bits - each) - crc


def test_crcs_may_leave_nothing():
    assert lay(Mcs(2, Fraction(1, 5)), 40).payload_bits == 0


@pytest.mark.parametrize(
    ("text", "named"),
    [("8-PSK 1/2", "modulation is '8-PSK'"), ("QPSK half", "'half'"), ("QPSK 1/0", "'1/0'"),
     ("QPSK 1/6", "rate is 1/6"), ("QPSK 19/20", "rate is 19/20")],
)  # fmt: skip
def test_what_the_code_does_not_have_is_refused(text, named):
    with pytest.raises(ConfigError, match=named):
        Mcs.parse(text)


def test_no_symbols_is_refused():
    with pytest.raises(ConfigError, match="symbols is 0"):
        lay(SWEEP[0], 0)
