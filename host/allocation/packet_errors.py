# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a packet of L code bits is lost at an SNR γ: two laws, both inverted in closed form.

**Block Rayleigh, γ the mean SNR**, the paper's (2):

    1 − PER = L^(−k/γ) · exp(−b/γ)                                                     (2)

A code loses a packet below a threshold θ(L) and keeps it above; the share of fades below it is
1 − exp(−θ/γ), so (2) is exact for a sharp threshold θ = k·ln L + b, which rises with the logarithm
of the length (Y. Xi, A. Burr, J. Wei, D. Grace, "A general upper bound to evaluate packet error
rate over quasi-static fading channels", IEEE Trans. Wireless Commun. 10(5), 2011, from which [16]
of the paper has it).

**γ known** (no fading, or a fade that is told): in AWGN the threshold of (2) would be far too
soft.  Errors of a convolutional code are events along the trellis that come independently, each
about as likely as the nearest code word's, e^(−a·γ):

    1 − PER = exp(−L^k · e^(b − a·γ))

Constants for this testbed's code, K = 7 rate ½ on QPSK, are measured:
``semcom experiment latency-aware --only packets`` prints them again with their confidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semcom_blocks.errors import ConfigError

Array = NDArray[np.float64]


class PacketErrors(Protocol):
    """A law: ``events`` is −ln(1 − PER) of packets of ``length`` code bits at ``snr``."""

    @property
    def constants(self) -> tuple[float, ...]:
        """What is fitted."""

    def events(self, length: ArrayLike, snr: ArrayLike) -> Array:
        """−ln(1 − PER), falling with ``snr``; infinity at 0 where nothing gets through."""

    def snr_for(self, length: ArrayLike, events: ArrayLike) -> Array:
        """The least SNR with at most ``events``."""


@dataclass(frozen=True)
class FadingErrors:
    """(2): ``snr`` is the mean over block Rayleigh fading, linear."""

    k: float
    b: float

    @property
    def constants(self) -> tuple[float, ...]:
        """k, b."""
        return (self.k, self.b)

    def threshold(self, length: ArrayLike) -> Array:
        """θ = k·ln L + b; :class:`ConfigError` unless it is above 0."""
        found = self.k * np.log(np.asarray(length, float)) + self.b
        if not np.all(found > 0):
            raise ConfigError(
                f"k {self.k}, b {self.b}: PER would rise with SNR, permitted: k·ln(L) + b > 0"
            )
        return found

    def events(self, length: ArrayLike, snr: ArrayLike) -> Array:
        """θ/γ."""
        with np.errstate(divide="ignore"):
            return self.threshold(length) / np.asarray(snr, float)

    def snr_for(self, length: ArrayLike, events: ArrayLike) -> Array:
        """θ/events."""
        with np.errstate(divide="ignore"):
            return self.threshold(length) / np.asarray(events, float)


@dataclass(frozen=True)
class KnownErrors:
    """``snr`` is that of the packet itself, linear."""

    k: float
    b: float
    a: float

    def __post_init__(self) -> None:
        if not self.a > 0:
            raise ConfigError(f"a is {self.a}: PER would rise with SNR, permitted: above 0")

    @property
    def constants(self) -> tuple[float, ...]:
        """k, b, a."""
        return (self.k, self.b, self.a)

    def events(self, length: ArrayLike, snr: ArrayLike) -> Array:
        """L^k · e^(b − a·γ)."""
        exponent = self.k * np.log(np.asarray(length, float)) + self.b
        return np.exp(exponent - self.a * np.asarray(snr, float))

    def snr_for(self, length: ArrayLike, events: ArrayLike) -> Array:
        """(k·ln L + b − ln events)/a, at least 0."""
        with np.errstate(divide="ignore"):
            exponent = self.k * np.log(np.asarray(length, float)) + self.b
            return np.maximum(exponent - np.log(np.asarray(events, float)), 0.0) / self.a


def error_rate(law: PacketErrors, length: ArrayLike, snr: ArrayLike) -> Array:
    """PER."""
    return -np.expm1(-law.events(length, snr))


#: Cited by the paper for QPSK and a convolutional code of rate ½.
PAPER = FadingErrors(0.374, -0.31)
#: Measured: this testbed's code in block Rayleigh fading, packets of 284 to 4108 code bits.
RAYLEIGH = FadingErrors(0.1809, 0.2002)
#: Measured: the same at known SNR.
KNOWN = KnownErrors(1.0661, -0.4479, 5.1122)
#: By name, for commands.
LAWS: dict[str, PacketErrors] = {"paper": PAPER, "rayleigh": RAYLEIGH, "known": KNOWN}
