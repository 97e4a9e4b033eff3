# SPDX-License-Identifier: GPL-3.0-or-later
"""Realisations of the impulse response: block fading."""

import numpy as np

from semcom_blocks.channel.config import ChannelConfig
from semcom_blocks.channel.profile import exponential_profile


class BlockFading:
    """Draws one impulse response after the other.

    "awgn"       h = [1]
    "rayleigh"   h = [h0],  h0 ~ CN(0, 1), so |h0|² is exponential with mean 1
    "multipath"  h[k] ~ CN(0, p[k]), independent, p the exponential profile with sum 1; the
                 carriers are correlated, E[H(f) H*(f + d)] = sum_k p[k] exp(2j pi d k / fs)

    With ``hold_power`` each realisation is divided by its norm, so that sum |h|² = 1.
    """

    def __init__(self, config: ChannelConfig, rng: np.random.Generator) -> None:
        self._rng = rng
        self._hold_power = config.hold_power
        self._fades = config.model != "awgn"
        self.profile = np.ones(1)
        if config.model == "multipath":
            self.profile = exponential_profile(config.delay_spread_s, config.sample_rate_hz)

    def draw(self) -> np.ndarray:
        """Return the next impulse response: complex64, shape (K,)."""
        if not self._fades:
            return np.ones(1, dtype=np.complex64)
        # 2 numbers a tap: real and imaginary part, each of half the power
        parts = self._rng.standard_normal((self.profile.size, 2)) * np.sqrt(0.5)
        taps = parts.view(np.complex128)[:, 0] * np.sqrt(self.profile)
        if self._hold_power:
            taps /= np.linalg.norm(taps)
        return taps.astype(np.complex64)
