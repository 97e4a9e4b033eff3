# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between the antennas: named channels and their realisations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from semcom_blocks.channel.profile import exponential_profile
from semcom_blocks.errors import require_choice
from semcom_blocks.phy.numerology import Numerology

#: Mean tap powers of the three-tap Rayleigh channel, a sample apart.
THREE_TAPS = (0.6, 0.3, 0.1)
#: RMS delay spread of the exponential profiles, in samples at the numerology's rate.
SPREADS = {
    "exponential-0.5": 0.5,
    "exponential-1": 1.0,
    "exponential-2": 2.0,
    "exponential-4": 4.0,
}
CHANNELS = ("awgn", "rayleigh-3-tap", *SPREADS)
#: Samples of silence that a path needs behind a signal: a band-limited delay rings.
MARGIN = 64


@dataclass(frozen=True)
class Path:
    """One realisation: ``taps`` complex64 (k,) a sample apart, the first at ``delay`` samples.

    A receiver's clock does not strike where the transmitter's does, so the delay is a
    part of a sample.
    """

    taps: np.ndarray
    delay: float

    def response(self, numerology: Numerology, early: int = 0) -> np.ndarray:
        """H[k] = Σ h[l] exp(−j 2π k (l + delay + early) / N), complex64 (n_used,).

        ``early`` is by how many samples the FFT windows begin before a symbol's body.
        """
        delays = np.arange(len(self.taps)) + self.delay + early
        turn = -2j * np.pi * np.outer(numerology.carriers, delays) / numerology.fft_size
        return (np.exp(turn) @ self.taps).astype(np.complex64)

    def through(self, samples: np.ndarray) -> np.ndarray:
        """Convolve, complex64 (n,) → complex64 (n,); the last :data:`MARGIN` should be silence."""
        size = scipy.fft.next_fast_len(len(samples) + len(self.taps) + MARGIN)
        frequency = scipy.fft.fftfreq(size).astype(np.float32)
        taps = scipy.fft.fft(self.taps, size)
        delay = np.exp(np.complex64(-2j * np.pi * self.delay) * frequency)
        return scipy.fft.ifft(scipy.fft.fft(samples, size) * (taps * delay))[: len(samples)]


def profile(channel: str, numerology: Numerology) -> np.ndarray:
    """Mean tap powers of a named channel, float64 (k,), sum 1.

    Raises :class:`ConfigError` for an unknown name.
    """
    require_choice("channel", channel, CHANNELS)
    if channel == "awgn":
        return np.ones(1)
    if channel == "rayleigh-3-tap":
        return np.array(THREE_TAPS)
    rate_hz = numerology.sample_rate_hz
    return exponential_profile(SPREADS[channel] / rate_hz, rate_hz)


def draw(
    channel: str, numerology: Numerology, rng: np.random.Generator, *, hold_power: bool = True
) -> Path:
    """Draw a realisation: Rayleigh taps, a random carrier phase alone for ``awgn``.

    With ``hold_power`` each realisation has Σ|h|² = 1, so that a frame's SNR is the one set
    and what a receiver loses is its own doing, not an outage of the channel.
    """
    powers = profile(channel, numerology)
    if channel == "awgn":
        taps = np.exp(2j * np.pi * rng.random(1))
    else:
        taps = rng.standard_normal((len(powers), 2)) @ np.array([1, 1j]) * np.sqrt(powers / 2)
    if hold_power:
        taps = taps / np.linalg.norm(taps)
    return Path(taps.astype(np.complex64), float(rng.random()))
