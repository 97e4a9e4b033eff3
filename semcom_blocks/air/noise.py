# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussian noise for many megasamples a second, where it would else be half of the work."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

# Quantiles that one 16-bit draw picks from; a table that stays in the cache.
_LEVELS = 1 << 16


def _quantiles() -> np.ndarray:
    """Medians of equally likely stretches of N(0, 1), brought to variance 1/2: float32."""
    table = ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS)
    return (table * np.sqrt(0.5 / np.mean(table**2))).astype(np.float32)


_TABLE = _quantiles()


class NoiseSource:
    """Real N(0, 1), more than twice as fast as ``Generator.standard_normal``.

    Each value is the sum of two tabled ones: tails are 2 % short beyond 4 deviations, 6 %
    beyond 4.5, and end at 5.9.  How the stream is cut into calls makes no difference.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def draw(self, n: int) -> np.ndarray:
        """float32 (n,), fresh; ``n`` is even, as for I and Q."""
        picks = self._rng.integers(0, _LEVELS, 2 * n, dtype=np.uint16)
        values = _TABLE.take(picks, mode="clip")  # in range by its type: no check
        return values[0::2] + values[1::2]
