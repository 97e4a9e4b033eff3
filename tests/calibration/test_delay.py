# SPDX-License-Identifier: GPL-3.0-or-later
"""Delays of parts of a sample, in noise, under a phase, an image and a second path."""

import numpy as np
import pytest

from calibration.delay import measure
from calibration.errors import NoSignal
from calibration.waveforms import PERIOD, wideband
from tests.calibration.synthetic import mixer, noise, played, quantised


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.5, 3.3, 100.25, 2048.0, 4095.9])
@pytest.mark.parametrize("snr_db", [0.0, 20.0])
def test_delay_is_found_to_half_the_goal_in_any_noise(delay, snr_db):
    rng = np.random.default_rng(int(delay * 100))
    wave = wideband()
    level = np.sqrt(np.mean(np.abs(wave) ** 2))
    record = 0.3 * np.exp(1j * rng.uniform(0, 6)) * played(wave, PERIOD, start=-delay)
    record += 0.3 * level * noise(PERIOD, snr_db, rng)
    found = measure(wave, quantised(record))
    wrapped = (found.samples - delay + PERIOD / 2) % PERIOD - PERIOD / 2
    assert abs(wrapped) < 0.005 + 0.05 * 10 ** (-snr_db / 20)  # the bound is 0.009 at 0 dB
    # Noise outside the waveform's 0.6 of the band does not count.
    assert found.snr_db == pytest.approx(snr_db - 10 * np.log10(0.6), abs=1.0)


def test_image_and_offset_do_not_move_it():
    mu, nu = mixer(1.0, 5.0)
    wave = played(wideband(), PERIOD, start=-7.4)
    found = measure(wideband(), mu * wave + nu * wave.conj() + 0.2)
    assert found.samples == pytest.approx(7.4, abs=0.05)


def test_the_strongest_path_counts():
    wave = played(wideband(), PERIOD, start=-20.2) + 0.2 * played(wideband(), PERIOD, start=-60)
    assert measure(wideband(), wave).samples == pytest.approx(20.2, abs=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_noise_has_no_delay(seed):
    with pytest.raises(NoSignal, match="no signal found"):
        measure(wideband(), noise(PERIOD, 0, np.random.default_rng(seed)))


def test_silence_has_no_delay():
    with pytest.raises(NoSignal):
        measure(wideband(), np.zeros(PERIOD))


def test_records_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="4096"):
        measure(wideband(), np.ones(100))
