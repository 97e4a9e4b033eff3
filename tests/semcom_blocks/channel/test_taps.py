# SPDX-License-Identifier: GPL-3.0-or-later
"""The tapped delay line is a convolution, however the stream is cut."""

import numpy as np
import pytest
from scipy.signal import lfilter

from semcom_blocks.channel.taps import TappedDelayLine


def complex_noise(rng, count):
    return (rng.standard_normal(count) + 1j * rng.standard_normal(count)).astype(np.complex64)


@pytest.mark.parametrize("taps", [1, 2, 7, 70])
def test_it_is_a_convolution(taps):
    rng = np.random.default_rng(taps)
    response, samples = complex_noise(rng, taps), complex_noise(rng, 500)
    line = TappedDelayLine(response)
    pieces = np.split(samples, [0, 1, 2, 5, 40, 41, 300])
    found = np.concatenate([line.process(piece) for piece in pieces])
    expected = lfilter(response.astype(complex), [1], samples.astype(complex))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.sqrt(taps))
    assert found.dtype == np.complex64


def test_new_taps_hold_from_the_next_sample_on():
    line = TappedDelayLine([1, 1])
    first = line.process(np.array([1, 2, 3], np.complex64))
    line.replace([0, 10])
    second = line.process(np.array([4, 5], np.complex64))
    np.testing.assert_array_equal(first, [1, 3, 5])
    np.testing.assert_array_equal(second, [30, 40])
    with pytest.raises(ValueError, match="reshape"):
        line.replace([1, 2, 3])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_bad_sample_is_forgotten_after_the_last_tap(bad):
    samples = np.ones(40, np.complex64)
    clean = TappedDelayLine([1, 0.5, 0.25]).process(samples)
    samples[10] = bad
    with np.errstate(invalid="ignore"):
        hit = TappedDelayLine([1, 0.5, 0.25]).process(samples)
    np.testing.assert_array_equal(np.delete(hit, [10, 11, 12]), np.delete(clean, [10, 11, 12]))
    assert not np.isclose(hit[10:13], clean[10:13]).any()
