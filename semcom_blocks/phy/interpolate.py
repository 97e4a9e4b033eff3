# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpolate a channel over frequency: from comb pilots, or through a window of delays.

The two comb methods use the comb carriers alone, as a receiver without a full
preamble has to: they hold while the channel's delays stay below
fft_size / (2 · comb spacing) samples.  The delay window keeps the part of a full LS estimate that
a channel within the cyclic prefix can cause (van de Beek 1995).
"""

from cmath import phase
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import unit_phasor

#: Delays either side of the prefix that are kept: fractional delays leak over a few samples.
LEAKAGE_SAMPLES = 4


def mean_delay_phasor(response: np.ndarray, numerology: Numerology) -> np.ndarray:
    """exp(jθk), complex64 (n_used,): the common slope θ over the carriers of a response.

    A delay turns the carriers; interpolation works on what is left without it.
    """
    below, above = response[: numerology.n_used // 2], response[numerology.n_used // 2 :]
    # Not across the unused carrier at DC.
    lag = np.vdot(below[:-1], below[1:]) + np.vdot(above[:-1], above[1:])
    return unit_phasor(phase(lag) * numerology.carriers)


def linear(response: np.ndarray, numerology: Numerology) -> np.ndarray:
    """Straight lines between the comb carriers, level beyond them, (n_used,) → complex64."""
    delay = mean_delay_phasor(response, numerology)
    at, carriers = numerology.carriers[numerology.comb_index], numerology.carriers
    values = (response * np.conj(delay))[numerology.comb_index]
    return (np.interp(carriers, at, values) * delay).astype(np.complex64)


def spline(response: np.ndarray, numerology: Numerology) -> np.ndarray:
    """Natural cubic spline through the comb carriers, (n_used,) → complex64 (n_used,)."""
    delay = mean_delay_phasor(response, numerology)
    at = numerology.carriers[numerology.comb_index]
    values = (response * np.conj(delay))[numerology.comb_index]
    curve = CubicSpline(at, values, bc_type="natural")
    return (curve(numerology.carriers) * delay).astype(np.complex64)


@lru_cache(maxsize=8)
def _window_projection(numerology: Numerology) -> np.ndarray:
    """Projection on the channels whose delays lie in the window, complex128 (n_used, n_used)."""
    delays = np.arange(-LEAKAGE_SAMPLES, numerology.cp_len + LEAKAGE_SAMPLES)
    turns = np.outer(numerology.carriers, delays) / numerology.fft_size
    basis, values, _ = np.linalg.svd(np.exp(-2j * np.pi * turns), full_matrices=False)
    # Directions that the used carriers cannot tell apart would only fit noise.
    basis = basis[:, values > 1e-6 * values[0]]
    return basis @ basis.conj().T


def delay_window(response: np.ndarray, numerology: Numerology) -> np.ndarray:
    """Keep delays from the window's start to its prefix's end, (n_used,) → complex64 (n_used,)."""
    return (_window_projection(numerology) @ response).astype(np.complex64)
