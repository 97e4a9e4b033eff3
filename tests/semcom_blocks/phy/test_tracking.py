# SPDX-License-Identifier: GPL-3.0-or-later
"""Phase and timing through a frame, on grids whose drift is known."""

import numpy as np
import pytest

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.tracking import MAX_SRO, dominant_frequency, track

NUM = Numerology()


def exponential(link, n, frequency, snr_db, phase=1.0):
    turns = frequency * np.arange(n)
    return np.exp(1j * (2 * np.pi * turns + phase)) + link.normal(n, 10 ** (-snr_db / 10))


@pytest.mark.parametrize("n", [15, 64, 500])
def test_frequency_reaches_the_cramer_rao_bound(link, n):
    """var f ≥ 6 / ((2π)² γ n (n² - 1)) for one complex exponential (Rife & Boorstyn 1974)."""
    snr_db = 10.0
    bound = 6 / ((2 * np.pi) ** 2 * 10 ** (snr_db / 10) * n * (n**2 - 1))
    errors = []
    for _ in range(200):
        frequency = link.rng.uniform(-0.45, 0.45)
        errors.append(dominant_frequency(exponential(link, n, frequency, snr_db)) - frequency)
    assert np.mean(np.square(errors)) < 1.6 * bound


def test_frequency_is_sought_within_the_limit_only(link):
    sequence = exponential(link, 100, 0.05, 20) + 5 * exponential(link, 100, 0.3, 20)
    assert dominant_frequency(sequence) == pytest.approx(0.3, abs=0.001)
    assert dominant_frequency(sequence, 0.1) == pytest.approx(0.05, abs=0.01)
    for limit in (0.001, 0.01):
        assert abs(dominant_frequency(sequence, limit)) <= limit + 1 / 800


@pytest.mark.parametrize("sequence", [[], [1 + 1j], [1, 1j], np.zeros(20)])
def test_too_little_to_measure_is_finite(sequence):
    assert abs(dominant_frequency(np.array(sequence, complex))) <= 0.5


def drifting(link, sent, snr_db, response, cfo_hz, sro_ppm, phase=0.3, offset=0.05):
    """The grid behind a channel, turned by a CFO and by a timing that drifts; and both turns."""
    index = np.arange(len(sent.grid))
    common = phase + 2 * np.pi * cfo_hz * NUM.symbol_len / NUM.sample_rate_hz * index
    late = sro_ppm * 1e-6 * NUM.symbol_len * index
    slope = offset - 2 * np.pi * late / NUM.fft_size
    turn = np.exp(1j * (common[:, None] + np.outer(slope, NUM.carriers)))
    noise = link.normal(sent.grid.size, 10 ** (-snr_db / 10)).reshape(sent.grid.shape)
    return (sent.grid * response * turn + noise).astype(np.complex64), common, slope


@pytest.mark.parametrize("taps", [[1.0], [0.8, 0.6], [0.5, 0.0, 0.7, 0.5j]])
@pytest.mark.parametrize("sro_ppm", [-100.0, -7.0, 0.0, 40.0, 100.0])
@pytest.mark.parametrize(("analog", "most_db"), [(500, 0.3), (36_000, 0.1)])
def test_drift_is_followed_in_every_channel(link, taps, sro_ppm, analog, most_db):
    """What the turns that remain cost of the payload's SNR; a short frame has few pilots."""
    snr_db = 15.0
    sent, response = link.frame(analog=analog), link.response(np.array(taps))
    grid, common, slope = drifting(link, sent, snr_db, response, 30.0, sro_ppm)
    followed = track(grid, response, sent.layout)
    turn = (followed.phase - common)[:, None] + np.outer(followed.slope - slope, NUM.carriers)
    error = np.mean(np.abs(np.exp(1j * turn) - 1) ** 2)
    assert 10 * np.log10(1 + error * 10 ** (snr_db / 10)) < most_db
    assert followed.cfo_hz == pytest.approx(30.0, abs=6.0 if analog == 500 else 0.5)


def sro_bound_ppm(layout, snr_db):
    """Cramér-Rao bound with the common phase of every symbol and the timing unknown too.

    The slope a + b m of symbol m has the information J_m = 2γ Σ (k - mean k)² over its
    known carriers; var b ≥ 1 / (Σ J m² - (Σ J m)² / Σ J).
    """
    index, information = np.arange(layout.n_symbols), []
    for row in layout.known:
        carriers = NUM.carriers[row]
        information.append(2 * 10 ** (snr_db / 10) * np.sum((carriers - carriers.mean()) ** 2))
    information = np.array(information)
    spread = information @ index**2 - (information @ index) ** 2 / information.sum()
    return NUM.fft_size / (2 * np.pi * NUM.symbol_len) / np.sqrt(spread) * 1e6


@pytest.mark.parametrize(("analog", "n_frames"), [(0, 60), (500, 60), (8000, 40)])
@pytest.mark.parametrize("snr_db", [0.0, 20.0])
def test_sro_comes_near_the_cramer_rao_bound(link, analog, n_frames, snr_db):
    flat, errors = np.ones(NUM.n_used, np.complex64), []
    for _ in range(n_frames):
        sent = link.frame(analog=analog)
        grid, _, _ = drifting(link, sent, snr_db, flat, 30.0, 20.0)
        errors.append(track(grid, flat, sent.layout).sro_ppm - 20.0)
    assert np.sqrt(np.mean(np.square(errors))) < 1.5 * sro_bound_ppm(sent.layout, snr_db)


@pytest.mark.parametrize("cfo_hz", [-3000.0, 0.0, 3000.0])
def test_sro_is_measured_apart_from_the_cfo(make_link, cfo_hz):
    link = make_link(1)
    sent, response = link.frame(analog=20_000), np.ones(NUM.n_used, np.complex64)
    grid, _, _ = drifting(link, sent, 10.0, response, cfo_hz, 25.0)
    followed = track(grid, response, sent.layout)
    assert followed.sro_ppm == pytest.approx(25.0, abs=0.5)
    assert followed.cfo_hz == pytest.approx(cfo_hz, abs=0.5)


def test_phase_and_slope_are_extrapolated_to_the_long_field(link):
    """Its middle lies (N + cp) / symbol_len symbols ahead of the first header symbol."""
    sent, response = link.frame(analog=5000), np.ones(NUM.n_used, np.complex64)
    grid, common, slope = drifting(link, sent, 30.0, response, 200.0, 50.0)
    followed = track(grid, response, sent.layout)
    before = (NUM.fft_size + NUM.cp_len) / NUM.symbol_len
    turn = followed.long_phase - (common[0] - before * (common[1] - common[0]))
    assert np.abs(np.exp(1j * turn) - 1) < 0.05
    assert followed.long_slope == pytest.approx(slope[0] - before * (slope[1] - slope[0]), abs=2e-3)


def test_search_range_covers_twice_the_design_target():
    assert MAX_SRO >= 2e-4


def test_silence_is_followed_without_a_warning(link):
    sent = link.frame(analog=500)
    followed = track(np.zeros_like(sent.grid), np.ones(NUM.n_used, np.complex64), sent.layout)
    assert np.all(np.isfinite(followed.phase))
    assert np.all(np.isfinite(followed.slope))
