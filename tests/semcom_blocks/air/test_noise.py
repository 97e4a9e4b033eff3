# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
from scipy.stats import kstest, norm

from semcom_blocks.air.noise import NoiseSource


def source(seed=1):
    return NoiseSource(np.random.default_rng(seed))


def test_values_are_normal():
    found = source().draw(200_000).astype(np.float64)
    assert kstest(found, "norm").pvalue > 0.01
    assert np.mean(found**2) == pytest.approx(1.0, abs=0.01)
    assert np.mean(found**4) == pytest.approx(3.0, abs=0.08)


@pytest.mark.parametrize("deviations", [3.0, 4.0, 4.5])
def test_tails_are_normal(deviations):
    draws = source(3)
    n, blocks = 1 << 20, 10
    beyond = sum(int(np.sum(np.abs(draws.draw(n)) > deviations)) for _ in range(blocks))
    expected = 2 * norm.sf(deviations) * n * blocks
    assert beyond == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_values_are_independent():
    found = source(4).draw(1 << 18)
    power = np.abs(np.fft.rfft(found)[1:-1]) ** 2 / found.size
    assert kstest(power, "expon").pvalue > 0.01  # white, and nothing periodic


def test_cut_makes_no_difference():
    whole, parts = source(5), source(5)
    expected = whole.draw(1000)
    found = np.concatenate([parts.draw(n) for n in (2, 498, 6, 494)])
    assert np.array_equal(found, expected)
