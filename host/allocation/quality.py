# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic quality over bit error rate: monotone, as a function or a measured table, and inverted.

Lemma 1 needs the largest BER that still meets a target: BER = min_j Φ_j⁻¹(ε_j), with the
generalised inverse sup{BER: Φ(BER) ≥ ε}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from host.allocation.streams import BER_RANGE
from semcom_blocks.errors import ConfigError, require_range

#: A measured curve may rise by this much between neighbours: the noise of an average.
DEFAULT_TOLERANCE = 0.0
_GRID = 2001  # points of log BER on which a function is inverted; refined by interpolation


@dataclass(frozen=True)
class QualityTable:
    """Measured quality at rising bit error rates; between them linear in log BER.

    ``ber`` (n,) rising, ``quality`` (n,) falling.  Where it rises it is refused, by place; rises of
    up to ``tolerance``, which averages over few pictures have, are flattened.
    """

    name: str
    ber: tuple[float, ...]
    quality: tuple[float, ...]
    tolerance: float = DEFAULT_TOLERANCE

    def __post_init__(self) -> None:
        ber, quality = np.asarray(self.ber, float), np.asarray(self.quality, float)
        if len(ber) < 2 or len(ber) != len(quality):
            raise ConfigError(f"{self.name} has {len(ber)} BERs and {len(quality)} qualities")
        if not (np.all(np.isfinite(quality)) and np.all(np.diff(ber) > 0) and ber[0] > 0):
            raise ConfigError(f"{self.name}: BERs must be above 0 and rising, qualities finite")
        require_range("tolerance", self.tolerance, 0, 1)
        rises = np.flatnonzero(quality[1:] > np.minimum.accumulate(quality)[:-1] + self.tolerance)
        if len(rises):
            at = int(rises[0])
            raise ConfigError(
                f"{self.name} rises from {quality[at]:g} at BER {ber[at]:g} to {quality[at + 1]:g} "
                f"at BER {ber[at + 1]:g}, permitted: falling"
            )

    def __call__(self, ber: ArrayLike) -> NDArray[np.float64]:
        """Quality at ``ber``; beyond the table its ends."""
        falling = np.minimum.accumulate(np.asarray(self.quality, float))
        return np.interp(np.log(np.maximum(ber, 1e-300)), np.log(self.ber), falling)

    def limit(self, target: float) -> float:
        """The largest BER of the table with at least ``target``.

        Raises :class:`ConfigError` naming the best that the table holds.
        """
        falling = np.minimum.accumulate(np.asarray(self.quality, float))
        if target > falling[0]:
            raise ConfigError(
                f"{self.name} target is {target:g}, permitted: up to {falling[0]:g}, "
                f"its value at BER {self.ber[0]:g}"
            )
        if target <= falling[-1]:
            return float(self.ber[-1])
        after = int(np.argmax(falling < target))
        high, low = falling[after - 1], falling[after]
        share = (high - target) / (high - low)
        x = np.log(self.ber)
        return float(np.exp(x[after - 1] + share * (x[after] - x[after - 1])))


def table_of(
    name: str, function: Callable[[NDArray[np.float64]], ArrayLike], **options: float
) -> QualityTable:
    """A monotone function of BER as a table on a fine grid."""
    ber = np.geomspace(*BER_RANGE, _GRID)
    return QualityTable(name, tuple(ber), tuple(np.asarray(function(ber), float)), **options)


def ber_limit(metrics: Sequence[QualityTable], targets: Sequence[float]) -> float:
    """min_j Φ_j⁻¹(ε_j): the BER at which every metric still meets its target."""
    if len(metrics) != len(targets) or not metrics:
        raise ConfigError(f"{len(targets)} targets for {len(metrics)} metrics, permitted: one each")
    return min(metric.limit(target) for metric, target in zip(metrics, targets, strict=True))
