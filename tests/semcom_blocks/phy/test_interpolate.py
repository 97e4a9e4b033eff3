# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpolation over frequency: what each method keeps, and what it must not invent."""

import numpy as np
import pytest

from semcom_blocks.phy.interpolate import delay_window, linear, spline
from semcom_blocks.phy.numerology import Numerology

NUM = Numerology()
METHODS = (linear, spline, delay_window)


def response(delays, gains):
    turns = np.outer(NUM.carriers, delays) / NUM.fft_size
    return (np.exp(-2j * np.pi * turns) @ np.asarray(gains, complex)).astype(np.complex64)


def error_db(found, wanted):
    ratio = np.sum(np.abs(found - wanted) ** 2) / np.sum(np.abs(wanted) ** 2)
    return 10 * np.log10(ratio + 1e-20)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("delay", [0.0, 3.0, 3.4, 9.0])
def test_one_path_is_kept_at_any_delay(method, delay):
    channel = response([delay], [0.3 - 0.4j])
    found = method(channel, NUM)
    assert found.dtype == np.complex64
    assert error_db(found, channel) < -35


@pytest.mark.parametrize("method", [linear, spline])
def test_comb_methods_use_the_comb_alone(method):
    channel = response([3.0], [1.0])
    other = channel.copy()
    # A change that leaves the common slope alone but touches no comb carrier must not matter.
    other[NUM.data_index[::2]] *= 1.1
    other[NUM.data_index[1::2]] *= 1.1
    assert np.allclose(method(other, NUM), method(channel, NUM), atol=1e-4)


def test_comb_methods_follow_a_short_channel_but_not_a_long_one():
    """The comb is 13 carriers wide: delays up to about 64 / 26 samples can be followed."""
    short = response([3.0, 4.0], [1.0, 0.3])
    long = response([3.0, 11.0], [1.0, 0.9])
    assert error_db(spline(short, NUM), short) < -20
    assert error_db(spline(long, NUM), long) > -6
    assert error_db(delay_window(long, NUM), long) < -35


def test_delay_window_removes_the_noise_outside_it():
    """24 of 52 dimensions are kept, so noise falls by 10 log10(24/52) = -3.4 dB."""
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((400, NUM.n_used, 2)).view(np.complex128)[..., 0]
    kept = np.mean([np.sum(np.abs(delay_window(row, NUM)) ** 2) for row in noise])
    share_db = 10 * np.log10(kept / np.mean(np.sum(np.abs(noise) ** 2, axis=1)))
    assert share_db == pytest.approx(-3.4, abs=0.4)


def test_a_path_far_outside_the_prefix_is_not_a_channel():
    assert error_db(delay_window(response([40.0], [1.0]), NUM), response([40.0], [1.0])) > -3
