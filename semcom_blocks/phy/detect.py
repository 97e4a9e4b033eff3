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


def _sliding_sum(values: np.ndarray, doublings: int, spacing: int = 1) -> np.ndarray:
    """Sum of every 2**doublings items that lie ``spacing`` apart, (n,) → (less,).

    Sums of sums: unlike differences of a running total, they keep the precision of a weak
    signal that follows a strong one.
    """
    for level in range(doublings):
        shift = spacing << level
        values = values[:-shift] + values[shift:]
    return values


def _metric(
    samples: np.ndarray, numerology: Numerology
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P complex64, |P|² float32 and E[p] E[p+D] float32 at every multiple of the stride."""
    lag, step = short_period(numerology), stride(numerology)
    n = len(samples) // step * step
    x = np.ascontiguousarray(samples[:n])
    product = np.conjugate(x[: n - lag])
    product *= x[lag:]
    # Sums over a stride, which is a power of two.  NumPy adds reals three times faster than
    # complex numbers, so both are added as the pairs of reals that they are in memory.
    doublings = step.bit_length() - 1
    pairs = _sliding_sum(product.view(np.float32), doublings, spacing=2)
    partial = pairs[: len(pairs) // 2 * 2].view(np.complex64)[::step]
    energy = _sliding_sum(np.square(x.view(np.float32)), doublings + 1)[:: 2 * step]
    correlation = _sliding_sum(partial, 4)  # W = 8 D = 16 strides
    window = _sliding_sum(energy, 4)
    energies = np.maximum(window[:-2] * window[2:], np.float32(SILENCE))  # D = 2 strides
    return correlation, correlation.real**2 + correlation.imag**2, energies


def find_candidates(samples: np.ndarray, n_scan: int, numerology: Numerology) -> list[Candidate]:
    """Candidates whose metric crosses the threshold within the first ``n_scan`` positions.

    ``samples`` complex64 (n_scan + lookahead,).  A crossing is followed over two
    short fields to the largest |P|: the normalised metric alone saturates over a
    wide range when nothing precedes the frame.
    """
    lag, step = short_period(numerology), stride(numerology)
    correlation, metric, energies = _metric(samples, numerology)
    above = metric > np.float32(DETECTION_THRESHOLD) * energies
    crossings = np.flatnonzero(above[: -(-n_scan // step)])

    candidates = []
    reach = 2 * short_len(numerology) // step
    at = 0
    while at < len(crossings):
        first = crossings[at]
        span = slice(first, first + reach)
        best = first + int(np.argmax(np.where(above[span], metric[span], 0.0)))
        cfo_hz = np.angle(correlation[best]) / (2 * np.pi * lag) * numerology.sample_rate_hz
        candidates.append(Candidate(int(best) * step, float(cfo_hz)))
        at = int(np.searchsorted(crossings, max(best, first + reach // 4), side="right"))
    return candidates
