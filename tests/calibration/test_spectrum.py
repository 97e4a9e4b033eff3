# SPDX-License-Identifier: GPL-3.0-or-later
"""Tones in noise against the Cramér-Rao bound, and what is no tone."""

import numpy as np
import pytest

from calibration.errors import NoSignal
from calibration.spectrum import amplitudes, find_tones, refine, window
from tests.calibration.synthetic import noise

N = 1 << 14


def tone(frequency, n=N, phase=0.3):
    return np.exp(1j * (2 * np.pi * frequency * np.arange(n) + phase))


def test_frequency_error_is_near_the_cramer_rao_bound():
    snr_db, tries = 0.0, 60
    errors = []
    for seed in range(tries):
        rng = np.random.default_rng(seed)
        frequency = rng.uniform(-0.4, 0.4)
        (found,) = find_tones(tone(frequency) + noise(N, snr_db, rng), 1)
        errors.append(found.frequency - frequency)
    bound = np.sqrt(6 / (10 ** (snr_db / 10) * N**3)) / (2 * np.pi)
    # Segments under a window lose up to 2.8 dB of SNR; the spread of a spread adds 10 %.
    assert 0.8 * bound < np.std(errors) < 1.6 * bound
    assert abs(np.mean(errors)) < 3 * bound / np.sqrt(tries) * 1.6


@pytest.mark.parametrize("fraction", [-0.5, -0.26, 0.0, 0.01, 0.49])
def test_tone_between_bins_is_found_exactly_without_noise(fraction):
    frequency = (2000 + fraction) / N
    (found,) = find_tones(tone(frequency), 1)
    assert found.frequency == pytest.approx(frequency, abs=1e-3 / N)
    assert found.amplitude == pytest.approx(np.exp(0.3j), abs=1e-3)


def test_two_tones_come_in_order_of_frequency_whatever_their_strength():
    rng = np.random.default_rng(1)
    samples = 0.1 * tone(-0.2) + tone(0.31) + noise(N, 20, rng)
    low, high = find_tones(samples, 2)
    assert (low.frequency, high.frequency) == pytest.approx((-0.2, 0.31), abs=1e-6)
    assert abs(low.amplitude) == pytest.approx(0.1, rel=0.05)


def test_dc_is_no_tone():
    rng = np.random.default_rng(2)
    (found,) = find_tones(3 + 1j + 0.2 * tone(0.1) + noise(N, 20, rng), 1)
    assert found.frequency == pytest.approx(0.1, abs=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_holds_no_tone(seed):
    with pytest.raises(NoSignal, match="no signal found"):
        find_tones(noise(N, 0, np.random.default_rng(seed)), 1)


def test_silence_and_a_constant_hold_no_tone():
    for samples in (np.zeros(N), np.full(N, 0.5 + 0.1j)):
        with pytest.raises(NoSignal):
            find_tones(samples, 1)


def test_short_record_is_refused():
    with pytest.raises(ValueError, match="1024"):
        find_tones(np.ones(100), 1)


def test_image_80_db_down_is_measured_beside_a_strong_tone():
    strong, weak = 0.1234567, -0.1234567
    samples = tone(strong) + 1e-4 * tone(weak)
    found = amplitudes(samples, np.array([strong, weak]))
    assert abs(found[1]) == pytest.approx(1e-4, rel=0.02)


def test_window_has_mean_one():
    assert window(1000).mean() == pytest.approx(1.0)


def test_refine_follows_the_tone_that_it_is_shown():
    samples = tone(0.05) + tone(0.25)
    assert refine(samples, 0.25 + 0.2 / N) == pytest.approx(0.25, abs=1e-7)
