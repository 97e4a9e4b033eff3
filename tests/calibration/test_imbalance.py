# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixers with known errors: found three ways, and gone after correction."""

import numpy as np
import pytest

from calibration.imbalance import (
    blind,
    correct,
    from_reference,
    from_tones,
    predistort,
    transmitter,
)
from calibration.spectrum import amplitudes
from calibration.waveforms import OFFSET_BINS, PERIOD, TONE_BINS, tones
from tests.calibration.synthetic import mixer, noise, played, quantised

N = 1 << 16
MIXERS = [(0.0, 0.0), (0.5, 2.0), (-1.0, -5.0), (2.0, 0.0), (0.0, 8.0)]
OFFSET = 0.02 - 0.01j


def image_dbc(samples, frequency):
    tone, image = amplitudes(samples, np.array([frequency, -frequency]))
    return 20 * np.log10(abs(image) / abs(tone))


def through(z, gain_db, phase_deg):
    mu, nu = mixer(gain_db, phase_deg)
    return mu * z + nu * np.conj(z)


def received(gain_db, phase_deg, rng, wave=None):
    wave = played(tones(TONE_BINS), N, start=rng.uniform(0, PERIOD)) if wave is None else wave
    wave = wave * np.exp(2j * np.pi * OFFSET_BINS / PERIOD * np.arange(N))
    return quantised(through(0.5 * wave, gain_db, phase_deg) + OFFSET + 0.003 * noise(N, 0, rng))


@pytest.mark.parametrize(("gain_db", "phase_deg"), MIXERS)
def test_tones_tell_the_receivers_mixer_and_the_correction_cleans_another_tone(gain_db, phase_deg):
    rng = np.random.default_rng(3)
    lines = (TONE_BINS + OFFSET_BINS) / PERIOD
    found = from_tones(received(gain_db, phase_deg, rng), lines)
    assert found.offset == pytest.approx(OFFSET, abs=2e-4)
    assert 20 * np.log10(found.amplitude) == pytest.approx(gain_db, abs=0.01)
    assert np.rad2deg(found.phase_rad) == pytest.approx(phase_deg, abs=0.05)
    other = through(0.5 * np.exp(2j * np.pi * 0.0317 * np.arange(N)), gain_db, phase_deg) + OFFSET
    assert image_dbc(correct(other, found), 0.0317) < -70


@pytest.mark.parametrize(("gain_db", "phase_deg"), MIXERS)
def test_blind_estimate_agrees_for_noise_like_signals_and_tones(gain_db, phase_deg):
    rng = np.random.default_rng(4)
    signal = 0.2 * noise(N, 0, rng)
    for wave in (signal, 0.4 * np.exp(2j * np.pi * 0.11 * np.arange(N))):
        found = blind(through(wave, gain_db, phase_deg) + OFFSET)
        mu, nu = mixer(gain_db, phase_deg)
        assert abs(found.conjugate + nu / np.conj(mu)) < 4 / np.sqrt(N)
        assert found.offset == pytest.approx(OFFSET, abs=4 * 0.2 / np.sqrt(N))


def test_reference_estimate_is_exact_without_noise_even_for_an_improper_signal():
    rng = np.random.default_rng(5)
    sent = rng.standard_normal(4000) + 0.3j * rng.standard_normal(4000)
    mu, nu = mixer(-1.0, 5.0)
    h = 0.3 * np.exp(0.7j)
    x = mu * (h * sent) + nu * np.conj(h * sent) + OFFSET
    found = from_reference(x, sent * h)
    assert found.conjugate == pytest.approx(-nu / np.conj(mu), abs=1e-9)
    assert found.offset == pytest.approx(OFFSET, abs=1e-9)


@pytest.mark.parametrize(("gain_db", "phase_deg"), MIXERS)
@pytest.mark.parametrize("receiver", [(0.0, 0.0), (1.0, -3.0)])
def test_transmitters_mixer_is_told_apart_from_the_receivers(gain_db, phase_deg, receiver):
    """And what is sent predistorted has neither image nor leakage."""
    rng = np.random.default_rng(6)
    leak = 0.01 + 0.02j
    h = 0.4 * np.exp(1j * rng.uniform(0, 6))
    start = rng.uniform(0, PERIOD)  # when the receiver happens to begin
    turn = np.exp(2j * np.pi * OFFSET_BINS / PERIOD * np.arange(N))

    def radiated(wave):
        s = played(wave, N, start=start)
        return h * (through(s, gain_db, phase_deg) + leak)

    def seen(wave):
        return quantised(through(radiated(wave) * turn, *receiver) + 0.002 * noise(N, 0, rng))

    wave = tones(TONE_BINS)
    found = transmitter(
        seen(wave), TONE_BINS, np.fft.fft(wave)[TONE_BINS] / PERIOD, OFFSET_BINS / PERIOD, PERIOD
    )
    assert found.amplitude == pytest.approx(10 ** (gain_db / 20), abs=2e-3)
    assert np.rad2deg(found.phase_rad) == pytest.approx(phase_deg, abs=0.1)
    clean = radiated(predistort(wave, found))
    bins = np.concatenate([TONE_BINS, -TONE_BINS, [0]]) / PERIOD
    levels = 20 * np.log10(np.abs(amplitudes(clean, bins)))
    assert levels[8:16].max() < levels[:8].min() - 55
    assert levels[16] < levels[:8].min() - 45


def test_image_dbc_of_a_known_mixer():
    found = from_tones(through(np.exp(0.5j * np.arange(N)), 1.0, 0.0), np.array([0.25 / np.pi]))
    w = 10 ** (1 / 20)
    assert found.image_dbc == pytest.approx(20 * np.log10((w - 1) / (w + 1)), abs=0.01)
