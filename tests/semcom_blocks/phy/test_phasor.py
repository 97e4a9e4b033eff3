# SPDX-License-Identifier: GPL-3.0-or-later
"""Phasors against exp in double precision."""

import numpy as np
import pytest

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import sloped_phasors, unit_phasor


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 1e3, 1e8])
def test_unit_phasors_stay_exact_over_many_turns(scale):
    phase = scale * np.linspace(-1, 1, 1001)
    assert np.abs(unit_phasor(phase) - np.exp(1j * phase)).max() < 1e-6
    assert unit_phasor(phase).dtype == np.complex64


def test_phasors_of_any_shape():
    phase = np.arange(24.0).reshape(2, 3, 4)
    assert unit_phasor(phase).shape == (2, 3, 4)
    assert abs(unit_phasor(np.pi) + 1) < 1e-6


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 191, 4096])
@pytest.mark.parametrize("num", [Numerology(), Numerology(1024, 128, 800, 32)])
@pytest.mark.parametrize(("offset", "step"), [(0.0, 0.0), (0.3, -2e-3), (-0.01, 3e-4)])
def test_sloped_phasors(n, num, offset, step):
    """A geometric series of single-precision factors is as good as exp itself."""
    phase = np.random.default_rng(n).uniform(-50, 50, n)
    slope = offset + step * np.arange(n)
    wanted = np.exp(1j * (phase[:, None] + np.outer(slope, num.carriers)))
    turns = sloped_phasors(phase, slope, num.carriers)
    assert turns.shape == wanted.shape
    assert turns.dtype == np.complex64
    assert np.abs(turns - wanted).max() < 2e-6
