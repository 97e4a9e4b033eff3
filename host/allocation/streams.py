# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams and what they take: retransmitted prompt (2), (3); adaptively modulated conditions (4).

With the received SNR γ = p·|h|² / (B·N₀), linear:

    PER(γ) = 1 − L^(−k/γ) · exp(−b/γ), or another law                                  (2)
    T₀(γ)  = |v₀| / (r · log2(M₀) · B₀) / (1 − PER(γ))                                 (3)
    R(γ)   = B · log2(1 + α·γ / (−ln(β·BER)))                                          (4)
    T(γ)   = |v| / R(γ)

Both delays fall with γ, and both invert in closed form: :meth:`snr_for` gives the least SNR for a
delay, which is what the solver works on.  All methods take and give arrays of any shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from host.allocation.packet_errors import PAPER, PacketErrors
from semcom_blocks.errors import ConfigError, require_range

Array = NDArray[np.float64]

#: Modulation orders of the conditioning streams: BPSK … 256-QAM as the physical layer has them.
ORDERS = (2, 4, 16, 64, 256)
MAX_BITS = 1e9  # of a stream; more is no semantics
BER_RANGE = (1e-12, 0.19)  # (4) needs β·BER < 1; with β = 5 that is BER < 0.2


def _positive(name: str, value: float, high: float) -> None:
    if not 0 < value <= high:
        raise ConfigError(f"{name} is {value}, permitted: above 0 to {high:g}")


def steps_of(order: ArrayLike) -> Array:
    """M − 1 of square QAM, 1.5 of BPSK: SNR per squared distance of neighbours."""
    order = np.asarray(order, float)
    return np.where(order == 2, 1.5, order - 1)


@dataclass(frozen=True)
class PromptStream:
    """The prompt: ``bits`` before coding, sent in packets of ``packet_bits`` coded bits.

    ``errors``: how often one is lost, by default the constants that the paper cites for QPSK with
    a convolutional code of rate ½; see :mod:`host.allocation.packet_errors`.
    """

    bits: float
    bandwidth_hz: float = 1e6
    packet_bits: float | None = None  # None: the whole prompt is one packet, as in Table I
    code_rate: float = 0.5
    bits_per_symbol: float = 2.0
    errors: PacketErrors = field(default=PAPER)

    def __post_init__(self) -> None:
        _positive("prompt bits", self.bits, MAX_BITS)
        _positive("bandwidth_hz", self.bandwidth_hz, 1e12)
        _positive("code_rate", self.code_rate, 1.0)
        require_range("bits_per_symbol", self.bits_per_symbol, 1, 8)
        if self.packet_bits is not None and not 1 < self.packet_bits <= MAX_BITS:
            raise ConfigError(f"packet_bits is {self.packet_bits}, permitted: above 1 to 1e9")
        self.errors.events(self.length, 1.0)  # refuses constants that make no sense

    @property
    def length(self) -> float:
        """L: code bits of a packet."""
        return self.bits if self.packet_bits is None else self.packet_bits

    @property
    def least_delay_s(self) -> float:
        """Delay without a single retransmission."""
        return self.bits / (self.code_rate * self.bits_per_symbol * self.bandwidth_hz)

    def per(self, snr: ArrayLike) -> Array:
        """Packet error rate (2)."""
        return -np.expm1(-self.errors.events(self.length, snr))

    def sends(self, snr: ArrayLike) -> Array:
        """Expected sends of a packet, 1 / (1 − PER)."""
        with np.errstate(over="ignore"):
            return np.exp(self.errors.events(self.length, snr))

    def delay_s(self, snr: ArrayLike) -> Array:
        """Expected delay (3)."""
        return self.least_delay_s * self.sends(snr)

    def snr_for(self, delay_s: ArrayLike) -> Array:
        """Least SNR with an expected delay of at most ``delay_s``; infinity where there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            events = np.log(np.asarray(delay_s, float) / self.least_delay_s)
            needed = self.errors.snr_for(self.length, events)
        return np.where(np.asarray(delay_s) > self.least_delay_s, needed, np.inf)


@dataclass(frozen=True)
class ConditionStream:
    """A conditioning stream of ``bits`` that may arrive with bit errors.

    ``alpha``, ``beta``: of (4); 1.5 and 5 hold for uncoded square M-QAM in the Chernoff-like bound
    BER ≤ 0.2·exp(−1.5·γ/(M−1)).  BPSK is not square: it needs half the SNR of QPSK, which is
    1.5·Γ where the rule would say Γ.
    """

    bits: float
    bandwidth_hz: float = 1e6
    alpha: float = 1.5
    beta: float = 5.0
    name: str = "edges"

    def __post_init__(self) -> None:
        _positive(f"{self.name} bits", self.bits, MAX_BITS)
        _positive("bandwidth_hz", self.bandwidth_hz, 1e12)
        _positive("alpha", self.alpha, 1e3)
        _positive("beta", self.beta, 1e3)

    def gap(self, ber: ArrayLike) -> Array:
        """SNR gap Γ = −ln(β·BER)/α: R = B·log2(1 + γ/Γ).

        Raises :class:`ConfigError` for a BER that (4) does not cover.
        """
        ber = np.asarray(ber, float)
        if not (np.all(ber > 0) and np.all(self.beta * ber < 1)):
            raise ConfigError(f"ber is {ber.max()}, permitted: above 0, below {1 / self.beta:g}")
        return -np.log(self.beta * ber) / self.alpha

    def rate_bps(self, snr: ArrayLike, ber: ArrayLike) -> Array:
        """Rate (4)."""
        return self.bandwidth_hz * np.log2(1 + np.asarray(snr, float) / self.gap(ber))

    def delay_s(self, snr: ArrayLike, ber: ArrayLike) -> Array:
        """|v| / R."""
        with np.errstate(divide="ignore"):
            return self.bits / self.rate_bps(snr, ber)

    def snr_for(self, delay_s: ArrayLike, ber: ArrayLike) -> Array:
        """Least SNR with a delay of at most ``delay_s``."""
        with np.errstate(over="ignore", divide="ignore"):
            exponent = self.bits / (self.bandwidth_hz * np.asarray(delay_s, float))
            return np.expm1(exponent * math.log(2)) * self.gap(ber)

    def snr_of_order(self, order: ArrayLike, ber: ArrayLike) -> Array:
        """Least SNR at which M-QAM of ``order`` keeps ``ber``: Γ·(M − 1), of BPSK Γ·1.5."""
        return steps_of(order) * self.gap(ber)

    def ber(self, snr: ArrayLike, order: ArrayLike) -> Array:
        """Bit error rate of M-QAM of ``order`` by the bound behind (4)."""
        ratio = self.alpha * np.asarray(snr, float) / steps_of(order)
        return np.exp(-ratio) / self.beta

    def order_delay_s(self, order: ArrayLike) -> Array:
        """Delay at log2(M) bits per symbol."""
        return self.bits / (self.bandwidth_hz * np.log2(np.asarray(order, float)))
