# SPDX-License-Identifier: GPL-3.0-or-later
"""The digital chain over a channel: expected quality for every modulation and code rate.

A picture that arrives is as good as its file; one that does not is grey. So with the error
probability p of :class:`host.baseline.bler.BlerTable`

    expected quality = (1 - p)·quality of the file + p·quality of grey

which needs no random numbers. Per SNR the *best* (M, R) is that of highest mean PSNR over all
pictures among those whose mean p is at most ``BLER_LIMIT``; where none is, the most robust one. In
fading that rule can cost the digital chain more than it gains, so the same without it is there too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host.baseline.bler import BlerTable
from host.baseline.effective import Fading
from host.baseline.mcs import Mcs, lay
from host.baseline.source import Ladder, grey

BLER_LIMIT = 0.1  # of a picture: a transport block is lost with any of its code words
Score = Callable[[NDArray, NDArray], tuple[float, float]]  # (sent, shown) → PSNR in dB, MS-SSIM


@dataclass(frozen=True)
class Files:
    """Scores of one format on pictures of one rate: ``arrived`` (pictures, mcs, 2), ``lost``
    (pictures, 2), each PSNR in dB and MS-SSIM; ``symbols`` (pictures,)."""

    sweep: tuple[Mcs, ...]
    symbols: tuple[int, ...]
    arrived: NDArray[np.float64]
    lost: NDArray[np.float64]


def files(ladders: list[Ladder], symbols: list[int], sweep: tuple[Mcs, ...], score: Score) -> Files:
    """Fit every picture into its ``symbols`` with each of ``sweep``."""
    lost = np.array([score(one.picture, grey(one.picture)) for one in ladders])
    arrived = np.repeat(lost[:, None], len(sweep), axis=1)
    for index, (ladder, count) in enumerate(zip(ladders, symbols, strict=True)):
        for at, mcs in enumerate(sweep):
            coded = ladder.fit(lay(mcs, count).payload_bits)
            if coded is not None:
                arrived[index, at] = score(ladder.picture, coded.decode())
    return Files(sweep, tuple(symbols), arrived, lost)


@dataclass(frozen=True)
class Point:
    """Means over all pictures at one SNR."""

    mcs: Mcs
    bler: float
    psnr_db: float
    ms_ssim: float


class Chain:
    """``found`` files over a channel whose ``fading`` is known."""

    def __init__(self, found: Files, table: BlerTable, fading: Fading) -> None:
        self._files, self._table, self._fading = found, table, fading

    def at(self, snr_db: float) -> list[Point]:
        """Every (M, R) of the sweep."""
        files = self._files
        sizes, which = np.unique(files.symbols, return_inverse=True)
        points = []
        for index, mcs in enumerate(files.sweep):
            chance = [
                self._table.picture_error(mcs, int(size), snr_db, self._fading) for size in sizes
            ]
            p = np.array(chance)[which][:, None]
            quality = ((1 - p) * files.arrived[:, index] + p * files.lost).mean(0)
            points.append(Point(mcs, float(p.mean()), *map(float, quality)))
        return points


def best(points: list[Point], limit: float = BLER_LIMIT) -> Point:
    """Of all (M, R) at one SNR the best with a BLER of at most ``limit``."""
    allowed = [point for point in points if point.bler <= limit]
    if allowed:
        return max(allowed, key=lambda point: point.psnr_db)
    return min(points, key=lambda point: point.bler)


def crossings(at: NDArray, difference: NDArray) -> list[float]:
    """Where ``difference`` over ``at`` changes sign, by linear interpolation."""
    found = []
    for left in range(len(at) - 1):
        a, b = difference[left], difference[left + 1]
        if (a < 0) != (b < 0):
            found.append(float(at[left] + (at[left + 1] - at[left]) * a / (a - b)))
    return found
