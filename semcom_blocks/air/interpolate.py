# SPDX-License-Identifier: GPL-3.0-or-later
"""A signal at other instants than those of its samples: any ratio of rates, any delay, fast.

    y[m] = sum_k x[k] h(p + a m - k),   h(u) = 2 c sinc(2 c u) kaiser(u / half)

Outputs are made in rows of L.  All outputs of a row together are one vector of W inputs
times a matrix of W x L values of h, which depends on the fraction mu of the row's
first position only:

    T(mu)[w, j] = h(mu + a j + guard - w)

Rows with nearly the same mu stand in one matrix product, with T at the nearest of
NODES + 1 tabled fractions beside its first two derivatives by mu; parabolas through
neighbouring nodes are right to -77 dB.  Clocks that differ by ppm visit few nodes in a block.

Source: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window
function", Proc. IEEE ISCAS 1974.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

STOPBAND_DB = 75.0
#: Of the lower of both rates: flat up to 0.4, closed from 0.6 on, whose image lies at 0.4.
TRANSITION = 0.2
NODES = 20
# Rows shorter than this waste work on their ends, longer ones on the matrix' empty corners.
_ROW = 32
_ROWS = range(24, 49)


class Interpolator:
    """Input positions advance by ``ratio`` an output; ``cutoff`` and ``transition`` in
    cycles per input sample, half the pass band of the low-pass and the width of its edge."""

    def __init__(self, ratio: float, cutoff: float, transition: float) -> None:
        self.ratio = ratio
        self._cutoff = cutoff
        self._beta = 0.1102 * (STOPBAND_DB - 8.7)
        self._half = (STOPBAND_DB - 7.95) / (14.36 * transition) / 2
        #: Inputs needed before the first and after the last position.
        self.guard = math.ceil(self._half) + 2
        self._row = _row_length(ratio)
        self._window = 2 * self.guard + math.ceil(ratio * (self._row - 1)) + 2
        self._matrices: dict[int, np.ndarray] = {}

    def span(self, n: int) -> int:
        """Inputs that :meth:`process` reads for ``n`` outputs."""
        return 2 * self.guard + math.ceil(self.ratio * (n - 1)) + 2

    def process(self, samples: np.ndarray, fraction: float, n: int) -> np.ndarray:
        """complex64 (span(n),) → complex64 (n,), a fresh array.

        Output 0 lies ``fraction`` in [0, 1) after sample ``guard``.
        """
        rows = -(-n // self._row)
        position = fraction + (self.ratio * self._row) * np.arange(rows)
        start = position.astype(np.int64)
        position -= start
        position *= NODES
        node = np.rint(position).astype(np.int64)
        position -= node
        order = np.argsort(node, kind="stable")
        node = node[order]
        windows = self._windows(samples, start[order])
        edges = [0, *(np.flatnonzero(np.diff(node)) + 1).tolist(), rows]
        weight = position[order].astype(np.float32)[:, None]
        product = np.empty((2, rows, 3 * self._row), dtype=np.float32)
        for low, high in itertools.pairwise(edges):
            # (I and Q, rows, W) times (W, 3 L)
            matrix = self._matrix(int(node[low]))
            np.matmul(windows[:, low:high], matrix, out=product[:, low:high])
        value, slope, bend = np.split(product, 3, axis=2)
        found = bend * weight
        found += slope
        found *= weight
        found += value
        out = np.empty((rows, self._row), dtype=np.complex64)
        out.real[order], out.imag[order] = found
        return out.reshape(-1)[:n]

    def _windows(self, samples: np.ndarray, start: np.ndarray) -> np.ndarray:
        """The W inputs of each row, I and Q apart: float32 (2, rows, W)."""
        # The last row's outputs beyond the n-th are computed from zeros, and cut off.
        length = max(samples.size, int(start.max()) + self._window)
        planes = np.zeros((2, length), dtype=np.float32)
        planes[0, : samples.size] = samples.real
        planes[1, : samples.size] = samples.imag
        # Every window there is, as a view; sliding_window_view takes ten times as long to say so.
        shape, step = (2, length - self._window + 1, self._window), planes.itemsize
        every = np.ndarray(shape, np.float32, planes, 0, (length * step, step, step))
        return every[:, start]

    def _matrix(self, node: int) -> np.ndarray:
        """T, T' and T''/2 (by mu in steps of 1 / NODES) side by side: float32 (W, 3 L)."""
        if node not in self._matrices:
            before, here, after = (self._responses(node + step) for step in (-1, 0, 1))
            parts = (here, (after - before) / 2, (after + before) / 2 - here)
            self._matrices[node] = np.concatenate(parts, axis=1).astype(np.float32)
        return self._matrices[node]

    def _responses(self, node: int) -> np.ndarray:
        """h for row's fraction node / NODES: float64 (W, L)."""
        outputs = node / NODES + self.ratio * np.arange(self._row) + self.guard
        u = outputs - np.arange(self._window)[:, None]
        inside = np.clip(1 - (u / self._half) ** 2, 0, None)
        window = np.i0(self._beta * np.sqrt(inside)) / np.i0(self._beta)
        window[inside == 0] = 0
        return 2 * self._cutoff * np.sinc(2 * self._cutoff * u) * window


@functools.lru_cache(maxsize=32)
def interpolator(ratio: float, cutoff: float, transition: float) -> Interpolator:
    """One with these parameters; its matrices are kept over changes of carrier and back."""
    return Interpolator(ratio, cutoff, transition)


def _row_length(ratio: float) -> int:
    """A row after which the fraction comes back as near as can be, so that rows go together."""

    def drift(length: int) -> tuple[int, int]:
        advance = ratio * length
        return round(abs(advance - round(advance)) * 256), abs(length - _ROW)

    return min(_ROWS, key=drift)
