# SPDX-License-Identifier: GPL-3.0-or-later
"""Gains of the taps of a path, as functions of air time."""

from __future__ import annotations

import math

import numpy as np

from semcom_blocks.air.config import PathConfig

# Waves that make up one tap; the envelope of sixteen is Rayleigh to within a per cent.
WAVES = 16
# Gains are computed this often in a Doppler period and joined by straight lines, right to -78 dB.
_POINTS_PER_PERIOD = 200


class TapGains:
    """Tap l at time t has the gain c_l g_l(t).

    fading "none"   g_l = 1
    coherence_s     g_l ~ CN(0, 1), drawn for each stretch of that length
    doppler_hz      g_l(t) = sum_i exp(j (2 pi f_D cos(theta_i) t + phi_i)) / sqrt(WAVES),
                    of Clarke's spectrum, E[g*(t) g(t + d)] = J0(2 pi f_D d)
    neither         g_l ~ CN(0, 1), drawn once

    A function of time and not a process: every part of a block may be asked for again.

    Source: R. H. Clarke, "A statistical theory of mobile-radio reception", Bell Syst.
    Tech. J. 47, 1968.
    """

    def __init__(self, config: PathConfig, rng: np.random.Generator) -> None:
        self.taps = np.array([complex(re, im) for re, im in config.taps])
        self._coherence_s = config.coherence_s
        self._doppler_hz = config.doppler_hz
        self.steady = config.fading == "none" or not (config.coherence_s or config.doppler_hz)
        if config.fading == "rayleigh" and self.steady:
            self.taps = self.taps * _normal(rng, self.taps.size)
        self._seed = int(rng.integers(2**63))
        # Angles evenly spread around a random start: their sum has no strong wave by chance.
        spread = np.arange(WAVES) + rng.random((self.taps.size, 1))
        self._speeds_hz = self._doppler_hz * np.cos(2 * np.pi / WAVES * spread)
        self._turns = rng.random((self.taps.size, WAVES))

    def at(self, start_s: float, rate_hz: float, n: int) -> np.ndarray:
        """complex64 (taps, 1) where steady, else (taps, n), at n samples from ``start_s`` on."""
        if self.steady:
            return self.taps.astype(np.complex64)[:, None]
        if self._coherence_s:
            return self._drawn(start_s, rate_hz, n)
        return self._waves(start_s, rate_hz, n)

    def _drawn(self, start_s: float, rate_hz: float, n: int) -> np.ndarray:
        first = math.floor(start_s / self._coherence_s)
        times = start_s + np.arange(n) / rate_hz
        block = np.floor(times / self._coherence_s).astype(np.int64) - first
        block = np.clip(block, 0, None)
        taps = self.taps.size
        draws = [
            # Delayed samples may stem from before time 0; a seed must not be negative.
            self.taps * _normal(np.random.default_rng([self._seed, (first + i) % 2**62]), taps)
            for i in range(int(block[-1]) + 1)
        ]
        return np.array(draws, dtype=np.complex64).T[:, block]

    def _waves(self, start_s: float, rate_hz: float, n: int) -> np.ndarray:
        stride = max(1, min(n, int(rate_hz / (self._doppler_hz * _POINTS_PER_PERIOD))))
        points = np.arange(0, n + stride, stride)
        turns = self._speeds_hz[:, :, None] * (start_s + points / rate_hz)  # (taps, WAVES, points)
        turns += self._turns[:, :, None]
        coarse = np.exp(2j * np.pi * (turns % 1.0)).sum(axis=1) / math.sqrt(WAVES)
        coarse *= self.taps[:, None]
        index = np.arange(n)
        gains = np.empty((self.taps.size, n), dtype=np.complex64)
        for gain, points_of in zip(gains, coarse, strict=True):
            gain.real = np.interp(index, points, points_of.real)
            gain.imag = np.interp(index, points, points_of.imag)
        return gains


def _normal(rng: np.random.Generator, n: int) -> np.ndarray:
    """CN(0, 1): complex128 (n,)."""
    return rng.standard_normal((n, 2)).view(np.complex128)[:, 0] * math.sqrt(0.5)
