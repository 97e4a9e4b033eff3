# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stream needs of its device: a way out, messages to the driver, counters."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from semcom_blocks.air.usrp.chdr import PacketType


class RxEvent(IntEnum):
    """Codes of asynchronous messages about reception."""

    LATE_COMMAND = 1
    OVERRUN = 2


class TxEvent(IntEnum):
    """Codes of asynchronous messages about transmission."""

    UNDERRUN = 1
    LATE_DATA = 2
    BURST_ACK = 3


class Link(Protocol):
    """A channel's side of the device."""

    def send(
        self,
        kind: PacketType,
        destination: int,
        sequence: int,
        payload: bytes,
        time: int | None = None,
        end_of_burst: bool = False,
    ) -> None:
        """Send a packet to the host's endpoint ``destination``."""
        ...

    def event(self, code: RxEvent | TxEvent, ticks: int) -> None:
        """Tell the driver what happened when."""
        ...

    def count(self, what: str, number: int = 1) -> None:
        """Note something for people."""
        ...

    def epid(self) -> int:
        """The channel's own endpoint."""
        ...
