# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow phase and timing through a frame by its known cells.

Symbol m turns by a common phase φ_m (residual CFO, phase noise) and by a slope
over the carriers (sampling-rate offset δ): after t samples the signal is late
by δ t samples, so carrier k turns by −2π k δ t / N.  Both rates are read as the
frequency of a complex sequence (maximum-likelihood: the peak of its
periodogram, Rife & Boorstyn 1974); the common phase is then smoothed over a
window as short as the phase noise demands and as long as it allows.
"""

from cmath import phase
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from semcom_blocks.phy.known_layout import KnownLayout
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import unit_phasor

#: Half widths in symbols among which the smoothing of the common phase chooses: the narrowest
#: follows an oscillator's walk, the widest averages 65·n_comb pilots and costs 0.01 dB.
PHASE_HALF_WINDOWS = (1, 2, 4, 8, 16, 32)
#: Most passes over the slope.  The first compares the halves of the band, each added up as a
#: whole, which is crude where the drift turns a half by more than a cycle; the others see what
#: is left.
SLOPE_PASSES = 3
#: Turn at the edge of band and frame, in rad, below which a pass was the last.  Each leaves at
#: most a tenth of what it took off at 0 dB, a hundredth from 10 dB on: an error of 0.005 or
#: 0.0005 rad at the edge, 50 or 70 dB below the signal.
SLOPE_SETTLED = 0.05
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
    spectrum = scipy.fft.fft(sequence, size)
    reach = int((max_cycles + 1.0 / size) * size)
    if 2 * reach + 1 < size:  # from −reach to +reach
        spectrum = np.concatenate([spectrum[-reach:], spectrum[: reach + 1]])
        power = spectrum.real**2 + spectrum.imag**2
        peak = int(power.argmax())
        if peak in (0, 2 * reach):
            return float(np.clip((peak - reach) / size, -max_cycles, max_cycles))
        left, mid, right = power[peak - 1 : peak + 2].tolist()
        peak -= reach
    else:  # the whole circle
        power = spectrum.real**2 + spectrum.imag**2
        peak = int(power.argmax())
        left, mid, right = (float(power[(peak + side) % size]) for side in (-1, 0, 1))
        peak -= size if peak >= (size + 1) // 2 else 0
    curve = left - 2 * mid + right
    shift = 0.5 * (left - right) / curve if curve < 0 else 0.0
    return (peak + shift) / size


def _root_magnitude(sequence: np.ndarray) -> np.ndarray:
    """Square root of magnitudes, to divide by: rows full of pilots shall not drown the others."""
    return np.sqrt(np.maximum(np.abs(sequence), np.float32(1e-30)))


class _Products:
    """Y conj(H X) on the known cells of a frame, and their sums over halves of the band."""

    def __init__(self, grid: np.ndarray, channel: np.ndarray, layout: KnownLayout) -> None:
        num, sent, received = layout.numerology, layout.known_cells, layout.select(grid)
        self._numerology, self._geometry = num, layout.geometry
        known = np.conj(channel)
        # Every known cell has unit power: conj(X) as good as 1/X, and |H X|² = |H|².
        self._rows = received.rows * (known * np.conj(sent.rows))
        self._comb = received.comb * (known[num.comb_index, None] * np.conj(sent.comb))
        self._turned = self._rows, self._comb
        half = num.n_used // 2
        power = channel.real**2 + channel.imag**2
        #: Centre of gravity of the upper half of the band minus that of the lower, in carriers.
        self.distance = np.empty(layout.n_symbols)
        self.distance[self._geometry.known_rows] = _distance(power, num.carriers, half)
        comb = num.comb_index
        split = int(np.searchsorted(comb, half))
        self.distance[self._geometry.data_rows] = _distance(power[comb], num.carriers[comb], split)
        self._halves = half, split

    def turn(self, slope: np.ndarray) -> None:
        """Take a slope per symbol (n_symbols,), rad per carrier, off the products as measured."""
        num, geometry = self._numerology, self._geometry
        rows = unit_phasor(np.multiply.outer(-slope[geometry.known_rows], num.carriers))
        comb = unit_phasor(
            np.multiply.outer(num.carriers[num.comb_index], -slope[geometry.data_rows])
        )
        self._turned = self._rows * rows, self._comb * comb

    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums over the lower and the upper half of the band, complex64 (n_symbols,) each."""
        rows, comb = self._turned
        half, split = self._halves
        low = np.empty(len(self.distance), np.complex64)
        high = np.empty_like(low)
        low[self._geometry.known_rows] = rows[:, :half].sum(axis=1)
        high[self._geometry.known_rows] = rows[:, half:].sum(axis=1)
        low[self._geometry.data_rows] = comb[:split].sum(axis=0)
        high[self._geometry.data_rows] = comb[split:].sum(axis=0)
        return low, high


def _distance(power: np.ndarray, carriers: np.ndarray, split: int) -> float:
    """Carriers from the centre of gravity of those before ``split`` to that of the others."""
    low, high = power[:split], power[split:]
    centre = float(carriers[split:] @ high) / max(float(high.sum()), 1e-30)
    return centre - float(carriers[:split] @ low) / max(float(low.sum()), 1e-30)


def _fit_slope(products: _Products, numerology: Numerology) -> tuple[float, float]:
    """Slope over carriers as ``a + b·m`` by weighted least squares, rad and rad per symbol."""
    low, high = products.halves()
    distance = products.distance
    beat = high * np.conj(low)
    root = _root_magnitude(beat)
    beat /= root
    index = np.arange(len(beat))
    # One carrier of mean distance turns by at most this much between symbols.
    limit = MAX_SRO * numerology.symbol_len / numerology.fft_size * float(distance.max())
    turn = 2 * np.pi * dominant_frequency(beat, limit) * index
    level = beat * unit_phasor(-turn)
    mean = complex(level.sum())
    level *= np.complex64(np.conj(mean) / max(abs(mean), 1e-30))
    turn += np.arctan2(level.imag, level.real) + phase(mean)
    slope, trust = turn / distance, np.maximum(root * distance**2, 1e-30)
    total, mean_slope = float(trust.sum()), float(trust @ slope) / float(trust.sum())
    if len(beat) < 3:
        return mean_slope, 0.0
    centre = float(trust @ index) / total
    lever = trust * (index - centre)
    step = float(lever @ slope) / max(float(lever @ index), 1e-12 * total)
    return mean_slope - step * centre, step


@lru_cache(maxsize=16)
def _windows(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends and starts of the moving windows within n items, int64 (n_widths, n) each."""
    half, index = np.array(PHASE_HALF_WINDOWS)[:, None], np.arange(n)
    return np.minimum(index + half + 1, n), np.maximum(index - half, 0)


def _smooth(sequence: np.ndarray) -> np.ndarray:
    """Moving sum whose width is chosen by cross-validation, complex (n,) → complex (n,).

    The best width is the one at which the neighbours of an item, without itself, point
    best where the item points: Σ Re(s conj(u)), u the direction of their sum.
    """
    ends, starts = _windows(len(sequence))
    running = np.zeros(len(sequence) + 1, np.complex128)
    np.cumsum(sequence, out=running[1:])
    totals = running.take(ends) - running.take(starts)  # (n_widths, n)
    others = totals - sequence
    agreement = sequence.real * others.real + sequence.imag * others.imag
    scores = (agreement / np.maximum(np.abs(others), 1e-30)).sum(axis=1)
    return totals[int(scores.argmax())]


def _unwrapped(phase: np.ndarray) -> np.ndarray:
    """Phase without jumps of more than half a turn, rad (n,), as ``numpy.unwrap``."""
    turns = np.zeros(len(phase))
    np.cumsum(np.rint((phase[1:] - phase[:-1]) / (2 * np.pi)), out=turns[1:])
    return phase - 2 * np.pi * turns


def track(grid: np.ndarray, channel: np.ndarray, layout: KnownLayout) -> Track:
    """Measure common phase and slope of every symbol of a frame.

    ``grid`` complex64 (n_symbols, n_used) with the coarse CFO removed;
    ``channel`` complex64 (n_used,) as measured on the long field.
    """
    num = layout.numerology
    products = _Products(grid, channel, layout)
    index = np.arange(layout.n_symbols)
    offset = step = 0.0
    for _ in range(SLOPE_PASSES):
        more = _fit_slope(products, num)
        offset, step = offset + more[0], step + more[1]
        slope = offset + step * index
        products.turn(slope)
        if (abs(more[0]) + abs(more[1]) * len(index)) * num.n_used / 2 < SLOPE_SETTLED:
            break
    low, high = products.halves()
    turned = low + high
    rate = dominant_frequency(turned / _root_magnitude(turned))
    steady = turned * unit_phasor(-2 * np.pi * rate * index)
    residual = _unwrapped(np.angle(_smooth(steady)))
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
