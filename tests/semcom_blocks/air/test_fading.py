# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
from scipy.special import j0

from semcom_blocks.air.config import PathConfig
from semcom_blocks.air.fading import TapGains

RATE_HZ = 1e5


def gains(seed=0, **settings):
    return TapGains(PathConfig("a", "b", **settings), np.random.default_rng(seed))


def test_without_fading_the_taps_stay():
    found = gains(taps=((1.0, 0.0), (0.0, -0.5))).at(3.0, RATE_HZ, 5)
    assert np.allclose(found, [[1.0], [-0.5j]])


def test_rayleigh_without_time_is_drawn_once():
    one = gains(fading="rayleigh").at(0.0, RATE_HZ, 5)
    assert one.shape == (1, 1)
    draws = [abs(gains(seed, fading="rayleigh").at(0.0, RATE_HZ, 1)[0, 0]) for seed in range(2000)]
    assert np.mean(np.square(draws)) == pytest.approx(1.0, abs=0.1)
    assert np.mean(np.square(draws) < 0.1) == pytest.approx(1 - np.exp(-0.1), abs=0.03)


def test_block_fading_is_constant_in_each_stretch_and_new_in_the_next():
    fading = gains(fading="rayleigh", coherence_s=1e-3)
    found = fading.at(0.0, RATE_HZ, 200_000)[0]
    blocks = found.reshape(2000, 100)[:, 1:-1]  # the ends may round to either side
    assert np.all(blocks == blocks[:, :1])
    power = np.abs(blocks[:, 0]) ** 2
    assert np.mean(power) == pytest.approx(1.0, abs=0.1)
    correlation = np.vdot(blocks[:-1, 0], blocks[1:, 0]) / np.vdot(blocks[:, 0], blocks[:, 0])
    assert abs(correlation) < 0.1


def test_block_fading_has_a_past_before_time_zero():
    found = gains(fading="rayleigh", coherence_s=1e-3).at(-0.1, RATE_HZ, 1000)
    assert np.all(np.isfinite(found))


def test_moving_taps_have_clarkes_correlation():
    doppler_hz = 100.0
    lags_s = np.array([0.5e-3, 1e-3, 2e-3, 3.83e-3])
    sums = np.zeros(lags_s.size, complex)
    for seed in range(200):
        tap = gains(seed, fading="rayleigh", doppler_hz=doppler_hz).at(0.1, RATE_HZ, 2000)[0]
        for i, lag in enumerate(np.rint(lags_s * RATE_HZ).astype(int)):
            sums[i] += np.mean(tap[:-lag].conj() * tap[lag:]) / 200
    assert np.allclose(sums.real, j0(2 * np.pi * doppler_hz * lags_s), atol=0.1)
    assert np.abs(sums.imag).max() < 0.1


@pytest.mark.parametrize("settings", [{"doppler_hz": 300.0}, {"coherence_s": 7e-4}])
def test_any_part_may_be_asked_for_again(settings):
    fading = gains(fading="rayleigh", taps=((1.0, 0.0), (0.5, 0.0)), **settings)
    whole = fading.at(2.0, RATE_HZ, 3000)
    part = fading.at(2.0 + 1234 / RATE_HZ, RATE_HZ, 600)
    assert whole.shape == (2, 3000)
    # One sample at the edge of a stretch may fall to either side of it.
    assert np.mean(np.abs(part - whole[:, 1234:1834]) > 2e-3) < 0.01


def test_taps_fade_independently_with_their_own_power():
    settings = {"fading": "rayleigh", "coherence_s": 1e-5, "taps": ((1.0, 0.0), (0.5, 0.0))}
    found = gains(**settings).at(0.0, RATE_HZ, 5000)
    assert np.mean(np.abs(found) ** 2, axis=1) == pytest.approx([1.0, 0.25], rel=0.1)
    assert abs(np.mean(found[0] * found[1].conj())) < 0.05
