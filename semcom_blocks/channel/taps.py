# SPDX-License-Identifier: GPL-3.0-or-later
"""The tapped delay line."""

import numpy as np


class TappedDelayLine:
    """y[n] = sum_k h[k] x[n - k], in pieces of any length; x is 0 before the first sample.

    A non-finite sample reaches ``K`` outputs and is then forgotten.
    """

    def __init__(self, taps: np.ndarray) -> None:
        self.taps = np.asarray(taps, dtype=np.complex64)
        self._past = np.zeros(self.taps.size - 1, dtype=np.complex64)

    @property
    def memory(self) -> int:
        """Samples that a sample is remembered for, K - 1."""
        return self._past.size

    def replace(self, taps: np.ndarray) -> None:
        """Use other ``taps`` of the same number from the next sample on."""
        self.taps = np.asarray(taps, dtype=np.complex64).reshape(self.taps.shape)

    def process(self, samples: np.ndarray) -> np.ndarray:
        """complex64 (n,) → complex64 (n,)."""
        if not samples.size:
            return samples
        if not self.memory:
            return samples * self.taps[0]
        line = np.concatenate([self._past, samples])
        self._past = line[samples.size :].copy()
        return np.convolve(line, self.taps, mode="valid")
