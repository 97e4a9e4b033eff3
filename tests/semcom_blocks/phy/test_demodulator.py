# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples to grid: CFO, timing slips, levels."""

import numpy as np
import pytest

from semcom_blocks.phy import measure
from semcom_blocks.phy.demodulator import frame_grid, long_starts, symbol_starts, to_grid
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_spectrum, long_start

NUM = Numerology()


@pytest.fixture
def sent(link):
    return link.frame(analog=2000)


@pytest.fixture
def samples(sent):
    """From the first long symbol on."""
    return sent.samples[long_start(NUM) :]


def test_long_symbols_are_read(samples):
    long = to_grid(samples, long_starts(NUM), 0.0, NUM)
    np.testing.assert_allclose(long, np.tile(long_spectrum(NUM), (2, 1)), atol=1e-5)


@pytest.mark.parametrize("cfo_hz", [-125e3, -1.0, 15_625.0, 99_999.9])
def test_a_known_cfo_is_taken_out_exactly(sent, samples, cfo_hz):
    turns = cfo_hz / NUM.sample_rate_hz * np.arange(len(samples))
    shifted = (samples * np.exp(2j * np.pi * turns)).astype(np.complex64)
    grid = to_grid(shifted, symbol_starts(len(sent.grid), NUM), cfo_hz, NUM)
    assert measure.evm_db(grid, sent.grid) < -100


def test_an_early_window_turns_the_carriers_and_no_more(sent, samples):
    early = 5
    starts = symbol_starts(len(sent.grid), NUM) - early
    grid = to_grid(samples, starts, 0.0, NUM)
    turn = np.exp(-2j * np.pi * NUM.carriers * early / NUM.fft_size)
    assert measure.evm_db(grid, sent.grid * turn) < -100


def test_a_shifted_window_has_its_turn_taken_out(sent, samples):
    """Windows may slip by any amount within the prefix: the grid must not show it."""
    starts = symbol_starts(len(sent.grid), NUM)
    late = -(np.arange(len(starts)) % 10)
    turns = 3e3 / NUM.sample_rate_hz * np.arange(len(samples))
    shifted = (samples * np.exp(2j * np.pi * turns)).astype(np.complex64)
    grid = to_grid(shifted, starts, 3e3, NUM, late)
    assert measure.evm_db(grid, sent.grid) < -100


def test_noise_of_a_sample_becomes_noise_of_a_cell(link):
    """Unit-power signal over n_used of fft_size carriers: Es/N0 = fft_size/n_used · S/N."""
    noise = link.normal(200_000)
    grid = to_grid(noise, symbol_starts(2400, NUM), 0.0, NUM)
    power = np.mean(np.abs(grid) ** 2)
    assert power == pytest.approx(1 / NUM.symbol_energy, rel=0.02)


def test_windows_past_the_end_are_held_inside(samples):
    grid = to_grid(samples, np.array([len(samples) - 10, len(samples) + 500]), 0.0, NUM)
    assert grid.shape == (2, NUM.n_used)
    assert np.all(np.isfinite(grid))


def test_the_samples_are_left_alone(samples):
    before = samples.copy()
    to_grid(samples, symbol_starts(10, NUM), 1e3, NUM)
    assert np.array_equal(samples, before)


@pytest.mark.parametrize("missing", [0, 1, 500])
def test_a_whole_frame_is_the_same_as_its_symbols(sent, samples, missing):
    """Also where the last samples are missing: those windows are held inside."""
    n_symbols = len(sent.grid)
    cut = samples[: len(samples) - missing]
    long, grid = frame_grid(cut, n_symbols, 2e3, NUM)
    np.testing.assert_array_equal(long, to_grid(cut, long_starts(NUM), 2e3, NUM))
    np.testing.assert_array_equal(grid, to_grid(cut, symbol_starts(n_symbols, NUM), 2e3, NUM))
