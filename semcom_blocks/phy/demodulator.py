# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples to grid: CFO removed, cyclic prefix dropped, batched FFT, timing slips."""

import numpy as np
import scipy.fft

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import unit_phasor


def _bodies(samples: np.ndarray, at: np.ndarray, size: int) -> np.ndarray:
    """Stretches of ``size`` samples from each of ``at`` on, (m, size); evenly spaced: a view."""
    if len(at) > 1:
        spacing = at[1] - at[0]
        if spacing > 0 and (at[1:] - at[:-1] == spacing).all():
            item = samples.strides[0]
            return np.lib.stride_tricks.as_strided(
                samples[at[0] :], (len(at), size), (spacing * item, item), writeable=False
            )
    return samples[at[:, None] + np.arange(size)]


def to_grid(
    samples: np.ndarray,
    starts: np.ndarray,
    cfo_hz: float,
    numerology: Numerology,
    late: np.ndarray | None = None,
) -> np.ndarray:
    """FFT of the symbols whose bodies begin at ``starts``.

    ``samples`` complex64 (n,), ``starts`` int64 (m,) within it; ``late`` int64
    (m,) shifts single windows (timing slips), and the carrier phase that a shift
    brings is taken out again.  Returns complex64 (m, n_used), scaled so that a
    unit-power transmit signal over a unit channel gives unit-power cells.
    """
    num = numerology
    at = starts if late is None else starts + late
    last = len(samples) - num.fft_size
    if at.min() < 0 or at.max() > last:
        at = np.clip(at, 0, last)
    turn = -2 * np.pi * cfo_hz / num.sample_rate_hz
    bodies = _bodies(samples, at, num.fft_size) * unit_phasor(turn * np.arange(num.fft_size))
    bins = scipy.fft.fft(bodies, axis=1, overwrite_x=True)
    level = (unit_phasor(turn * at) * np.float32(np.sqrt(num.n_used) / num.fft_size))[:, None]
    half = num.n_used // 2
    grid = np.empty((len(at), num.n_used), np.complex64)
    np.multiply(bins[:, -half:], level, out=grid[:, :half])
    np.multiply(bins[:, 1 : half + 1], level, out=grid[:, half:])
    if late is not None and late.any():
        grid *= unit_phasor(np.outer(late, num.carriers) * (-2 * np.pi / num.fft_size))
    return grid


def long_starts(numerology: Numerology) -> np.ndarray:
    """Bodies of the two long symbols, relative to the first one's window."""
    return np.array([0, numerology.fft_size])


def symbol_starts(n_symbols: int, numerology: Numerology) -> np.ndarray:
    """Bodies of the header and payload symbols, relative to the first long window."""
    first = 2 * numerology.fft_size + numerology.cp_len
    return first + numerology.symbol_len * np.arange(n_symbols)
