# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling rate offset: the receiver's clock is not the transmitter's."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# 32 taps leave 80 dB between a band of 52 of 64 carriers and its image, which
# starts 12 carriers above it.
TAPS = 32
STOPBAND_DB = 80.0
# Between 256 tabled delays the impulse response is straight to -90 dB.
PHASES = 256
# Outputs computed at once: their 32-sample windows (1 MiB) stay in the cache.
_BLOCK = 4096


def _tabled_filter() -> tuple[np.ndarray, np.ndarray]:
    """Kaiser-windowed sinc at each delay p / PHASES, and the step to the next one.

    h_p[k] = sinc(u) w(u),  u = k - (TAPS / 2 - 1) - p / PHASES,  float32 (PHASES, TAPS) each.

    Source: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window
    function", Proc. IEEE ISCAS 1974.
    """
    beta = 0.1102 * (STOPBAND_DB - 8.7)
    delays = np.arange(PHASES + 1)[:, None] / PHASES
    u = np.arange(TAPS) - (TAPS // 2 - 1) - delays
    inside = np.clip(1 - (u / (TAPS / 2)) ** 2, 0, None)
    table = np.sinc(u) * np.i0(beta * np.sqrt(inside)) / np.i0(beta)
    return table[:-1].astype(np.float32), np.diff(table, axis=0).astype(np.float32)


_FILTER, _STEP = _tabled_filter()


class Resampler:
    """y[m] = x(m / (1 + sro)): the input signal at the receiver's sampling times.

    A positive ``sro_ppm`` is a receiver that samples faster: n inputs give about
    n (1 + 1e-6 sro_ppm) outputs, and a tone at f appears at f / (1 + 1e-6 sro_ppm).
    There is no delay, y[0] = x(0); instead the last ``TAPS / 2`` inputs wait for their
    successors.  Signals within 0.406 of the sampling rate (52 of 64 carriers) come out
    with an error below -80 dB.  A non-finite sample reaches TAPS outputs.

    Output times are computed from the sample count and not accumulated, so they do not
    drift and do not depend on how the stream is cut.
    """

    memory = TAPS // 2

    def __init__(self, sro_ppm: float) -> None:
        # Output m lies m - m * lag after the start, in input samples.
        self._lag = sro_ppm * 1e-6 / (1 + sro_ppm * 1e-6)
        self._next = 0  # index of the next output
        self._held = np.zeros(TAPS // 2 - 1, dtype=np.complex64)
        self._first = 1 - TAPS // 2  # index of _held[0] in the input

    def process(self, samples: np.ndarray) -> np.ndarray:
        """complex64 (n,) → complex64 (about n,): all outputs whose neighbours are there."""
        self._held = np.concatenate([self._held, samples])
        # Output between inputs i and i + 1 needs inputs up to i + TAPS / 2.
        last = self._first + self._held.size - 1 - TAPS // 2
        candidates = np.arange(self._next, int((last + 2) / (1 - self._lag)) + 2)
        index, fraction = self._times(candidates)
        ready = int(np.searchsorted(index, last, side="right"))
        out = np.empty(ready, dtype=np.complex64)
        if ready:
            windows = sliding_window_view(self._held, TAPS)
            start = index[:ready] - (TAPS // 2 - 1) - self._first
            for low in range(0, ready, _BLOCK):
                block = slice(low, min(low + _BLOCK, ready))
                # (block, TAPS) x (block, TAPS) → (block,)
                out[block] = np.einsum(
                    "mk,mk->m", windows[start[block]], self._coefficients(fraction[block])
                )
        self._next += ready
        following, _ = self._times(np.array([self._next]))
        unused = int(following[0]) - (TAPS // 2 - 1) - self._first
        self._held = self._held[unused:].copy()
        self._first += unused
        return out

    def _times(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Input time of each output: whole part (int64) and fraction in [0, 1) (float64)."""
        behind = outputs * self._lag
        whole = np.ceil(behind)
        return outputs - whole.astype(np.int64), whole - behind

    @staticmethod
    def _coefficients(fraction: np.ndarray) -> np.ndarray:
        """Impulse response at each delay, between two tabled ones: float32 (m, TAPS)."""
        position = fraction * PHASES
        phase = position.astype(np.int64)
        between = (position - phase).astype(np.float32)
        return _FILTER[phase] + between[:, None] * _STEP[phase]
