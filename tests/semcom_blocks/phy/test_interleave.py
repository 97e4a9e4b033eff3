# SPDX-License-Identifier: GPL-3.0-or-later
"""The interleaver: a permutation, its inverse, and what it is good for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.phy.interleave import deinterleave, gather, interleave, permutation, spread

lengths = st.integers(0, 5000)


@given(lengths)
def test_permutation_takes_every_cell_once(n):
    assert np.array_equal(np.sort(permutation(n)), np.arange(n))


@given(lengths, st.integers(0, 2**32 - 1))
def test_each_inverse_undoes(n, seed):
    parts = np.random.default_rng(seed).standard_normal((2, n))
    symbols = (parts[0] + 1j * parts[1]).astype(np.complex64)
    np.testing.assert_allclose(deinterleave(interleave(symbols)), symbols, atol=1e-6)
    assert np.array_equal(gather(spread(symbols)), symbols)
    np.testing.assert_allclose(np.sort(np.abs(interleave(symbols))), np.sort(np.abs(symbols)), 1e-5)


@pytest.mark.parametrize("n", [48, 480, 4800, 12_000, 30_030, 65_535])
def test_a_short_run_of_items_is_spread_evenly(n):
    """Evenly would be n / run apart; a golden section stays within a factor of 4 of that.

    The step, a whole number without a factor in common with n, is close enough to the
    golden section for runs up to about sqrt(n), though two may come closer than that.
    """
    run = int(np.sqrt(n) / 2)
    for start in (0, n // 3, n - run):
        cells = np.sort(permutation(n)[start : start + run])
        gaps = np.diff(cells, append=cells[0] + n)
        assert gaps.max() <= 4 * n / run
        assert gaps.min() >= n / run / 8


@pytest.mark.parametrize("n", [4800, 12_000, 30_030, 65_535, 150_150])
def test_a_long_run_of_items_reaches_every_section_alike(n):
    """What is lost with an eighth of the cells is an eighth of every part of the picture."""
    run = n // 8
    for start in (0, n // 3, n - run):
        share, _ = np.histogram(permutation(n)[start : start + run], bins=16, range=(0, n))
        np.testing.assert_allclose(share, run / 16, rtol=0.1)


def test_equal_symbols_are_whitened():
    """A constant picture area must not add up to a peak in time."""
    cells = interleave(np.ones(64 * 64, np.complex64)).reshape(64, 64)
    peaks = np.abs(np.fft.ifft(cells, axis=1, norm="ortho")).max(axis=1) ** 2
    assert 10 * np.log10(peaks.max()) < 12.0
    assert np.abs(cells.mean()) < 4 / 64
