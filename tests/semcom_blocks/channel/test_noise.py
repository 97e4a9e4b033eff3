# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise: its power, its circular symmetry, its whiteness, its distribution."""

import numpy as np
import pytest
from scipy import stats

from semcom_blocks.channel.noise import WhiteNoise

COUNT = 200_000


@pytest.mark.parametrize("variance", [1e-3, 1.0, 50.0])
def test_half_of_the_variance_is_in_each_branch(variance):
    noise = WhiteNoise(variance, np.random.default_rng(1)).process(np.zeros(COUNT, np.complex64))
    assert noise.dtype == np.complex64
    tolerance = 5 * np.sqrt(2 / COUNT)
    assert np.var(noise.real) == pytest.approx(variance / 2, rel=tolerance)
    assert np.var(noise.imag) == pytest.approx(variance / 2, rel=tolerance)
    unit = noise.astype(complex) / np.sqrt(variance)
    assert abs(unit.mean()) < 5 / np.sqrt(COUNT)
    # proper: no correlation between the branches, none in time
    assert abs(np.mean(unit**2)) < 5 / np.sqrt(COUNT)
    for lag in (1, 2, 64):
        assert abs(np.mean(unit[lag:] * unit[:-lag].conj())) < 5 / np.sqrt(COUNT)


def test_it_is_gaussian():
    noise = WhiteNoise(2.0, np.random.default_rng(2)).process(np.zeros(50_000, np.complex64))
    assert stats.kstest(noise.view(np.float32), "norm").pvalue > 0.01


def test_it_adds_to_the_signal():
    samples = np.arange(100, dtype=np.complex64)
    noise = WhiteNoise(1.0, np.random.default_rng(3)).process(np.zeros(100, np.complex64))
    both = WhiteNoise(1.0, np.random.default_rng(3)).process(samples)
    np.testing.assert_allclose(both, samples + noise, rtol=1e-6)
    np.testing.assert_array_equal(samples, np.arange(100))
