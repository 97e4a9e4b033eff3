# SPDX-License-Identifier: GPL-3.0-or-later
"""Constants of a packet-error law by maximum likelihood, and how sure they are.

Of n packets at (L, γ) e are lost, e ~ Bin(n, PER).  The covariance of the constants is the
inverse of the Fisher information

    I = Σ n / (PER·(1 − PER)) · ∇PER·∇PERᵀ

times the dispersion φ = χ²/(N − p) where that is above 1: a law that does not fit exactly says so
by wider bands (McCullagh, Nelder, "Generalized Linear Models", 1989, 4.5 and 9.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from host.allocation.packet_errors import PacketErrors, error_rate
from host.bench.link.intervals import Z

Array = NDArray[np.float64]

#: Kept away from 0 and 1, whose logarithms a likelihood cannot take.
_EDGE = 1e-12
_STEP = 1e-5  # of the numerical gradient, relative
#: Lost and kept packets that are expected at a point that counts for χ².
COUNT_MIN = 5.0


@dataclass(frozen=True)
class Counts:
    """``lost`` of ``packets`` at each point: code bits ``length`` and linear ``snr``, all (N,)."""

    length: Array
    snr: Array
    packets: Array
    lost: Array

    def telling(self, rate: Array) -> NDArray[np.bool_]:
        """Points at which enough losses and enough arrivals are expected."""
        lost = self.packets * rate
        return (lost >= COUNT_MIN) & (self.packets - lost >= COUNT_MIN)


@dataclass(frozen=True)
class Fit:
    """The ``law``, its constants' ``covariance`` (φ in it), φ itself, at how many points."""

    law: PacketErrors
    covariance: Array
    dispersion: float
    points: int

    def reach(self) -> Array:
        """Half the 95 % confidence interval of each constant."""
        return Z * np.sqrt(np.diag(self.covariance))

    def band(self, counts: Counts) -> Array:
        """95 % band (2, N) of the share lost that ``counts.packets`` new packets will show.

        The constants' uncertainty and the draw of the packets, both without φ: a law that does
        not fit must not get points into its band by being wrong.
        """
        rate = _rate(self.law, counts)
        slope = _slopes(type(self.law), self.law.constants, counts)
        of_fit = np.einsum("pn,pq,qn->n", slope, self.covariance / self.dispersion, slope)
        of_draw = rate * (1 - rate) / counts.packets
        half = Z * np.sqrt(of_fit + of_draw)
        return np.clip([rate - half, rate + half], 0, 1)

    def inside(self, counts: Counts) -> NDArray[np.bool_]:
        """Which measured points lie in the band."""
        share = counts.lost / counts.packets
        low, high = self.band(counts)
        return (share >= low) & (share <= high)


def fit(kind: Callable[..., PacketErrors], start: tuple[float, ...], counts: Counts) -> Fit:
    """The most likely ``kind(*constants)``, looked for from ``start``."""

    def unlikely(constants: Array) -> float:
        try:
            rate = _rate(kind(*constants), counts)
        except ValueError:  # constants that the law refuses
            return np.inf
        kept = counts.packets - counts.lost
        return -float(np.sum(counts.lost * np.log(rate) + kept * np.log1p(-rate)))

    found = minimize(unlikely, start, method="Nelder-Mead", options=_OPTIONS).x
    law = kind(*(float(value) for value in found))
    rate = _rate(law, counts)
    variance = counts.packets * rate * (1 - rate)
    telling = counts.telling(rate)
    chi_square = np.sum((counts.lost - counts.packets * rate)[telling] ** 2 / variance[telling])
    free = max(int(telling.sum()) - len(start), 1)
    dispersion = max(float(chi_square) / free, 1.0)
    slope = _slopes(kind, law.constants, counts)
    information = (slope * counts.packets / (rate * (1 - rate))) @ slope.T
    return Fit(law, dispersion * np.linalg.inv(information), dispersion, int(telling.sum()))


_OPTIONS = {"xatol": 1e-9, "fatol": 1e-9, "maxiter": 20_000, "maxfev": 20_000}


def _rate(law: PacketErrors, counts: Counts) -> Array:
    return np.clip(error_rate(law, counts.length, counts.snr), _EDGE, 1 - _EDGE)


def _slopes(
    kind: Callable[..., PacketErrors], constants: tuple[float, ...], counts: Counts
) -> Array:
    """∂PER/∂constant, (p, N), by central differences."""
    rows = []
    for i, value in enumerate(constants):
        step = _STEP * max(abs(value), 1.0)
        up, down = (
            _rate(kind(*constants[:i], value + sign * step, *constants[i + 1 :]), counts)
            for sign in (1, -1)
        )
        rows.append((up - down) / (2 * step))
    return np.array(rows)
