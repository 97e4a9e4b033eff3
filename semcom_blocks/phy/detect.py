# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the short field in a stream of samples.

Normalised autocorrelation at lag D = N/4 over W = 8·D samples (Schmidl & Cox 1997):

    P[p] = Σ x[p+i+D] conj(x[p+i]),   ρ²[p] = |P[p]|² / (E[p] E[p+D])

Dividing by the energies makes the false-alarm rate independent of the noise
level (constant false-alarm rate): for white noise P(ρ² > t) ≈ (1 − t)^(W−1).
"""

from dataclasses import dataclass

import numpy as np

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import short_len, short_period

#: ρ² above which the long field is looked for: 1e-4 per position in noise, 0.2 expected at 0 dB.
#: A frame in 500 is missed at 0 dB in fading; candidates in noise cost a tenth of the search.
DETECTION_THRESHOLD = 0.07
#: Product of two energies below which a window counts as silence.
SILENCE = 1e-30


@dataclass(frozen=True)
class Candidate:
    """A place where a short field may start, and the CFO read from it."""

    position: int
    cfo_hz: float


def stride(numerology: Numerology) -> int:
    """Spacing in samples of the positions at which the metric is evaluated."""
    return short_period(numerology) // 2


def window_len(numerology: Numerology) -> int:
    """Samples that the metric at one position looks at."""
    return 9 * short_period(numerology)


def lookahead(numerology: Numerology) -> int:
    """Samples past a scanned block that :func:`find_candidates` needs."""
    return 2 * short_len(numerology) + window_len(numerology)


def find_candidates(samples: np.ndarray, n_scan: int, numerology: Numerology) -> list[Candidate]:
    """Candidates whose metric crosses the threshold within the first ``n_scan`` positions.

    ``samples`` complex64 (n_scan + lookahead,).  A crossing is followed over two
    short fields to the largest |P|: the normalised metric alone saturates over a
    wide range when nothing precedes the frame.
    """
    lag, step = short_period(numerology), stride(numerology)
    n = len(samples) // step * step
    x = samples[:n]
    product = np.empty(n, np.complex64)
    product[: n - lag] = x[lag:] * np.conj(x[:-lag])
    product[n - lag :] = 0
    energy = x.real**2 + x.imag**2
    width, shift = 8 * lag // step, lag // step
    # Partial sums per step, then running sums in double precision: position i·step is entry i.
    running = np.concatenate([[0.0], np.cumsum(energy.reshape(-1, step).sum(axis=1, dtype=float))])
    partial = product.reshape(-1, step).sum(axis=1)
    partial = np.concatenate([[0.0], np.cumsum(partial, dtype=np.complex128)])
    window = running[width:] - running[:-width]
    correlation = (partial[width:] - partial[:-width])[: len(window) - shift]
    metric = correlation.real**2 + correlation.imag**2
    energies = np.maximum(window[:-shift] * window[shift:], SILENCE)
    above = metric > DETECTION_THRESHOLD * energies

    candidates = []
    reach = 2 * short_len(numerology) // step
    crossings = np.flatnonzero(above[: -(-n_scan // step)])
    at = 0
    while at < len(crossings):
        first = crossings[at]
        span = slice(first, first + reach)
        best = first + int(np.argmax(np.where(above[span], metric[span], 0.0)))
        cfo_hz = np.angle(correlation[best]) / (2 * np.pi * lag) * numerology.sample_rate_hz
        candidates.append(Candidate(int(best) * step, float(cfo_hz)))
        at = int(np.searchsorted(crossings, max(best, first + reach // 4), side="right"))
    return candidates
