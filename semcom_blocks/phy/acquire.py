# SPDX-License-Identifier: GPL-3.0-or-later
"""Confirm a candidate by the long field: timing, integer and fractional CFO.

The two long symbols are matched against the known symbol at five integer
offsets (the short field leaves an ambiguity of 4 subcarriers).  With c1, c2 the
matched-filter outputs of the two halves and E the energy of both,

    M[d] = (|c1[d]|² + |c2[d]|²) / (N E[d])        0 … 1

is near 1/N in noise whatever its level, and flat-spectrum references reject tones.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from semcom_blocks.phy.detect import Candidate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import unit_phasor
from semcom_blocks.phy.preamble import long_start, long_symbol

#: Integer offsets in subcarriers that are tried; with ±2 from the short field: ±10.
INTEGER_OFFSETS = (-8, -4, 0, 4, 8)
#: M at the strongest path that confirms a frame; 3e-6 per position in noise.
PATH_THRESHOLD = 0.12
#: M summed over one cyclic prefix that confirms a frame spread over many paths.
SPREAD_THRESHOLD = 0.5
#: A path this much weaker than the strongest still counts as the first one (−10 dB).
FIRST_PATH_RATIO = 0.1
#: … unless noise alone could be that strong: M exceeds 6.5 times its mean at 3e-5 per position.
FIRST_PATH_NOISE = 6.5


@dataclass(frozen=True)
class Acquisition:
    """Where the first long symbol starts (FFT window, with back-off) and the CFO."""

    long_position: int
    cfo_hz: float
    quality: float


def backoff(numerology: Numerology) -> int:
    """Samples by which the FFT window starts before the first path."""
    return max(2, numerology.cp_len // 5)


def reach(numerology: Numerology) -> int:
    """Samples around the expected long field that are searched, either side."""
    return numerology.fft_size


def extent(numerology: Numerology) -> int:
    """Samples from a candidate's position that :func:`confirm` may look at."""
    return long_start(numerology) + reach(numerology) + 2 * numerology.fft_size


@lru_cache(maxsize=16)
def _references(numerology: Numerology) -> np.ndarray:
    """Conjugate long symbol at every integer offset, complex64 (fft_size, n_offsets)."""
    n = np.arange(numerology.fft_size)[:, None]
    turns = np.exp(2j * np.pi * n * np.array(INTEGER_OFFSETS) / numerology.fft_size)
    return np.conj(long_symbol(numerology)[:, None] * turns).astype(np.complex64)


def confirm(
    samples: np.ndarray, base: int, candidate: Candidate, numerology: Numerology
) -> Acquisition | None:
    """Match the long field around a candidate.

    ``samples`` complex64 hold the stream from absolute position ``base``; the
    candidate's position is absolute.  Returns None where nothing matches.
    """
    size = numerology.fft_size
    start = max(candidate.position + long_start(numerology) - reach(numerology), base)
    stop = candidate.position + extent(numerology)
    x = samples[start - base : stop - base]
    if len(x) < 3 * size:
        return None
    turn = -2 * np.pi * candidate.cfo_hz / numerology.sample_rate_hz
    x = x * unit_phasor(turn * np.arange(len(x)))
    windows = np.lib.stride_tricks.sliding_window_view(x, size)
    matched = windows @ _references(numerology)  # (positions, offsets)
    first, second = matched[:-size], matched[size:]
    power = np.concatenate([[0.0], np.cumsum(np.abs(x.astype(np.complex128)) ** 2)])
    energy = np.maximum(power[2 * size :] - power[: -2 * size], 1e-30)
    metric = (np.abs(first) ** 2 + np.abs(second) ** 2) / (size * energy[: len(first), None])

    cumulative = np.concatenate([np.zeros((1, metric.shape[1])), np.cumsum(metric, axis=0)])
    spread = cumulative[numerology.cp_len :] - cumulative[: -numerology.cp_len]
    best = int(np.argmax(spread.max(axis=0) + metric.max(axis=0)))
    column = metric[:, best]
    peak = int(np.argmax(column))
    if column[peak] < PATH_THRESHOLD and spread[:, best].max() < SPREAD_THRESHOLD:
        return None
    early = max(0, peak - numerology.cp_len + 1)
    # What no path explains is noise, and that has M = 1/N of its share in the mean.
    noise = max(0.0, 1.0 - float(spread[:, best].max())) / size
    weakest = max(FIRST_PATH_RATIO * column[peak], FIRST_PATH_NOISE * noise)
    path = early + int(np.argmax(column[early : peak + 1] >= min(weakest, column[peak])))
    taps = slice(path, path + numerology.cp_len)
    phase = np.angle(np.sum(np.conj(first[taps, best]) * second[taps, best]))
    cfo_hz = (
        candidate.cfo_hz + (INTEGER_OFFSETS[best] + phase / (2 * np.pi)) * numerology.spacing_hz
    )
    return Acquisition(start + path - backoff(numerology), float(cfo_hz), float(column[peak]))
