# SPDX-License-Identifier: GPL-3.0-or-later
"""The finite guard: what no converter sends becomes zero, and nothing else changes."""

import numpy as np
import pytest

from semcom_blocks.phy.guard import MAX_MAGNITUDE, finite_guard

BAD = [np.nan, np.inf, -np.inf, 1e30, complex(0, np.nan), complex(1, -np.inf), complex(3e38, 3e38)]


def test_good_samples_are_passed_on_as_they_are(link):
    samples = link.normal(1000) * np.float32(100)
    guarded, replaced = finite_guard(samples)
    assert guarded is samples
    assert replaced == 0


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("n_bad", [1, 100])
def test_bad_samples_become_zero_and_are_counted(link, value, n_bad):
    samples = link.normal(1000)
    at = link.rng.choice(1000, n_bad, replace=False)
    samples[at] = value
    before = samples.copy()
    guarded, replaced = finite_guard(samples)
    assert replaced == n_bad
    assert np.all(guarded[at] == 0)
    good = np.setdiff1d(np.arange(1000), at)
    assert np.array_equal(guarded[good], samples[good])
    assert np.array_equal(samples, before, equal_nan=True)
    assert guarded.dtype == np.complex64


def test_limit_is_on_the_magnitude():
    # The smaller of two large parts must not save a sample.
    samples = np.array([MAX_MAGNITUDE, 2 * MAX_MAGNITUDE, 1 + 2j * MAX_MAGNITUDE], np.complex64)
    guarded, replaced = finite_guard(samples)
    assert guarded.tolist() == [MAX_MAGNITUDE, 0, 0]
    assert replaced == 2


def test_no_samples():
    guarded, replaced = finite_guard(np.zeros(0, np.complex64))
    assert len(guarded) == replaced == 0


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("n_bad", [1, 100])
def test_the_next_frame_behind_bad_samples_is_read(link, value, n_bad):
    """As the flowgraph runs it: guard, then synchroniser."""
    frames = [link.frame(seq, analog=500) for seq in range(2)]
    stream = link.send(np.concatenate([f.samples for f in frames]), snr_db=20)
    at = 1000 + len(frames[0].samples) // 2
    stream[at : at + n_bad] = value
    guarded, _ = finite_guard(stream)
    assert link.find(guarded)[-1].header == frames[1].layout.header
