# SPDX-License-Identifier: GPL-3.0-or-later
"""Means over pictures with their intervals, whether they fall, and tables that do.

Intervals are 95 % of a bootstrap over the pictures. A measured mean may rise by chance where a
higher error rate is no worse; a rise is called one only if the interval of the paired differences
(the same pictures at both rates) is above 0, for all rates together (Bonferroni). Tables for
planning are the falling curve nearest to the means in the sense of least squares (isotonic
regression).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from host.allocation.quality import QualityTable
from semcom_blocks.errors import ConfigError

RESAMPLES = 2000
MIN_PICTURES = 8  # of fewer a bootstrap knows nothing
CHANCE = 5.0  # per cent outside an interval
Values = NDArray[np.float64]  # (pictures, rates), nan where there is nothing to score


def resampled(values: Values, seed: int) -> Values:
    """Means (RESAMPLES, rates) over pictures drawn with replacement."""
    number = len(values)
    weights = np.random.default_rng(seed).multinomial(
        number, np.full(number, 1 / number), RESAMPLES
    )
    there = np.isfinite(values)
    counts = weights @ there.astype(float)
    with np.errstate(invalid="ignore"):
        return np.where(counts > 0, weights @ np.where(there, values, 0.0) / counts, np.nan)


def means(values: Values) -> NDArray[np.float64]:
    """Mean over the pictures that have a value, nan where none has."""
    there = np.isfinite(values)
    counts = there.sum(0)
    return np.where(counts, np.where(there, values, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def summary(values: Values, seed: int, reference: int = 0) -> list[dict[str, Any]]:
    """For each rate: mean, its interval, and both over the mean at rate ``reference``."""
    mean, boot = means(values), resampled(values, seed)
    base, base_boot = mean[reference], boot[:, reference]
    found = []
    for i, value in enumerate(mean):
        row = {"mean": value, "ci": interval(boot[:, i])}
        if base > 0 and np.all(base_boot > 0):
            row |= {"norm": value / base, "norm_ci": interval(boot[:, i] / base_boot)}
        found.append(row)
    return found


def interval(samples: NDArray[np.float64], chance: float = CHANCE) -> list[float]:
    """What holds all but ``chance`` per cent of the samples, half of that on each side."""
    if not np.isfinite(samples).any():
        return [float("nan")] * 2
    return [float(x) for x in np.nanpercentile(samples, (chance / 2, 100 - chance / 2))]


def rises(values: Values, bers: tuple[float, ...], seed: int) -> list[dict[str, Any]] | None:
    """Rates at which the mean is above the lowest before it, outside the interval of the pairs.

    None where fewer than MIN_PICTURES have a value.
    """
    if np.isfinite(values).any(1).sum() < MIN_PICTURES:
        return None
    mean, boot = means(values), resampled(values, seed)
    found = []
    for i in range(1, len(bers)):
        lowest = int(np.argmin(mean[:i]))
        low, high = interval(boot[:, i] - boot[:, lowest], CHANCE / (len(bers) - 1))
        if low > 1e-9:
            by = float(mean[i] - mean[lowest])
            found.append({"from_ber": bers[lowest], "to_ber": bers[i], "by": by, "ci": [low, high]})
    return found


def falling(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The falling curve nearest to ``mean``."""
    return isotonic_regression(mean, increasing=False).x


def reaches(bers: NDArray[np.float64], curve: NDArray[np.float64], level: float) -> float | None:
    """The highest rate up to which a falling curve is at least ``level``; None if nowhere.

    Between the rates linear in log BER; the rate 0 stands a decade below the next one.
    """
    if curve[0] < level:
        return None
    x = np.log(np.where(bers > 0, bers, bers[bers > 0].min() / 10))
    below = np.flatnonzero(curve < level)
    if not len(below):
        return float(bers[-1])
    i = int(below[0])
    share = (curve[i - 1] - level) / (curve[i - 1] - curve[i])
    return float(np.exp(x[i - 1] + share * (x[i] - x[i - 1])))


def quality_table(
    result: dict[str, Any], metric: str = "likeness", which: str = "scenes"
) -> QualityTable:
    """What ``measure`` found of ``metric``, over its value at BER 0, for a planner.

    Raises :class:`ConfigError` for a set or a metric that was not measured.
    """
    tables = result["tables"].get(which)
    if tables is None:
        raise ConfigError(f"set is {which!a}, permitted: {', '.join(result['tables'])}")
    if metric not in tables["quality"]:
        raise ConfigError(f"metric is {metric!a}, permitted: {', '.join(tables['quality'])}")
    values = tables["quality"][metric]
    return QualityTable(metric, tuple(tables["ber"]), tuple(values), tolerance=1e-9)
