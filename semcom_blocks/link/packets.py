# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets and acknowledgements as bytes, each under a CRC-32.

    packet   type u8 | tag u32 | job_id u16 | index u16 | count u16 | attempt u8 | payload | crc u32
    ack      type u8 | tag u32 | job_id u16 | index u16 | count u16 | attempt u8 | bitmap  | crc u32

An ack may hold more behind the bitmap: the SNR that the receiver measured on each band of the
packet's frame, as their number u8 and a byte each, a quarter of a dB from −16 dB on.

Big-endian.  ``tag`` names one submission of one sender (see
:mod:`semcom_blocks.link.arq`); ``job_id`` is the caller's own label for it.
``attempt`` counts the transmissions of a packet from 1; an ack echoes index and attempt of
the packet that caused it, so that the sender knows which transmission arrived.
Bit i of the bitmap (least significant bit of the first byte = bit 0) is one when packet i
is there.
"""

import math
import struct
from dataclasses import dataclass

from semcom_blocks.crc import crc32
from semcom_blocks.errors import ConfigError, LinkError, require_range

#: First byte: kind in the high nibble, version in the low.  Different, so that a
#: transmitter that hears itself never takes its packets for acknowledgements.
PACKET_TYPE = 0xD1
ACK_TYPE = 0xA1

#: Payload of a full packet: with the 16 bytes around it 256 bytes, about 4 ms of QPSK
#: rate 1/2 at 1 MS/s.  Longer packets are lost more often, shorter ones cost more header.
MAX_PAYLOAD_BYTES = 240
#: Packets of a message: 120 KiB, above the longest message (72 KiB) with full packets.
#: It bounds the bitmap of an ack to 64 bytes.
MAX_PACKETS = 512
#: The counter of transmissions has eight bits.
MAX_ATTEMPT = 255

_HEADER = struct.Struct(">BIHHHB")
_CRC = struct.Struct(">I")
#: Bytes around the payload.
OVERHEAD_BYTES = _HEADER.size + _CRC.size
MAX_PACKET_BYTES = OVERHEAD_BYTES + MAX_PAYLOAD_BYTES
#: Bands whose SNR an ack may tell: the prompt's and one for each stream of a message.
MAX_ACK_BANDS = 17
MAX_ACK_BYTES = OVERHEAD_BYTES + MAX_PACKETS // 8 + 1 + MAX_ACK_BANDS
#: An SNR as a byte: from −16 dB, where no header arrives any more, to 47.75 dB.
SNR_FLOOR_DB = -16.0
SNR_STEP_DB = 0.25


class CorruptPacket(LinkError):
    """Bytes that are no packet or ack of this protocol, or were damaged on the way."""


@dataclass(frozen=True)
class Packet:
    """One fragment of a message; fields as on the air, ``payload`` 1 … 240 bytes."""

    tag: int
    job_id: int
    index: int
    count: int
    payload: bytes
    attempt: int = 1

    def __post_init__(self) -> None:
        _check_fields(self)
        require_range("payload bytes", len(self.payload), 1, MAX_PAYLOAD_BYTES)

    def to_bytes(self) -> bytes:
        """17 … 256 bytes."""
        return _seal(PACKET_TYPE, self, self.payload)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Packet":
        """Inverse of :meth:`to_bytes`; :class:`CorruptPacket` on anything else."""
        tag, job_id, index, count, attempt, payload = _open(
            PACKET_TYPE, data, OVERHEAD_BYTES + 1, MAX_PACKET_BYTES
        )
        return cls(tag, job_id, index, count, payload, attempt)


@dataclass(frozen=True)
class Ack:
    """All that the receiver holds of one message; ``received`` has bit i for packet i.

    ``band_snr_db``: of each band of the frame, empty where it had none; rounded to a quarter of
    a dB and kept within −16 … 47.75 dB, as an ack tells it.
    """

    tag: int
    job_id: int
    index: int
    count: int
    received: int
    attempt: int = 1
    band_snr_db: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check_fields(self)
        require_range("received", self.received, 0, (1 << self.count) - 1)
        require_range("bands", len(self.band_snr_db), 0, MAX_ACK_BANDS)
        told = tuple(_decibels(_step(snr_db)) for snr_db in self.band_snr_db)
        object.__setattr__(self, "band_snr_db", told)

    @property
    def complete(self) -> bool:
        """The whole message arrived and was accepted."""
        return self.received == (1 << self.count) - 1

    def to_bytes(self) -> bytes:
        """17 … 98 bytes."""
        bitmap = self.received.to_bytes(_bitmap_bytes(self.count), "little")
        told = bytes([len(self.band_snr_db), *map(_step, self.band_snr_db)])
        return _seal(ACK_TYPE, self, bitmap + (told if self.band_snr_db else b""))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Ack":
        """Inverse of :meth:`to_bytes`; :class:`CorruptPacket` on anything else."""
        tag, job_id, index, count, attempt, body = _open(
            ACK_TYPE, data, OVERHEAD_BYTES + 1, MAX_ACK_BYTES
        )
        size = _bitmap_bytes(count)
        received, told = int.from_bytes(body[:size], "little"), body[size:]
        if len(body) < size or received >> count:
            raise CorruptPacket(f"ack of {count} packets has a bitmap of {len(body)} bytes")
        if told and not 0 < told[0] == len(told) - 1 <= MAX_ACK_BANDS:
            raise CorruptPacket(f"ack has {len(told)} bytes behind its bitmap of {size}")
        band_snr_db = tuple(map(_decibels, told[1:]))
        return cls(tag, job_id, index, count, received, attempt, band_snr_db)


def _bitmap_bytes(count: int) -> int:
    return -(-count // 8)


def _step(snr_db: float) -> int:
    """An SNR as the nearest byte; :class:`ConfigError` for what is no number."""
    if math.isnan(snr_db):
        raise ConfigError(f"band_snr_db is {snr_db}, permitted: numbers")
    highest = _decibels(0xFF)
    return round((min(max(snr_db, SNR_FLOOR_DB), highest) - SNR_FLOOR_DB) / SNR_STEP_DB)


def _decibels(step: int) -> float:
    return SNR_FLOOR_DB + step * SNR_STEP_DB


def _check_fields(item: Packet | Ack) -> None:
    require_range("tag", item.tag, 0, 0xFFFFFFFF)
    require_range("job_id", item.job_id, 0, 0xFFFF)
    require_range("count", item.count, 1, MAX_PACKETS)
    require_range("index", item.index, 0, item.count - 1)
    require_range("attempt", item.attempt, 1, MAX_ATTEMPT)


def _seal(kind: int, item: Packet | Ack, body: bytes) -> bytes:
    header = _HEADER.pack(kind, item.tag, item.job_id, item.index, item.count, item.attempt)
    return header + body + _CRC.pack(crc32(header + body))


def _open(
    kind: int, data: bytes, shortest: int, longest: int
) -> tuple[int, int, int, int, int, bytes]:
    """Fields and body of what :func:`_seal` made, checked."""
    if not shortest <= len(data) <= longest:
        raise CorruptPacket(f"{len(data)} bytes, permitted: {shortest} to {longest}")
    sealed, body = data[: -_CRC.size], bytes(data[_HEADER.size : -_CRC.size])
    if _CRC.unpack_from(data, len(sealed))[0] != crc32(sealed):
        raise CorruptPacket(f"CRC-32 of {len(data)} bytes does not match")
    found, tag, job_id, index, count, attempt = _HEADER.unpack_from(data)
    if found != kind:
        raise CorruptPacket(f"type is {found:#04x}, permitted: {kind:#04x}")
    if not 1 <= count <= MAX_PACKETS or index >= count or attempt == 0:
        raise CorruptPacket(f"packet {index} of {count}, attempt {attempt}, is impossible")
    return tag, job_id, index, count, attempt, body
