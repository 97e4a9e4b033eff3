# SPDX-License-Identifier: GPL-3.0-or-later
"""Fading against theory: Rayleigh statistics, profile, carrier correlation."""

import numpy as np
import pytest
from scipy import stats

from semcom_blocks.channel import ChannelConfig
from semcom_blocks.channel.fading import BlockFading

DRAWS = 20_000


def realisations(seed=1, draws=DRAWS, **parameters):
    """(draws, K) impulse responses, and the profile."""
    fading = BlockFading(ChannelConfig(**parameters), np.random.default_rng(seed))
    return np.stack([fading.draw() for _ in range(draws)]), fading.profile


def test_awgn_has_one_tap_of_one():
    taps, _ = realisations(draws=3, model="awgn")
    np.testing.assert_array_equal(taps, np.ones((3, 1), np.complex64))


def test_rayleigh_power_is_exponential_and_phase_uniform():
    taps, _ = realisations(model="rayleigh")
    assert taps.shape == (DRAWS, 1) and taps.dtype == np.complex64
    power = np.abs(taps[:, 0].astype(complex)) ** 2
    assert stats.kstest(power, "expon").pvalue > 0.01
    assert stats.kstest(np.angle(taps[:, 0]) / (2 * np.pi) + 0.5, "uniform").pvalue > 0.01
    # An outage 10 dB below the mean has probability 1 - exp(-0.1).
    assert np.mean(power < 0.1) == pytest.approx(1 - np.exp(-0.1), rel=0.06)


def test_multipath_follows_the_profile():
    taps, profile = realisations(model="multipath", delay_spread_s=2e-6)
    np.testing.assert_allclose(np.mean(np.abs(taps) ** 2, axis=0), profile, rtol=0.05)
    # Different taps are uncorrelated.
    covariance = taps.T @ taps.conj() / DRAWS
    scale = np.sqrt(np.outer(profile, profile))
    off_diagonal = (covariance / scale)[~np.eye(profile.size, dtype=bool)]
    assert np.abs(off_diagonal).max() < 5 / np.sqrt(DRAWS)


def test_carriers_are_correlated_as_the_profile_says():
    taps, profile = realisations(model="multipath", delay_spread_s=1e-6)
    response = np.fft.fft(taps, 64, axis=1)
    assert np.mean(np.abs(response) ** 2) == pytest.approx(1.0, rel=0.02)
    for distance in (1, 4, 13, 32):
        measured = np.mean(response * np.roll(response, -distance, axis=1).conj())
        expected = profile @ np.exp(2j * np.pi * distance * np.arange(profile.size) / 64)
        assert abs(measured - expected) < 0.02
    # Neighbours move together, distant carriers do not.
    neighbours = np.mean(response[:, 0] * response[:, 1].conj())
    distant = np.mean(response[:, 0] * response[:, 32].conj())
    assert abs(neighbours) > 0.98 and abs(distant) < 0.55


@pytest.mark.parametrize("model", ["rayleigh", "multipath"])
def test_held_power_is_one_in_every_realisation(model):
    held, _ = realisations(draws=200, model=model, hold_power=True)
    np.testing.assert_allclose(np.sum(np.abs(held) ** 2, axis=1), 1.0, rtol=1e-5)
    free, _ = realisations(draws=200, model=model)
    assert np.std(np.sum(np.abs(free) ** 2, axis=1)) > 0.3
    assert np.std(np.angle(held[:, 0])) > 1.0
