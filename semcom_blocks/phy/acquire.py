# SPDX-License-Identifier: GPL-3.0-or-later
"""Confirm a candidate by the long field: timing, integer and fractional CFO.

The two long symbols are matched against the known symbol at five integer
offsets (the short field leaves an ambiguity of 4 subcarriers).  With c1, c2 the
matched-filter outputs of the two halves and E the energy of both,

    M[d] = (|c1[d]|² + |c2[d]|²) / (N E[d])        0 … 1

is near 1/N in noise whatever its level, and flat-spectrum references reject tones.
"""

from cmath import phase
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

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


def search_len(numerology: Numerology) -> int:
    """Samples that the long field is searched in."""
    return 2 * reach(numerology) + 2 * numerology.fft_size


def extent(numerology: Numerology) -> int:
    """Samples from a candidate's position that :func:`confirm` may look at."""
    return long_start(numerology) + reach(numerology) + 2 * numerology.fft_size


@lru_cache(maxsize=16)
def _references(numerology: Numerology) -> np.ndarray:
    """Conjugate spectrum of the long symbol at every integer offset.

    complex64 (n_offsets, search_len): with it a correlation is a product of spectra.
    """
    n = np.arange(numerology.fft_size)
    turns = np.exp(2j * np.pi * n * np.array(INTEGER_OFFSETS)[:, None] / numerology.fft_size)
    spectra = scipy.fft.fft(long_symbol(numerology) * turns, search_len(numerology), axis=1)
    return np.conj(spectra).astype(np.complex64)


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
    spectrum = scipy.fft.fft(x, search_len(numerology))
    matched = scipy.fft.ifft(spectrum * _references(numerology), axis=1)
    matched = matched[:, : len(x) - size + 1]  # (offsets, positions)
    strength = matched.real**2 + matched.imag**2
    power = np.zeros(len(x) + 1)
    np.cumsum(x.real**2 + x.imag**2, out=power[1:])
    energy = np.maximum(power[2 * size :] - power[: -2 * size], 1e-30)
    metric = (strength[:, :-size] + strength[:, size:]) / (size * energy)

    cumulative = np.zeros((len(metric), metric.shape[1] + 1))
    np.cumsum(metric, axis=1, out=cumulative[:, 1:])
    spread = (cumulative[:, numerology.cp_len :] - cumulative[:, : -numerology.cp_len]).max(axis=1)
    best = int((spread + metric.max(axis=1)).argmax())
    quality, widest = metric[best], float(spread[best])
    peak = int(quality.argmax())
    if quality[peak] < PATH_THRESHOLD and widest < SPREAD_THRESHOLD:
        return None
    early = max(0, peak - numerology.cp_len + 1)
    # What no path explains is noise, and that has M = 1/N of its share in the mean.
    noise = max(0.0, 1.0 - widest) / size
    weakest = max(FIRST_PATH_RATIO * quality[peak], FIRST_PATH_NOISE * noise)
    path = early + int((quality[early : peak + 1] >= min(weakest, quality[peak])).argmax())
    first, second = matched[best, :-size], matched[best, size:]
    taps = slice(path, path + numerology.cp_len)
    turned = phase(np.vdot(first[taps], second[taps]))
    cfo_hz = (
        candidate.cfo_hz + (INTEGER_OFFSETS[best] + turned / (2 * np.pi)) * numerology.spacing_hz
    )
    return Acquisition(start + path - backoff(numerology), float(cfo_hz), float(quality[peak]))
