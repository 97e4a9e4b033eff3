# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure a measured figure is: 95 % confidence intervals for every kind of figure.

A small sample then says so itself, and a limit counts as violated only where the whole
interval lies beyond it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincinv, ndtri, stdtrit

CONFIDENCE = 0.95
Z = float(ndtri((1 + CONFIDENCE) / 2))
_TAIL = (1 - CONFIDENCE) / 2


class Interval(NamedTuple):
    """A figure and the ends of its confidence interval; NaN where nothing was measured."""

    value: float
    low: float
    high: float

    def keys(self, name: str) -> dict[str, float | list[float]]:
        """``{name: value, name_ci: [low, high]}`` for a record."""
        return {name: self.value, f"{name}_ci": [self.low, self.high]}


NOTHING = Interval(float("nan"), float("nan"), float("nan"))


def proportion(hits: int, trials: int) -> Interval:
    """Share of ``trials`` that were ``hits``, with Wilson's interval.

        (p + z²/2n ± z sqrt(p (1 − p)/n + z²/4n²)) / (1 + z²/n)

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22, 1927; good for 0 and n hits too.
    """
    if trials == 0:
        return NOTHING
    share, square = hits / trials, Z * Z / trials
    centre = share + square / 2
    half = Z * np.sqrt(share * (1 - share) / trials + square / (4 * trials))
    low, high = (centre - half) / (1 + square), (centre + half) / (1 + square)
    # Rounding may leave the ends a hair beyond the share where that is 0 or 1.
    return Interval(share, float(min(low, share)), float(max(high, share)))


def events(count: int, exposure: float) -> Interval:
    """Rate ``count / exposure`` of rare events, with the exact Poisson interval (Garwood 1936)."""
    if exposure <= 0:
        return NOTHING
    low = gammaincinv(count, _TAIL) if count else 0.0
    high = gammaincinv(count + 1, 1 - _TAIL)
    return Interval(count / exposure, float(low) / exposure, float(high) / exposure)


def mean(values: ArrayLike) -> Interval:
    """Mean of independent values with Student's interval, the normal one of a large sample."""
    values = np.asarray(values, float)
    if values.size == 0:
        return NOTHING
    value = float(values.mean())
    if values.size == 1:  # alone it tells nothing about its spread
        return Interval(value, -np.inf, np.inf)
    reach = float(stdtrit(values.size - 1, (1 + CONFIDENCE) / 2))
    half = reach * float(values.std(ddof=1)) / np.sqrt(values.size)
    return Interval(value, float(value - half), float(value + half))


def rms(values: ArrayLike) -> Interval:
    """Root mean square; the interval is that of the mean square."""
    square = mean(np.square(np.asarray(values, float)))
    return Interval(*(float(np.sqrt(max(end, 0.0))) if end == end else end for end in square))


def ratio_db(above: ArrayLike, below: ArrayLike) -> Interval:
    """10 log10(Σ above / Σ below) of paired values (n,), by the delta method.

    With a, b the means, log(a/b) has variance Var(x/a − y/b) / n: what the two have in
    common cancels, so a comparison on the same noise is far sharper than the two alone.
    """
    above, below = np.asarray(above, float), np.asarray(below, float)
    if above.size == 0 or not (above.sum() > 0 and below.sum() > 0):
        return NOTHING
    return in_db(mean(above / above.mean() - below / below.mean()), above.mean() / below.mean())


def in_db(deviation: Interval, ratio: float) -> Interval:
    """A ratio in dB whose logarithm (base e) deviates as ``deviation`` says."""
    scale = 10 / np.log(10)
    value = float(10 * np.log10(ratio))
    low, high = (float(value + scale * end) for end in deviation[1:])
    return Interval(value, low, high)


def shifted(interval: Interval, by: float) -> Interval:
    """The interval moved by a known amount."""
    return Interval(*(end + by for end in interval))
