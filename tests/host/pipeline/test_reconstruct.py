# SPDX-License-Identifier: GPL-3.0-or-later
"""The ideal channel is white, of the right power, and repeatable."""

import numpy as np
import pytest

from host.pipeline.reconstruct import ideal_awgn


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 20.0])
def test_noise_has_the_power_that_the_snr_says(snr_db):
    symbols = np.zeros(200_000, np.complex64)
    noisy, noise_var = ideal_awgn(symbols, snr_db, seed=1)
    power = 10 ** (-snr_db / 10)
    assert np.mean(np.abs(noisy) ** 2) == pytest.approx(power, rel=0.02)
    assert np.mean(noisy.real**2) == pytest.approx(power / 2, rel=0.02)
    assert abs(np.mean(noisy.real * noisy.imag)) < 0.01 * power
    np.testing.assert_allclose(noise_var, power, rtol=1e-6)
    assert noisy.dtype == np.complex64
    assert noise_var.dtype == np.float32


def test_the_seed_decides():
    symbols = np.ones(100, np.complex64)
    first, again, other = (ideal_awgn(symbols, 3.0, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
