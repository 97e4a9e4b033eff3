# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow phase and timing through a frame by its known cells.

Symbol m turns by a common phase φ_m (residual CFO, phase noise) and by a slope
over the carriers (sampling-rate offset δ): after t samples the signal is late
by δ t samples, so carrier k turns by −2π k δ t / N.  Both rates are read as the
frequency of a complex sequence (maximum-likelihood: the peak of its
periodogram, Rife & Boorstyn 1974); the common phase is then smoothed over a
window as short as the phase noise demands and as long as it allows.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import unit_phasor

#: Half widths in symbols among which the smoothing of the common phase chooses: the narrowest
#: follows an oscillator's walk, the widest averages 65·n_comb pilots and costs 0.01 dB.
PHASE_HALF_WINDOWS = (1, 2, 4, 8, 16, 32)
#: Passes over the slope.  The first compares the halves of the band, each added up as a whole,
#: which is crude where the drift turns a half by more than a cycle; the others see what is left.
SLOPE_PASSES = 3
#: Largest sampling-rate offset that is searched for.
MAX_SRO = 250e-6


@dataclass(frozen=True)
class Track:
    """Phase over a frame.

    ``phase`` float64 (n_symbols,) is the common phase in rad, ``slope`` float64
    (n_symbols,) the turn per carrier in rad, ``cfo_hz`` the mean rate of the
    phase, ``sro_ppm`` the sampling-rate offset; the ``long_*`` pair holds phase
    and slope extrapolated to the middle of the long field.
    """

    phase: np.ndarray
    slope: np.ndarray
    cfo_hz: float
    sro_ppm: float
    long_phase: float
    long_slope: float


def dominant_frequency(sequence: np.ndarray, max_cycles: float = 0.5) -> float:
    """Frequency of the strongest complex exponential, in cycles per item.

    Periodogram with four-fold zero padding and parabolic interpolation,
    searched within ±``max_cycles``.
    """
    n = len(sequence)
    if n < 2:
        return 0.0
    size = scipy.fft.next_fast_len(8 * n)
    power = np.abs(scipy.fft.fft(sequence, size)) ** 2
    bins = scipy.fft.fftfreq(size)
    power = np.where(np.abs(bins) <= max_cycles + 1.0 / size, power, -1.0)
    peak = int(np.argmax(power))
    left, mid, right = power[peak - 1], power[peak], power[(peak + 1) % size]
    if min(left, right) < 0:
        return float(np.clip(bins[peak], -max_cycles, max_cycles))
    curve = left - 2 * mid + right
    shift = 0.5 * (left - right) / curve if curve < 0 else 0.0
    return float(bins[peak] + shift / size)


def _balanced(sequence: np.ndarray) -> np.ndarray:
    """Square-root weighting: symbols full of pilots shall not drown those with a comb."""
    return sequence / np.sqrt(np.maximum(np.abs(sequence), 1e-30))


def _fit_slope(
    products: np.ndarray, weight: np.ndarray, numerology: Numerology
) -> tuple[float, float]:
    """Slope over carriers as ``a + b·m`` by weighted least squares, rad and rad per symbol.

    ``products`` (n, n_used) are Y conj(H X) on known cells and 0 elsewhere,
    ``weight`` the same for |H X|².
    """
    k = numerology.carriers
    upper, lower = k > 0, k < 0
    high, low = products[:, upper].sum(axis=1), products[:, lower].sum(axis=1)
    mass_high = np.maximum(weight[:, upper].sum(axis=1), 1e-30)
    mass_low = np.maximum(weight[:, lower].sum(axis=1), 1e-30)
    distance = (weight[:, upper] @ k[upper]) / mass_high - (weight[:, lower] @ k[lower]) / mass_low
    beat = _balanced(high * np.conj(low))
    index = np.arange(len(beat))
    # One carrier of mean distance turns by at most this much between symbols.
    limit = MAX_SRO * numerology.symbol_len / numerology.fft_size * float(distance.max())
    rate = dominant_frequency(beat, limit) if len(beat) > 1 else 0.0
    level = beat * np.exp(-2j * np.pi * rate * index)
    mean = np.angle(level.sum())
    turn = 2 * np.pi * rate * index + mean + np.angle(level * np.exp(-1j * mean))
    slope, trust = turn / distance, np.maximum(np.abs(beat) * distance**2, 1e-30)
    if len(beat) < 3:
        return float(np.average(slope, weights=trust)), 0.0
    centre = np.average(index, weights=trust)
    spread = np.average((index - centre) ** 2, weights=trust)
    mean_slope = np.average(slope, weights=trust)
    step = np.average((index - centre) * (slope - mean_slope), weights=trust) / max(spread, 1e-12)
    return float(mean_slope - step * centre), float(step)


def _smooth(sequence: np.ndarray) -> np.ndarray:
    """Moving sum whose width is chosen by cross-validation, complex (n,) → complex (n,).

    The best width is the one at which the neighbours of an item, without itself, point
    best where the item points: Σ Re(s conj(u)), u the direction of their sum.
    """
    n = len(sequence)
    index, running = np.arange(n), np.concatenate([[0.0], np.cumsum(sequence)])
    best, best_score = sequence, -np.inf
    for half in PHASE_HALF_WINDOWS:
        total = running[np.minimum(index + half + 1, n)] - running[np.maximum(index - half, 0)]
        others = total - sequence
        score = np.sum((sequence * others.conj()).real / np.maximum(np.abs(others), 1e-30))
        if score > best_score:
            best, best_score = total, score
    return best


def track(grid: np.ndarray, channel: np.ndarray, layout: FrameLayout) -> Track:
    """Measure common phase and slope of every symbol of a frame.

    ``grid`` complex64 (n_symbols, n_used) with the coarse CFO removed;
    ``channel`` complex64 (n_used,) as measured on the long field.
    """
    num = layout.numerology
    model = channel * layout.reference * layout.known
    products = grid * np.conj(model)
    weight = np.abs(model) ** 2
    index = np.arange(layout.n_symbols)
    offset = step = 0.0
    level = products
    for _ in range(SLOPE_PASSES):
        more = _fit_slope(level, weight, num)
        offset, step = offset + more[0], step + more[1]
        slope = offset + step * index
        level = products * unit_phasor(-np.outer(slope, num.carriers))
    turned = level.sum(axis=1)
    rate = dominant_frequency(_balanced(turned))
    steady = turned * np.exp(-2j * np.pi * rate * index)
    residual = np.unwrap(np.angle(_smooth(steady)))
    # The middle of the long field lies this many symbols before the first header symbol.
    before = (num.fft_size + num.cp_len) / num.symbol_len
    return Track(
        phase=2 * np.pi * rate * index + residual,
        slope=slope,
        cfo_hz=rate * num.sample_rate_hz / num.symbol_len,
        sro_ppm=-step * num.fft_size / (2 * np.pi * num.symbol_len) * 1e6,
        long_phase=float(residual[0] - 2 * np.pi * rate * before),
        long_slope=offset - step * before,
    )
