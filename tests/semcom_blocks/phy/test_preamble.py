# SPDX-License-Identifier: GPL-3.0-or-later
"""The preamble: what the synchroniser counts on."""

import numpy as np
import pytest

from semcom_blocks.phy.acquire import INTEGER_OFFSETS
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import (
    SHORT_PERIODS,
    long_start,
    long_symbol,
    preamble_len,
    preamble_samples,
    short_len,
    short_period,
)

FAMILY = [
    Numerology(),
    Numerology(fft_size=128, cp_len=8, n_used=100),
    Numerology(fft_size=256, cp_len=64, n_used=208, n_comb=16),
]


@pytest.mark.parametrize("num", FAMILY)
def test_layout(num):
    samples = preamble_samples(num)
    size = num.fft_size
    assert len(samples) == preamble_len(num)
    assert long_start(num) == short_len(num) + 2 * num.cp_len
    short = samples[: short_len(num)].reshape(SHORT_PERIODS, short_period(num))
    assert np.array_equal(short, np.tile(short[0], (SHORT_PERIODS, 1)))
    long = samples[long_start(num) :].reshape(2, size)
    assert np.array_equal(long[0], long[1])
    prefix = samples[short_len(num) : long_start(num)]
    assert np.array_equal(prefix, long[0, -2 * num.cp_len :])


@pytest.mark.parametrize("num", FAMILY)
def test_both_fields_have_unit_power_and_stay_in_the_band(num):
    samples = preamble_samples(num)
    for field in (samples[: num.fft_size], samples[long_start(num) :][: num.fft_size]):
        assert np.mean(np.abs(field) ** 2) == pytest.approx(1.0, rel=1e-4)
        spectrum = np.fft.fft(field)
        outside = np.setdiff1d(np.arange(num.fft_size), num.carriers % num.fft_size)
        assert np.abs(spectrum[outside]).max() < 1e-4 * np.abs(spectrum).max()


@pytest.mark.parametrize("num", FAMILY)
def test_peaks_are_low(num):
    """A preamble must not be what the power amplifier clips: data reach 8 to 9 dB."""
    peak_db = 10 * np.log10(np.abs(preamble_samples(num)).max() ** 2)
    assert peak_db < 6.0


@pytest.mark.parametrize("num", FAMILY)
def test_long_symbol_matches_at_one_integer_offset_only(num):
    """Offsets of a multiple of 4 carriers are what the short field cannot tell apart."""
    symbol, n = long_symbol(num), np.arange(num.fft_size)
    for offset in set(INTEGER_OFFSETS) - {0}:
        turned = symbol * np.exp(2j * np.pi * offset * n / num.fft_size)
        # Over every delay: a wrong offset must not match elsewhere either.
        matched = np.fft.ifft(np.fft.fft(turned) * np.conj(np.fft.fft(symbol)))
        assert np.abs(matched).max() < 0.5 * num.fft_size
