# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a signal on signals whose figures are known."""

import numpy as np
import pytest

from semcom_blocks.phy import measure

RATE_HZ = 1e6


def tone(freq_hz, n=65_536, amplitude=1.0):
    turns = freq_hz / RATE_HZ * np.arange(n)
    return (amplitude * np.exp(2j * np.pi * turns)).astype(np.complex64)


def noise(n, power=1.0, seed=0):
    parts = np.random.default_rng(seed).standard_normal((2, n)) * np.sqrt(power / 2)
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def test_decibels_have_a_floor():
    assert measure.to_db(100.0) == pytest.approx(20.0)
    assert measure.to_db(0.0) == -200.0
    assert measure.to_db(-1.0) == -200.0


def test_mean_power():
    assert measure.mean_power(tone(1e4, amplitude=3.0)) == pytest.approx(9.0, rel=1e-6)
    assert measure.mean_power(noise(200_000, 0.25)) == pytest.approx(0.25, rel=0.01)
    assert measure.mean_power(np.zeros(0, np.complex64)) == 0.0
    # In single precision the squares of a strong signal would overflow.
    assert measure.mean_power(np.full(10, 1e25, np.complex64)) == pytest.approx(1e50, rel=1e-6)


def test_papr_of_a_tone_and_of_noise():
    assert measure.papr_db(tone(1e4)) == pytest.approx(0.0, abs=1e-3)
    # |x|² of complex noise is exponential: P(|x|² > a·mean) = exp(−a).
    for ccdf in (1e-2, 1e-3):
        expected = 10 * np.log10(-np.log(ccdf))
        assert measure.papr_db(noise(1_000_000), ccdf) == pytest.approx(expected, abs=0.1)
    assert measure.papr_db(np.zeros(100, np.complex64)) == 0.0
    assert measure.papr_db(np.zeros(0, np.complex64)) == 0.0


def test_evm():
    reference = tone(1e4, amplitude=2.0)
    error = noise(len(reference), 4.0 * 10**-2.5)
    assert measure.evm_db(reference + error, reference) == pytest.approx(-25.0, abs=0.1)
    assert measure.evm_db(reference.reshape(2, -1), reference.reshape(2, -1)) == -200.0
    assert np.isfinite(measure.evm_db(reference, np.zeros_like(reference)))


@pytest.mark.parametrize("n_bins", [64, 256, 1000])
def test_spectrum_is_a_density(n_bins):
    """Its integral is the power: white noise of power P has P / sample rate everywhere."""
    freq_hz, level_db = measure.power_spectrum(noise(400_000, 2.0), RATE_HZ, n_bins)
    assert freq_hz.shape == level_db.shape == (n_bins,)
    assert freq_hz.dtype == level_db.dtype == np.float32
    assert freq_hz[0] == -RATE_HZ / 2
    assert np.all(np.diff(freq_hz) > 0)
    np.testing.assert_allclose(level_db, 10 * np.log10(2.0 / RATE_HZ), atol=1.5)
    total = np.sum(10 ** (level_db.astype(float) / 10)) * RATE_HZ / n_bins
    assert total == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("target_hz", [-312_500.0, 0.0, 125_000.0])
def test_spectrum_shows_a_tone_where_it_is(target_hz):
    freq_hz, level_db = measure.power_spectrum(tone(target_hz), RATE_HZ, 256)
    assert freq_hz[np.argmax(level_db)] == target_hz


def test_spectrum_of_a_short_or_silent_signal_is_finite():
    for samples in (np.ones(3, np.complex64), np.zeros(1000, np.complex64)):
        _, level_db = measure.power_spectrum(samples, RATE_HZ)
        assert np.all(np.isfinite(level_db))


def test_occupied_bandwidth_of_filtered_noise():
    spectrum = np.fft.fft(noise(2**18))
    inside = np.abs(np.fft.fftfreq(2**18, 1 / RATE_HZ)) < 200e3
    band = np.fft.ifft(spectrum * inside).astype(np.complex64)
    assert measure.occupied_bandwidth_hz(band, RATE_HZ) == pytest.approx(396e3, abs=3e3)
    assert measure.occupied_bandwidth_hz(band, RATE_HZ, 0.5) == pytest.approx(200e3, abs=8e3)


def test_occupied_bandwidth_of_a_frame_is_that_of_its_carriers(link):
    """53 spacings from the lowest to the highest used carrier."""
    width_hz = measure.occupied_bandwidth_hz(link.frame(analog=10_000).samples, RATE_HZ)
    assert width_hz == pytest.approx(53 * link.numerology.spacing_hz, rel=0.04)
