# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples to grid: CFO removed, cyclic prefix dropped, batched FFT, timing slips."""

import numpy as np
import scipy.fft

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import unit_phasor
from semcom_blocks.phy.preamble import LONG_SYMBOLS


def _evenly(samples: np.ndarray, first: int, spacing: int, n: int, size: int) -> np.ndarray:
    """View of ``n`` stretches of ``size`` samples, the first from ``first`` on, (n, size)."""
    item = samples.strides[0]
    return np.lib.stride_tricks.as_strided(
        samples[first:], (n, size), (spacing * item, item), writeable=False
    )


def _transform(
    bodies: np.ndarray, at: np.ndarray, turn: float, numerology: Numerology
) -> np.ndarray:
    """FFT of bodies that begin at ``at`` and whose CFO is already constant, (m, n_used)."""
    num = numerology
    bins = scipy.fft.fft(bodies, axis=1, overwrite_x=True)
    level = (unit_phasor(turn * at) * np.float32(np.sqrt(num.n_used) / num.fft_size))[:, None]
    half = num.n_used // 2
    grid = np.empty((len(at), num.n_used), np.complex64)
    np.multiply(bins[:, -half:], level, out=grid[:, :half])
    np.multiply(bins[:, 1 : half + 1], level, out=grid[:, half:])
    return grid


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
    inner = np.arange(num.fft_size)
    at = starts if late is None else starts + late
    at = np.clip(at, 0, len(samples) - num.fft_size)
    turn = -2 * np.pi * cfo_hz / num.sample_rate_hz
    bodies = samples[at[:, None] + inner]
    bodies *= unit_phasor(turn * inner)
    grid = _transform(bodies, at, turn, num)
    if late is not None and late.any():
        grid *= unit_phasor(np.outer(late, num.carriers) * (-2 * np.pi / num.fft_size))
    return grid


def frame_grid(
    samples: np.ndarray, n_symbols: int, cfo_hz: float, numerology: Numerology
) -> tuple[np.ndarray, np.ndarray]:
    """Long field and symbols of a frame whose samples start at the first long window.

    The same as two calls of :func:`to_grid`, without gathering the samples.  Returns
    complex64 (2, n_used) and (n_symbols, n_used).
    """
    num = numerology
    starts = np.concatenate([long_starts(num), symbol_starts(n_symbols, num)])
    if starts[-1] + num.fft_size > len(samples):
        grid = to_grid(samples, starts, cfo_hz, num)
        return grid[:LONG_SYMBOLS], grid[LONG_SYMBOLS:]
    turn = -2 * np.pi * cfo_hz / num.sample_rate_hz
    inner = unit_phasor(turn * np.arange(num.fft_size))
    bodies = np.empty((len(starts), num.fft_size), np.complex64)
    long = _evenly(samples, 0, num.fft_size, LONG_SYMBOLS, num.fft_size)
    np.multiply(long, inner, out=bodies[:LONG_SYMBOLS])
    rest = _evenly(samples, int(starts[LONG_SYMBOLS]), num.symbol_len, n_symbols, num.fft_size)
    np.multiply(rest, inner, out=bodies[LONG_SYMBOLS:])
    grid = _transform(bodies, starts, turn, num)
    return grid[:LONG_SYMBOLS], grid[LONG_SYMBOLS:]


def long_starts(numerology: Numerology) -> np.ndarray:
    """Bodies of the two long symbols, relative to the first one's window."""
    return numerology.fft_size * np.arange(LONG_SYMBOLS)


def symbol_starts(n_symbols: int, numerology: Numerology) -> np.ndarray:
    """Bodies of the header and payload symbols, relative to the first long window."""
    first = LONG_SYMBOLS * numerology.fft_size + numerology.cp_len
    return first + numerology.symbol_len * np.arange(n_symbols)
