# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame header: what a receiver must know before it can read a frame.

    | ver·16+flags u8 | job u16 | seq u16 | digital bytes u16 | precoding·16+bits/symbol u8 |
    | stream u8 | analog symbols u16 | analog offset u24 | CRC-16 |     big endian

Coded by the (32, 6) first-order Reed–Muller code and sent as BPSK, it holds at
about −2 dB where the QPSK rate-½ payload needs about +4 dB.

The frames of a job with bands have a flag, and behind the header a table in the same code:

    | bands (:mod:`semcom_blocks.phy.bands`) | offset u24, symbols u16 of each chunk | CRC-16 |

``stream`` is then the number of streams; the chunk of the first one stands in the header.
"""

import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil

import numpy as np

from semcom_blocks.crc import crc16_ccitt
from semcom_blocks.errors import ConfigError, LinkError, require_choice, require_range
from semcom_blocks.phy import header_code, interleave, qam
from semcom_blocks.phy.bands import MAX_BANDS, BandTable, table_size
from semcom_blocks.phy.coding import bits_to_bytes, bytes_to_bits
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.precoding import PRECODINGS

#: Version of the waveform; a receiver refuses others.
WAVEFORM_VERSION = 1
#: Flag: the sender has nothing more for this job.
FLAG_END = 1
#: Flag: an acknowledgement, on its way from the receiver to the sender.
FLAG_ACK = 2
#: Flag: a band table follows.
FLAG_BANDS = 4
_FIELDS = struct.Struct(">BHHHBBHBH")
_CRC = struct.Struct(">H")
_CHUNK = struct.Struct(">BHH")
#: Bytes of a header with its CRC.
HEADER_BYTES = _FIELDS.size + _CRC.size
#: Coded bits, one BPSK cell each.
CODED_BITS = 32 * ceil(8 * HEADER_BYTES / 6)
#: A prompt packet is short; a longer claim is a damaged header.
MAX_DIGITAL_BYTES = 1024


@dataclass(frozen=True)
class Chunk:
    """Consecutive symbols of a stream: ``symbols`` of them from ``offset`` on."""

    stream_id: int
    offset: int
    symbols: int


@dataclass(frozen=True)
class FrameHeader:
    """Fields of a frame header; ranges are those of the wire format.

    A frame of one interleaved payload has at most one stream (``stream_id``, …).  With ``bands``
    these three stay 0, ``band_chunks`` holds (offset, symbols) for each stream of the table, and
    the packet has the modulation of the prompt's band.  ``precoding`` of the data cells: one of
    :data:`semcom_blocks.phy.precoding.PRECODINGS`, none with bands.
    """

    job_id: int
    seq: int
    digital_bytes: int = 0
    bits_per_symbol: int = 2
    stream_id: int = 0
    analog_symbols: int = 0
    analog_offset: int = 0
    end: bool = False
    ack: bool = False
    bands: BandTable | None = None
    band_chunks: tuple[tuple[int, int], ...] = ()
    precoding: str = "none"

    def __post_init__(self) -> None:
        require_range("job_id", self.job_id, 0, 0xFFFF)
        require_range("seq", self.seq, 0, 0xFFFF)
        require_range("digital_bytes", self.digital_bytes, 0, MAX_DIGITAL_BYTES)
        if self.bits_per_symbol not in qam.BITS_PER_SYMBOL:
            require_range("bits_per_symbol", self.bits_per_symbol, 1, 0)
        require_choice("precoding", self.precoding, PRECODINGS)
        require_range("stream_id", self.stream_id, 0, 0xFF)
        require_range("analog_symbols", self.analog_symbols, 0, 0xFFFF)
        require_range("analog_offset", self.analog_offset, 0, 0xFFFFFF)
        if self.bands is not None:
            self._check_bands(self.bands)
        elif self.band_chunks:
            raise ConfigError(f"{len(self.band_chunks)} chunks without bands, permitted: 0")

    def _check_bands(self, bands: BandTable) -> None:
        if len(self.band_chunks) != len(bands.stream_ids):
            found = f"{len(self.band_chunks)} chunks for {len(bands.stream_ids)} streams of bands"
            raise ConfigError(f"{found}, permitted: one each")
        require_choice("precoding of a frame with bands", self.precoding, PRECODINGS[:1])
        if self.stream_id or self.analog_symbols or self.analog_offset or self.end or self.ack:
            raise ConfigError("header has bands and a stream of its own, permitted: one of both")
        if self.bits_per_symbol != bands.bands[0].bits_per_symbol:
            wanted = bands.bands[0].bits_per_symbol
            raise ConfigError(f"bits_per_symbol is {self.bits_per_symbol}, permitted: {wanted}")
        for offset, symbols in self.band_chunks:
            require_range("offset of a chunk", offset, 0, 0xFFFFFF)
            require_range("symbols of a chunk", symbols, 0, 0xFFFF)

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """What the frame carries of each stream, in the order of the payload; none is empty."""
        if self.bands is None:
            parts = [(self.stream_id, (self.analog_offset, self.analog_symbols))]
        else:
            parts = list(zip(self.bands.stream_ids, self.band_chunks, strict=True))
        return tuple(Chunk(stream_id, *part) for stream_id, part in parts if part[1])

    @property
    def n_analog(self) -> int:
        """Symbols of all streams."""
        return sum(chunk.symbols for chunk in self.chunks)

    def head_bytes(self) -> bytes:
        """The header itself with its CRC, bytes of length :data:`HEADER_BYTES`."""
        stream_id, offset, symbols = self.stream_id, self.analog_offset, self.analog_symbols
        if self.bands is not None:
            stream_id = len(self.band_chunks)
            offset, symbols = self.band_chunks[0] if self.band_chunks else (0, 0)
        flags = FLAG_END * self.end | FLAG_ACK * self.ack | FLAG_BANDS * (self.bands is not None)
        body = _FIELDS.pack(
            WAVEFORM_VERSION << 4 | flags,
            self.job_id,
            self.seq,
            self.digital_bytes,
            PRECODINGS.index(self.precoding) << 4 | self.bits_per_symbol,
            stream_id,
            symbols,
            offset >> 16,
            offset & 0xFFFF,
        )
        return _sealed(body)

    def table_bytes(self) -> bytes:
        """The band table with its CRC; nothing in a frame without bands."""
        if self.bands is None:
            return b""
        chunks = [_CHUNK.pack(at >> 16, at & 0xFFFF, n) for at, n in self.band_chunks[1:]]
        return _sealed(self.bands.to_bytes() + b"".join(chunks))

    def to_bytes(self) -> bytes:
        """Serialise with CRC: :meth:`head_bytes` and :meth:`table_bytes`."""
        return self.head_bytes() + self.table_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "FrameHeader":
        """Parse and check; raises :class:`LinkError` for anything that is not a valid header."""
        expected = HEADER_BYTES
        if len(data) == HEADER_BYTES or (len(data) > HEADER_BYTES and data[0] & FLAG_BANDS):
            expected += table_bytes_after(data[:HEADER_BYTES])
        if len(data) != expected:
            raise LinkError(f"header has {len(data)} bytes, permitted: {expected}")
        body = data[: _FIELDS.size]
        first, job, seq, digital, mapping, stream, analog, high, low = _FIELDS.unpack(body)
        precoding, bits = divmod(mapping, 16)
        offset, table = high << 16 | low, data[HEADER_BYTES:]
        bands: BandTable | None = None
        chunks: tuple[tuple[int, int], ...] = ()
        try:
            require_range("precoding of a header", precoding, 0, len(PRECODINGS) - 1)
            if first & FLAG_BANDS:
                bands, chunks = _parsed(table, stream)
                if stream:
                    chunks = ((offset, analog), *chunks)
                stream = offset = analog = 0
            return cls(
                *(job, seq, digital, bits, stream, analog, offset),
                end=bool(first & FLAG_END),
                ack=bool(first & FLAG_ACK),
                bands=bands,
                band_chunks=chunks,
                precoding=PRECODINGS[precoding],
            )
        except ValueError as error:
            raise LinkError(str(error)) from None


def table_bytes_after(head: bytes) -> int:
    """Bytes of the band table that follows a header, CRC included; 0 where none does.

    ``head``: :data:`HEADER_BYTES` bytes.  Raises :class:`LinkError` if they are no valid header.
    """
    body = _opened(head, "header")
    first, stream = body[0], body[8]
    if first >> 4 != WAVEFORM_VERSION:
        raise LinkError(f"waveform version is {first >> 4}, permitted: {WAVEFORM_VERSION}")
    if not first & FLAG_BANDS:
        return 0
    if stream >= MAX_BANDS:
        raise LinkError(f"header has {stream} streams in bands, permitted: 0 to {MAX_BANDS - 1}")
    return table_size(1 + stream) + max(stream - 1, 0) * _CHUNK.size + _CRC.size


def _parsed(table: bytes, n_streams: int) -> tuple[BandTable, tuple[tuple[int, int], ...]]:
    """Bands, and the chunks of all streams but the first."""
    body, size = _opened(table, "band table"), table_size(1 + n_streams)
    parts = _CHUNK.iter_unpack(body[size:])
    chunks = tuple((high << 16 | low, symbols) for high, low, symbols in parts)
    return BandTable.from_bytes(body[:size]), chunks


def _sealed(body: bytes) -> bytes:
    return body + _CRC.pack(crc16_ccitt(body))


def _opened(data: bytes, what: str) -> bytes:
    body = data[: -_CRC.size]
    if _CRC.unpack(data[-_CRC.size :])[0] != crc16_ccitt(body):
        raise LinkError(f"{what} CRC-16 does not match")
    return body


@lru_cache(maxsize=64)
def coded_symbols(n_bytes: int, numerology: Numerology) -> int:
    """OFDM symbols that ``n_bytes`` in the header's code occupy."""
    return ceil(32 * ceil(8 * n_bytes / 6) / numerology.n_data)


@lru_cache(maxsize=16)
def header_symbols(numerology: Numerology) -> int:
    """OFDM symbols that the header occupies."""
    return ceil(CODED_BITS / numerology.n_data)


def header_cells(header: FrameHeader, numerology: Numerology) -> np.ndarray:
    """Coded header as data cells, complex64 (header_symbols · n_data,), symbol by symbol."""
    return coded_cells(header.head_bytes(), numerology)


def coded_cells(data: bytes, numerology: Numerology) -> np.ndarray:
    """Bytes in the header's code as data cells, complex64 (coded_symbols · n_data,)."""
    bits = np.zeros(6 * ceil(8 * len(data) / 6), np.uint8)
    bits[: 8 * len(data)] = bytes_to_bits(data)
    code = header_code.encode(bits)
    cells = np.ones(coded_symbols(len(data), numerology) * numerology.n_data, np.complex64)
    cells[: len(code)] = qam.modulate(code, 1)
    return interleave.interleave(cells)


def decode_header(cells: np.ndarray, weight: np.ndarray | np.float32) -> FrameHeader:
    """Decode the data cells of the header symbols of a frame without bands.

    ``cells`` complex64 (header_symbols · n_data,) are matched-filter outputs
    ``conj(H) Y``; ``weight`` float32 scales each to a log-likelihood (1/σ²).
    Raises :class:`LinkError` if the CRC fails.
    """
    return FrameHeader.from_bytes(decode_cells(cells, weight, HEADER_BYTES))


def decode_cells(cells: np.ndarray, weight: np.ndarray | np.float32, n_bytes: int) -> bytes:
    """Undo :func:`coded_cells` on matched-filter outputs, as :func:`decode_header` has them."""
    soft = interleave.deinterleave(cells * weight)[: 32 * ceil(8 * n_bytes / 6)]
    bits = header_code.decode(4.0 * soft.real.astype(np.float32))
    return bits_to_bytes(bits[: 8 * n_bytes])
