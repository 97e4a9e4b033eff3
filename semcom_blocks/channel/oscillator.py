# SPDX-License-Identifier: GPL-3.0-or-later
"""The two oscillators: carrier frequency offset and phase noise."""

import numpy as np


class Oscillator:
    """y[n] = x[n] exp(j (2 pi cfo_hz n / sample_rate_hz + theta[n])).

    theta is a Wiener process that starts at 0: its steps are independent, Gaussian, of
    variance ``2 pi linewidth_hz / sample_rate_hz``, which makes the spectrum of the
    carrier a Lorentzian of 3 dB width ``linewidth_hz``.

    The sample count n is exact, so the offset does not drift over hours.

    Source: T. Pollet, M. Van Bladel, M. Moeneclaey, "BER sensitivity of OFDM systems to
    carrier frequency offset and Wiener phase noise", IEEE Trans. Commun. 43, 1995.
    """

    def __init__(
        self, cfo_hz: float, linewidth_hz: float, sample_rate_hz: float, rng: np.random.Generator
    ) -> None:
        self._turns_per_sample = cfo_hz / sample_rate_hz
        # in turns, like everything here
        self._step = np.sqrt(2 * np.pi * linewidth_hz / sample_rate_hz) / (2 * np.pi)
        self._rng = rng
        self._count = 0
        self._theta = 0.0

    def process(self, samples: np.ndarray) -> np.ndarray:
        """complex64 (n,) → complex64 (n,)."""
        turns = np.arange(self._count, self._count + samples.size) * self._turns_per_sample
        self._count += samples.size
        if self._step:
            turns += self._walk(samples.size)
        # Whole turns go in float64; what is left fits float32, whose sine is the fast one.
        turns -= np.rint(turns)
        angle = (2 * np.pi * turns).astype(np.float32)
        rotation = np.empty(samples.size, dtype=np.complex64)
        np.cos(angle, out=rotation.real)
        np.sin(angle, out=rotation.imag)
        return samples * rotation

    def _walk(self, count: int) -> np.ndarray:
        """theta of the next ``count`` samples, in turns.

        The sum starts from the carried value rather than being shifted by it, so that
        every cut of the stream adds in the same order.
        """
        path = np.empty(count + 1)
        path[0] = self._theta
        path[1:] = self._step * self._rng.standard_normal(count)
        np.cumsum(path, out=path)
        self._theta = float(path[-1])
        return path[:-1]
