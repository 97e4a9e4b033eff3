# SPDX-License-Identifier: GPL-3.0-or-later
"""The interleaver: a permutation, its inverse, and what it is good for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.interleave import (
    INTERLEAVERS,
    deinterleave,
    gather,
    interleave,
    interleaver_of,
    naming,
    permutation,
    random_permutation,
    spread,
)

lengths = st.integers(0, 5000)


@given(lengths)
def test_permutation_takes_every_cell_once(n):
    assert np.array_equal(np.sort(permutation(n)), np.arange(n))


@given(lengths, st.integers(0, 2**32 - 1))
def test_each_inverse_undoes(n, seed):
    parts = np.random.default_rng(seed).standard_normal((2, n))
    symbols = (parts[0] + 1j * parts[1]).astype(np.complex64)
    np.testing.assert_allclose(deinterleave(interleave(symbols)), symbols, atol=1e-6)
    for method in INTERLEAVERS:
        assert np.array_equal(gather(spread(symbols, method), method), symbols)
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


def test_random_order_is_the_same_under_every_numpy():
    """Sender and receiver may have different ones."""
    assert random_permutation(8).tolist() == [0, 4, 7, 2, 3, 1, 5, 6]
    weights = np.arange(100_003) % 65_537
    assert int(random_permutation(100_003) @ weights) == 137_147_693_486_466
    assert np.array_equal(np.sort(random_permutation(5000)), np.arange(5000))


def test_none_leaves_the_order_alone():
    assert np.array_equal(spread(np.arange(99), "none"), np.arange(99))


@pytest.mark.parametrize("n", [24_000, 60_000])
def test_a_lost_frame_takes_as_much_of_every_part(n):
    """Least uneven by the golden section, as even as chance by the random order."""
    lost = np.zeros(n)
    lost[n // 4 : n // 2] = 1
    share = {m: gather(lost, m).reshape(100, -1).mean(axis=1) for m in INTERLEAVERS}
    assert np.abs(share["golden"] - 0.25).max() < 0.02
    chance = np.sqrt(0.25 * 0.75 / (n // 100))
    assert np.std(share["random"]) == pytest.approx(chance, rel=0.35)
    assert set(share["none"]) == {0, 1}


def test_two_golden_sections_in_a_row_may_be_a_lattice_and_a_random_order_is_none():
    """Strong planes come to lie side by side: of 24,000 symbols in three frames, for one."""
    stream = np.repeat(10 ** (-np.arange(8) / 5), 3000)  # power by plane, 14 dB in all
    ranges = {}
    for method in ("golden", "random"):
        frames = spread(stream, method).reshape(3, 8000)[:, :7968]
        cells = np.empty_like(frames)
        cells[:, permutation(7968)] = frames
        carriers = cells.reshape(-1, 48).mean(axis=0)
        ranges[method] = 10 * np.log10(carriers.max() / carriers.min())
    assert ranges["random"] < 1 < 3 < ranges["golden"]


@pytest.mark.parametrize("method", INTERLEAVERS)
def test_descriptors_name_the_order(method):
    assert interleaver_of({"n": 5, **naming(method)}) == method


def test_a_descriptor_without_a_name_means_the_golden_section():
    assert interleaver_of({"n": 5}) == "golden"
    assert naming("golden") == {}


@pytest.mark.parametrize("number", [-1, 3, True, 1.0, "1", None])
def test_an_order_that_nobody_knows_is_refused(number):
    with pytest.raises(ConfigError, match="interleaver i of a descriptor is"):
        interleaver_of({"i": number})
    with pytest.raises(ConfigError, match="'helical', permitted: golden, none, random"):
        spread(np.zeros(4), "helical")


def test_equal_symbols_are_whitened():
    """A constant picture area must not add up to a peak in time."""
    cells = interleave(np.ones(64 * 64, np.complex64)).reshape(64, 64)
    peaks = np.abs(np.fft.ifft(cells, axis=1, norm="ortho")).max(axis=1) ** 2
    assert 10 * np.log10(peaks.max()) < 12.0
    assert np.abs(cells.mean()) < 4 / 64
