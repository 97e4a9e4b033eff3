# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine and a virtual device know of each other.

A device serves its driver over sockets with threads of its own and keeps queues of
samples; the engine moves air time on, takes what is transmitted and puts what is
received.  Whoever touches a port or a tuning holds ``air.lock``; the engine calls
every method of a port with that lock held, so they must be quick and never wait.

A kind of device is a class made from its part of the configuration, found by name:

    pluto   semcom_blocks.air.pluto.VirtualPluto(config: DeviceConfig)
    usrp    semcom_blocks.air.usrp.VirtualUsrp(config: DeviceConfig)

Levels: a transmitted sample of magnitude 1 is a full-scale sine, a received code of
``ADC_FULL_SCALE`` is the converter's; the dBm behind them are in ``frontend.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from semcom_blocks.air.engine import Air

ADC_BITS = 12
#: Largest received code; the converter saturates at plus and minus this.
ADC_FULL_SCALE = 2 ** (ADC_BITS - 1) - 1
#: What a control message may ask of :meth:`Device.fault`.
FAULTS = ("drop", "stall", "overflow", "underflow", "unplug", "reconnect")


@dataclass
class Tuning:
    """What the driver has set on a port: nominal values, before the device's clock error.

    sample_rate_hz  the same on every port of a device
    lo_hz           carrier frequency
    gain_db         receiver: its gain; transmitter: 0 or negative, an attenuation
    bandwidth_hz    of the analog filter around the carrier, both sides together; 0 is none
    agc             receiver only: the engine moves ``gain_db`` by itself
    """

    sample_rate_hz: float
    lo_hz: float
    gain_db: float
    bandwidth_hz: float
    agc: bool = False


class TxPort(Protocol):
    """One transmit channel."""

    tuning: Tuning

    def streaming(self) -> bool:
        """Whether a client has an open stream or burst, or a cyclic buffer or tone runs."""
        ...

    def hungry(self, n: int) -> bool:
        """Whether a stream is open that has fewer than ``n`` samples queued and owes more.

        Never for a cyclic buffer, a tone, or a burst whose end is queued.  The virtual
        clock holds time for a hungry port, for a while.
        """
        ...

    def take(self, n: int, at: int) -> np.ndarray | None:
        """The next ``n`` samples, complex64 (n,), |full scale| = 1; None is silence.

        ``at`` is the device's sample counter at the first of them; calls follow on without
        gaps, except after a change of rate.  A lack of samples is the device's to note.
        """
        ...


class RxPort(Protocol):
    """One receive channel."""

    tuning: Tuning

    def streaming(self) -> bool:
        """Whether a client wants samples, now or at a time to come."""
        ...

    def full(self, n: int) -> bool:
        """Whether there is no room for ``n`` more; the virtual clock holds time then."""
        ...

    def put(self, iq: np.ndarray, at: int) -> None:
        """Take n samples: int16 (2 n,), I and Q in turns, within ±ADC_FULL_SCALE.

        ``at`` is the device's sample counter at the first.  Without room they are lost and
        the overflow is the device's to note.  The array is the port's to keep.
        """
        ...


class Device(Protocol):
    """One virtual radio."""

    name: str
    tx: Sequence[TxPort]  # channel 0 first
    rx: Sequence[RxPort]

    def start(self, air: Air) -> None:
        """Bind sockets and start threads; :class:`RadioError` names an address in use."""
        ...

    def stop(self) -> None:
        """Close sockets and end threads; may be called twice."""
        ...

    def fault(self, kind: str, seconds: float) -> None:
        """Misbehave as ``kind``, one of FAULTS, says; :class:`ConfigError` for others."""
        ...

    def counters(self) -> dict[str, int]:
        """What has happened so far, for people: underflows, overflows, clients, …"""
        ...
