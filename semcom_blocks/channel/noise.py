# SPDX-License-Identifier: GPL-3.0-or-later
"""White Gaussian noise."""

import numpy as np


class WhiteNoise:
    """y[n] = x[n] + w[n],  w ~ CN(0, variance): half the variance in each real dimension."""

    def __init__(self, variance: float, rng: np.random.Generator) -> None:
        self._deviation = np.float32(np.sqrt(variance / 2))
        self._rng = rng

    def process(self, samples: np.ndarray) -> np.ndarray:
        """complex64 (n,) → complex64 (n,)."""
        # Two draws a sample, in the order of the samples: the cut does not matter.
        noise = self._rng.standard_normal(2 * samples.size, dtype=np.float32)
        noise *= self._deviation
        noise += samples.view(np.float32)
        return noise.view(np.complex64)
