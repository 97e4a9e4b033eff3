# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream endpoints: the registers through which the host sets up a stream."""

from __future__ import annotations

from collections.abc import Callable

# Register addresses, from libuhd's management portal.
SELF = 0x00
RESET_AND_FLUSH = 0x04
OUT_STATUS = 0x08
OUT_DESTINATION = 0x0C
OUT_CAPACITY_BYTES = 0x20
OUT_CAPACITY_PACKETS = 0x28
IN_STATUS = 0x38

FLOW_CONTROL_ON = 1 << 31
START = 1 << 0

RESET_OUT = 1 << 0
RESET_IN = 1 << 1


class StreamEndpoint:
    """One endpoint: its number and the two directions' states.

    ``on_start`` is called when the host wants the stream towards it to be set up,
    ``on_reset`` with the RESET bits when it flushes one.
    """

    def __init__(self, on_start: Callable[[], None], on_reset: Callable[[int], None]) -> None:
        self._on_start = on_start
        self._on_reset = on_reset
        self.capacity = (0, 0)  # bytes, packets: the host's room, once it has told
        self.forget()

    def forget(self) -> None:
        """Back to how the device starts."""
        self.epid = 0
        self.destination = 0
        self._out_status = 0
        self._in_status = 0

    def read(self, address: int) -> int:
        """A register's value; 0 where there is none."""
        return {
            SELF: self.epid,
            OUT_STATUS: self._out_status,
            OUT_CAPACITY_BYTES: self.capacity[0] & 0xFFFFFFFF,
            OUT_CAPACITY_PACKETS: self.capacity[1],
            IN_STATUS: self._in_status,
        }.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """Set a register; what has none is ignored, as the device does."""
        if address == SELF:
            self.epid = value & 0xFFFF
        elif address == OUT_DESTINATION:
            self.destination = value & 0xFFFF
        elif address == RESET_AND_FLUSH:
            self._on_reset(value)
        elif address == OUT_STATUS:
            self._out_status = FLOW_CONTROL_ON
            if value & START:
                self._on_start()
        elif address == IN_STATUS:
            self._in_status = FLOW_CONTROL_ON
