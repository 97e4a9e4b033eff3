# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrier offset to the last digit, phase noise to its linewidth."""

import numpy as np
import pytest

from semcom_blocks.channel.oscillator import Oscillator

RATE_HZ = 1e6


def rotation(cfo_hz, linewidth_hz, count, seed=1):
    oscillator = Oscillator(cfo_hz, linewidth_hz, RATE_HZ, np.random.default_rng(seed))
    return oscillator.process(np.ones(count, np.complex64))


@pytest.mark.parametrize("cfo_hz", [5_000.0, -125_000.0, 0.01, 499_999.0])
def test_the_rotation_is_exact(cfo_hz):
    count = 200_000
    turns = (np.arange(count) * (cfo_hz / RATE_HZ)) % 1
    np.testing.assert_allclose(rotation(cfo_hz, 0, count), np.exp(2j * np.pi * turns), atol=5e-7)


def test_a_positive_offset_moves_the_spectrum_up():
    spectrum = np.abs(np.fft.fft(rotation(125_000.0, 0, 64)))
    assert np.argmax(spectrum) == 8


def test_it_stays_exact_after_hours():
    oscillator = Oscillator(12_345.678, 0, RATE_HZ, np.random.default_rng(1))
    start = 3_600 * 8 * int(RATE_HZ)
    oscillator._count = start  # eight hours cannot be played in a test
    found = oscillator.process(np.ones(1_000, np.complex64))
    # 12,345.678 Hz for 8 h of microseconds, in exact integer arithmetic.
    exact = [(12_345_678 * n % 10**9) / 1e9 for n in range(start, start + 1_000)]
    np.testing.assert_allclose(found, np.exp(2j * np.pi * np.array(exact)), atol=1e-5)


@pytest.mark.parametrize("linewidth_hz", [10.0, 1_000.0])
def test_phase_noise_is_a_wiener_process_of_its_linewidth(linewidth_hz):
    phase = np.unwrap(np.angle(rotation(0, linewidth_hz, 400_000).astype(complex)))
    assert phase[0] == pytest.approx(0, abs=1e-6)
    for lag in (1, 10, 100):
        # Non-overlapping steps are independent; the spread of their variance is sqrt(2 / n).
        steps = np.diff(phase[::lag])
        expected = 2 * np.pi * linewidth_hz * lag / RATE_HZ
        assert np.var(steps) == pytest.approx(expected, rel=5 * np.sqrt(2 / steps.size))
        assert abs(np.corrcoef(steps[1:], steps[:-1])[0, 1]) < 5 / np.sqrt(steps.size)


def test_the_carrier_decays_as_a_lorentzian_says():
    # E[exp(j (theta(t + T) - theta(t)))] = exp(-pi linewidth T)
    carrier = rotation(0, 2_000.0, 500_000).astype(complex)
    for lag in (50, 200):
        coherence = abs(np.mean(carrier[lag:] * carrier[:-lag].conj()))
        assert coherence == pytest.approx(np.exp(-np.pi * 2_000 * lag / RATE_HZ), abs=0.03)


def test_power_is_untouched():
    assert np.abs(rotation(1e5, 1e4, 10_000)) == pytest.approx(1.0, abs=1e-6)
