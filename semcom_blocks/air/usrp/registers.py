# SPDX-License-Identifier: GPL-3.0-or-later
"""Control transactions: the device's own registers (port 0) and the radio block's.

The device describes itself as one radio with two channels, wired straight to the
endpoints: no DDC or DUC, so the sample rate is the master clock rate::

    endpoint c ── radio, input c;   radio, output c ── endpoint c

Source: libuhd 4.3's client zero and radio control, and the register table of the
RFNoC radio (addresses only).
"""

from __future__ import annotations

from collections.abc import Callable

CHANNELS = 2
CORE_PORT = 0
RADIO_PORT = 2  # behind the core and the one endpoint that has control
RADIO_NODE = 1 + CHANNELS  # of the static connections: behind the core and the endpoints

# What the core tells about the device.
PROTOCOL_VERSION = 0x0100
DEVICE_TYPE = 0xE320
RADIO_BLOCK_ID = 0x12AD1000
MTU_LOG2 = 10  # of a block's buffer, in words of eight bytes
CONTROL_FIFO_LOG2 = 5
CONTROL_MAX_OUTSTANDING = 1

# The radio's registers: shared ones, then 128 bytes for each channel.
RADIO_BASE = 0x1000
CHANNEL_SPACE = 0x80
RX_STATUS = 0x10
RX_COMMAND = 0x14
RX_WORDS_LOW, RX_WORDS_HIGH = 0x18, 0x1C
RX_TIME_LOW, RX_TIME_HIGH = 0x20, 0x24
RX_PACKET_WORDS = 0x28
RX_ERROR_PORT = 0x2C
RX_DATA = 0x3C
RX_HAS_TIME = 0x70
TX_IDLE_VALUE = 0x40
TX_ERROR_POLICY = 0x44
TX_ERROR_PORT = 0x48
RADIO_WIDTH = 0x04
TIME_LOW, TIME_HIGH = 0x04, 0x08  # shared

SAMPLE_BITS = 32
SAMPLES_PER_CLOCK = 1

RX_STOP, RX_FINITE, RX_CONTINUOUS = 0, 1, 2
RX_TIMED = 1 << 31


def peek_core(address: int) -> int:
    """A register of the core: sizes, block identifiers and the static connections."""
    wires = [(1 + c, 0, RADIO_NODE, c) for c in range(CHANNELS)]
    wires += [(RADIO_NODE, c, 1 + c, 0) for c in range(CHANNELS)]
    if address >= 0x10000:
        index = (address - 0x10004) // 4
        if address == 0x10000:
            return len(wires)
        if not 0 <= index < len(wires):
            return 0
        source, source_port, target, target_port = wires[index]
        return source << 22 | source_port << 16 | target << 6 | target_port
    if address < 0x40:
        return {
            0x00: PROTOCOL_VERSION,
            # Blocks at bit 10, endpoints at 0, crossbar at 31, ports of it at 20.
            0x04: CHANNELS | 1 << 10 | 1 << 20 | 1 << 31,
            0x08: len(wires),
            0x0C: DEVICE_TYPE << 16,
            0x10: 1,
        }.get(address, 0)
    return {
        # Protocol version, inputs, outputs, control FIFO and outstanding messages.
        0x00: 1
        | CHANNELS << 6
        | CHANNELS << 12
        | CONTROL_FIFO_LOG2 << 18
        | CONTROL_MAX_OUTSTANDING << 24,
        0x04: RADIO_BLOCK_ID,
        0x08: MTU_LOG2 << 2 | 2,
    }.get(address % 0x40, 0)


class RadioRegisters:
    """The radio block's registers.

    ``on_command(channel, word, words, ticks)`` is called when the host writes a receive
    command; ``now()`` gives the time for who reads it.
    """

    def __init__(
        self,
        on_command: Callable[[int, int, int, int | None], None],
        now: Callable[[], int],
    ) -> None:
        self._on_command = on_command
        self._now = now
        self._values: list[dict[int, int]] = []
        self._latched_high = 0
        self.forget()

    def forget(self) -> None:
        """Back to how the device starts."""
        self._values = [{RX_HAS_TIME: 1, TX_ERROR_POLICY: 1} for _ in range(CHANNELS)]

    def of(self, channel: int, register: int) -> int:
        """What the host last wrote."""
        return self._values[channel].get(register, 0)

    def peek(self, address: int) -> int:
        """A register's value; 0 where there is none."""
        if address < RADIO_BASE:
            if address == TIME_LOW:  # read first, so the upper half is of the same moment
                now = self._now()
                self._latched_high = now >> 32 & 0xFFFFFFFF
                return now & 0xFFFFFFFF
            return self._latched_high if address == TIME_HIGH else 0
        channel, register = divmod(address - RADIO_BASE, CHANNEL_SPACE)
        if channel >= CHANNELS:
            return 0
        if register == RADIO_WIDTH:
            return SAMPLE_BITS << 16 | SAMPLES_PER_CLOCK
        if register == RX_DATA:
            # The driver's self test: the converter hands back what the idle transmitter sends.
            register = TX_IDLE_VALUE
        return self._values[channel].get(register, 0)

    def poke(self, address: int, value: int) -> None:
        """Write a register; what lies outside is ignored, as the device does."""
        channel, register = divmod(address - RADIO_BASE, CHANNEL_SPACE)
        if not 0 <= channel < CHANNELS:
            return
        values = self._values[channel]
        values[register] = value
        if register == RX_COMMAND:
            words = values.get(RX_WORDS_HIGH, 0) << 32 | values.get(RX_WORDS_LOW, 0)
            time = values.get(RX_TIME_HIGH, 0) << 32 | values.get(RX_TIME_LOW, 0)
            self._on_command(channel, value & 3, words, time if value & RX_TIMED else None)
