# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame header: what a receiver must know before it can read a frame.

    | ver·16+flags u8 | job u16 | seq u16 | digital bytes u16 | bits/symbol u8 |
    | stream u8 | analog symbols u16 | analog offset u24 | CRC-16 |     big endian

Coded by the (32, 6) first-order Reed–Muller code and sent as BPSK, it holds at
about −2 dB where the QPSK rate-½ payload needs about +4 dB.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np

from semcom_blocks.crc import crc16_ccitt
from semcom_blocks.errors import LinkError, require_range
from semcom_blocks.phy import header_code, interleave, qam
from semcom_blocks.phy.coding import bits_to_bytes, bytes_to_bits
from semcom_blocks.phy.numerology import Numerology

#: Version of the waveform; a receiver refuses others.
WAVEFORM_VERSION = 1
#: Flag: the sender has nothing more for this job.
FLAG_END = 1
#: Flag: an acknowledgement, on its way from the receiver to the sender.
FLAG_ACK = 2
_FIELDS = struct.Struct(">BHHHBBHBH")
_CRC = struct.Struct(">H")
#: Bytes of a header with its CRC.
HEADER_BYTES = _FIELDS.size + _CRC.size
_INFO_BITS = 6 * ceil(8 * HEADER_BYTES / 6)
#: Coded bits, one BPSK cell each.
CODED_BITS = 32 * _INFO_BITS // 6
#: A prompt packet is short; a longer claim is a damaged header.
MAX_DIGITAL_BYTES = 1024


@dataclass(frozen=True)
class FrameHeader:
    """Fields of a frame header; ranges are those of the wire format."""

    job_id: int
    seq: int
    digital_bytes: int = 0
    bits_per_symbol: int = 2
    stream_id: int = 0
    analog_symbols: int = 0
    analog_offset: int = 0
    end: bool = False
    ack: bool = False

    def __post_init__(self) -> None:
        require_range("job_id", self.job_id, 0, 0xFFFF)
        require_range("seq", self.seq, 0, 0xFFFF)
        require_range("digital_bytes", self.digital_bytes, 0, MAX_DIGITAL_BYTES)
        if self.bits_per_symbol not in qam.BITS_PER_SYMBOL:
            require_range("bits_per_symbol", self.bits_per_symbol, 1, 0)
        require_range("stream_id", self.stream_id, 0, 0xFF)
        require_range("analog_symbols", self.analog_symbols, 0, 0xFFFF)
        require_range("analog_offset", self.analog_offset, 0, 0xFFFFFF)

    def to_bytes(self) -> bytes:
        """Serialise with CRC, bytes of length :data:`HEADER_BYTES`."""
        body = _FIELDS.pack(
            WAVEFORM_VERSION << 4 | FLAG_END * self.end | FLAG_ACK * self.ack,
            self.job_id,
            self.seq,
            self.digital_bytes,
            self.bits_per_symbol,
            self.stream_id,
            self.analog_symbols,
            self.analog_offset >> 16,
            self.analog_offset & 0xFFFF,
        )
        return body + _CRC.pack(crc16_ccitt(body))

    @classmethod
    def from_bytes(cls, data: bytes) -> "FrameHeader":
        """Parse and check; raises :class:`LinkError` for anything that is not a valid header."""
        if len(data) != HEADER_BYTES:
            raise LinkError(f"header has {len(data)} bytes, permitted: {HEADER_BYTES}")
        body = data[: _FIELDS.size]
        if _CRC.unpack(data[_FIELDS.size :])[0] != crc16_ccitt(body):
            raise LinkError("header CRC-16 does not match")
        first, job, seq, digital, bits, stream, analog, high, low = _FIELDS.unpack(body)
        if first >> 4 != WAVEFORM_VERSION:
            raise LinkError(f"waveform version is {first >> 4}, permitted: {WAVEFORM_VERSION}")
        try:
            return cls(
                *(job, seq, digital, bits, stream, analog, high << 16 | low),
                end=bool(first & FLAG_END),
                ack=bool(first & FLAG_ACK),
            )
        except ValueError as error:
            raise LinkError(str(error)) from None


@lru_cache(maxsize=16)
def header_symbols(numerology: Numerology) -> int:
    """OFDM symbols that the header occupies."""
    return ceil(CODED_BITS / numerology.n_data)


def header_cells(header: FrameHeader, numerology: Numerology) -> np.ndarray:
    """Coded header as data cells, complex64 (header_symbols · n_data,), symbol by symbol."""
    bits = np.zeros(_INFO_BITS, np.uint8)
    bits[: 8 * HEADER_BYTES] = bytes_to_bits(header.to_bytes())
    cells = np.ones(header_symbols(numerology) * numerology.n_data, np.complex64)
    cells[:CODED_BITS] = qam.modulate(header_code.encode(bits), 1)
    return interleave.interleave(cells)


def decode_header(cells: np.ndarray, weight: np.ndarray | np.float32) -> FrameHeader:
    """Decode the data cells of the header symbols.

    ``cells`` complex64 (header_symbols · n_data,) are matched-filter outputs
    ``conj(H) Y``; ``weight`` float32 scales each to a log-likelihood (1/σ²).
    Raises :class:`LinkError` if the CRC fails.
    """
    soft = interleave.deinterleave(cells * weight)[:CODED_BITS]
    bits = header_code.decode(4.0 * soft.real.astype(np.float32))
    return FrameHeader.from_bytes(bits_to_bytes(bits[: 8 * HEADER_BYTES]))
