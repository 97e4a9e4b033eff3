# SPDX-License-Identifier: GPL-3.0-or-later
"""CHDR, the packets between libuhd and an RFNoC device (64-bit words, little endian).

Every packet starts with one word::

    63      58   57    56   53    48        32       16         0
    | channel | EOB | EOV | type | metadata | sequence | length | destination |

followed, for data with a time stamp, by one word of time, then by ``metadata``
words that this device has no use for, then by the payload.  Source: "RFNoC
Specification" 1.0, chapter 2 (Ettus Research), and what libuhd 4.3 sends.

Nothing here does I/O.  What comes from the network is checked before it is
used: every field that counts or measures is held against the bytes that came,
and :class:`ChdrError` says what was wrong.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from semcom_blocks.errors import WireError

WORD_BYTES = 8
MAX_PACKET_BYTES = 9000  # an Ethernet jumbo frame; libuhd's largest is 7972
MAX_CONTROL_WORDS = 15  # the four-bit count of 32-bit data words
MASK_64 = (1 << 64) - 1


class ChdrError(WireError):
    """A packet that is cut short, contradicts itself or exceeds a limit."""


class PacketType(IntEnum):
    """The three-bit type; 3 and 5 are reserved."""

    MANAGEMENT = 0
    STREAM_STATUS = 1
    STREAM_COMMAND = 2
    CONTROL = 4
    DATA = 6
    TIMED_DATA = 7


_TYPES = {int(kind): kind for kind in PacketType}


@dataclass(frozen=True)
class Packet:
    """One packet; ``payload`` is a view into the datagram, without padding."""

    kind: PacketType
    destination: int  # endpoint, 16 bits
    sequence: int  # 16 bits, counted per stream
    payload: memoryview
    time: int | None = None  # ticks
    end_of_burst: bool = False
    length: int = 0  # bytes, header included

    @property
    def words(self) -> tuple[int, ...]:
        """The payload as 64-bit words; a last incomplete word is left out."""
        count = len(self.payload) // WORD_BYTES
        return struct.unpack_from(f"<{count}Q", self.payload)


def unpack(datagram: bytes) -> Packet:
    """Read one datagram; :class:`ChdrError` if it is no whole packet of a known type."""
    if not WORD_BYTES <= len(datagram) <= MAX_PACKET_BYTES:
        raise ChdrError(
            f"packet has {len(datagram)} bytes, permitted: {WORD_BYTES} to {MAX_PACKET_BYTES}"
        )
    (head,) = struct.unpack_from("<Q", datagram)
    kind = _TYPES.get(head >> 53 & 7)
    if kind is None:
        raise ChdrError(f"packet type is {head >> 53 & 7}, permitted: {sorted(_TYPES)}")
    length = head >> 16 & 0xFFFF
    start = WORD_BYTES * (1 + (kind is PacketType.TIMED_DATA) + (head >> 48 & 31))
    if not start <= length <= len(datagram):
        raise ChdrError(f"packet length is {length}, permitted: {start} to {len(datagram)}")
    time = None
    if kind is PacketType.TIMED_DATA:
        (time,) = struct.unpack_from("<Q", datagram, WORD_BYTES)
    return Packet(
        kind,
        head & 0xFFFF,
        head >> 32 & 0xFFFF,
        memoryview(datagram)[start:length],
        time,
        bool(head >> 57 & 1),
        length,
    )


def pack(
    kind: PacketType,
    destination: int,
    sequence: int,
    payload: bytes,
    time: int | None = None,
    end_of_burst: bool = False,
) -> bytes:
    """One packet as a datagram; ``time`` goes with TIMED_DATA alone."""
    stamp = b"" if time is None else struct.pack("<Q", time & MASK_64)
    length = WORD_BYTES + len(stamp) + len(payload)
    head = (
        end_of_burst << 57
        | kind << 53
        | (sequence & 0xFFFF) << 32
        | length << 16
        | destination & 0xFFFF
    )
    return struct.pack("<Q", head) + stamp + payload


class ControlOp(IntEnum):
    """What a control transaction asks for; the others are refused."""

    SLEEP = 0
    WRITE = 1
    READ = 2


@dataclass(frozen=True)
class Control:
    """A register access or its acknowledgement."""

    source_port: int  # 10 bits
    destination_port: int  # 10 bits
    sequence: int  # 6 bits
    source: int  # endpoint, 16 bits
    op: int  # 4 bits
    address: int  # 20 bits
    data: tuple[int, ...] = (0,)  # 32 bits each
    time: int | None = None  # ticks at which to carry it out
    is_ack: bool = False
    status: int = 0  # 0 okay, 1 command error, 2 time error
    byte_enable: int = 15

    @classmethod
    def unpack(cls, words: tuple[int, ...]) -> Control:
        """Read a control payload."""
        timed = bool(words and words[0] >> 30 & 1)
        count = words[0] >> 20 & 15 if words else 0
        needed = 2 + timed + count // 2
        if not count or len(words) < needed:
            raise ChdrError(
                f"control payload has {len(words)} words, {needed} needed, data {count}"
            )
        head, body = words[0], words[1 + timed :]
        halves = [half for word in body for half in (word & 0xFFFFFFFF, word >> 32)]
        return cls(
            source_port=head >> 10 & 0x3FF,
            destination_port=head & 0x3FF,
            sequence=head >> 24 & 63,
            source=head >> 32 & 0xFFFF,
            op=halves[0] >> 24 & 15,
            address=halves[0] & 0xFFFFF,
            data=tuple(halves[1 : 1 + count]),
            time=words[1] if timed else None,
            is_ack=bool(head >> 31 & 1),
            status=halves[0] >> 30,
            byte_enable=halves[0] >> 20 & 15,
        )

    def pack(self) -> bytes:
        """The payload as bytes."""
        stamp = b"" if self.time is None else struct.pack("<Q", self.time & MASK_64)
        head = (
            self.destination_port
            | self.source_port << 10
            | len(self.data) << 20
            | self.sequence << 24
            | bool(stamp) << 30
            | self.is_ack << 31
            | self.source << 32
        )
        halves = [self.address | self.byte_enable << 20 | self.op << 24 | self.status << 30]
        halves += self.data
        halves += [0] * (len(halves) % 2)
        return struct.pack("<Q", head) + stamp + struct.pack(f"<{len(halves)}I", *halves)


class StreamOp(IntEnum):
    """What a stream command asks for."""

    INIT = 0
    PING = 1
    RESYNC = 2


@dataclass(frozen=True)
class StreamCommand:
    """From the source of a stream to its sink: set up or resynchronise flow control."""

    source: int
    op: int
    packets: int  # 40 bits
    transferred_bytes: int

    @classmethod
    def unpack(cls, words: tuple[int, ...]) -> StreamCommand:
        """Read a stream command's payload."""
        if len(words) < 2:
            raise ChdrError(f"stream command has {len(words)} words, permitted: 2 or more")
        return cls(words[0] & 0xFFFF, words[0] >> 16 & 15, words[0] >> 24, words[1])

    def pack(self) -> bytes:
        """The payload as bytes."""
        head = self.source | self.op << 16 | (self.packets & (1 << 40) - 1) << 24
        return struct.pack("<QQ", head, self.transferred_bytes & MASK_64)


@dataclass(frozen=True)
class StreamStatus:
    """From the sink of a stream to its source: the room there is and what was taken."""

    source: int
    capacity_bytes: int  # 40 bits
    capacity_packets: int  # 24 bits
    packets: int  # 40 bits
    transferred_bytes: int
    status: int = field(default=0)  # 0 okay, 2 packet out of sequence

    @classmethod
    def unpack(cls, words: tuple[int, ...]) -> StreamStatus:
        """Read a stream status' payload."""
        if len(words) < 3:
            raise ChdrError(f"stream status has {len(words)} words, permitted: 3 or more")
        first, second, third = words[:3]
        return cls(
            first & 0xFFFF, first >> 24, second & 0xFFFFFF, second >> 24, third, first >> 16 & 15
        )

    def pack(self) -> bytes:
        """The payload as bytes."""
        return struct.pack(
            "<4Q",
            self.source | self.status << 16 | self.capacity_bytes << 24,
            self.capacity_packets | (self.packets & (1 << 40) - 1) << 24,
            self.transferred_bytes & MASK_64,
            0,
        )
