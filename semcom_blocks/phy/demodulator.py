# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples to grid: CFO removed, cyclic prefix dropped, batched FFT, timing slips."""

import numpy as np
import scipy.fft

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import unit_phasor


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
    at = np.clip(at, 0, len(samples) - num.fft_size)
    inner = np.arange(num.fft_size)
    bodies = samples[at[:, None] + inner]  # (m, fft_size)
    turn = -2 * np.pi * cfo_hz / num.sample_rate_hz
    bodies *= unit_phasor(turn * at)[:, None]
    bodies *= unit_phasor(turn * inner)
    bins = scipy.fft.fft(bodies, axis=1)[:, num.carriers % num.fft_size]
    bins *= np.float32(np.sqrt(num.n_used) / num.fft_size)
    if late is not None and late.any():
        bins *= unit_phasor(np.outer(late, num.carriers) * (-2 * np.pi / num.fft_size))
    return bins


def long_starts(numerology: Numerology) -> np.ndarray:
    """Bodies of the two long symbols, relative to the first one's window."""
    return np.array([0, numerology.fft_size])


def symbol_starts(n_symbols: int, numerology: Numerology) -> np.ndarray:
    """Bodies of the header and payload symbols, relative to the first long window."""
    first = 2 * numerology.fft_size + numerology.cp_len
    return first + numerology.symbol_len * np.arange(n_symbols)
