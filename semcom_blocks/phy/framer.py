# SPDX-License-Identifier: GPL-3.0-or-later
"""Pair prompt packets and analog symbols into frames."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from semcom_blocks.errors import require_choice, require_range
from semcom_blocks.phy.band_queue import BandQueue
from semcom_blocks.phy.bands import BandTable
from semcom_blocks.phy.grid import most_rows
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.precoding import DEFAULT_PRECODING, PRECODINGS

#: Analog symbols of a frame unless asked otherwise: about 14 ms on the air at 1 MS/s.
DEFAULT_ANALOG_PER_FRAME = 8192
#: … and at most: with the default numerology such a frame lasts 57 ms, in which a channel changes.
MAX_ANALOG_PER_FRAME = 32768
#: Times the frame that ends a job is sent: it has no acknowledgement of its own.
END_REPEATS = 3


#: An acknowledgement is short, so it can afford BPSK: 3 dB more robust than what it answers,
#: for a third of a millisecond more at 1 MS/s.
ACK_BITS_PER_SYMBOL = 1


@dataclass(frozen=True)
class Frame:
    """Header and payload of a frame before modulation; ``analog`` holds all its chunks."""

    header: FrameHeader
    digital: bytes
    analog: np.ndarray


class Framer:
    """Builds frames from packets and analog streams, without I/O.

    Packets go out in the order given, one a frame; analog symbols of a job fill
    the frames that carry its packets and then frames of their own.

    A job may have bands: then its streams are cut only as its frames are built, so that a packet
    that comes late still shares one, and frames of its own begin with its first packet.

    ``precoding`` is that of frames with analog symbols and without bands.
    """

    def __init__(
        self,
        analog_per_frame: int = DEFAULT_ANALOG_PER_FRAME,
        bits_per_symbol: int = 2,
        numerology: Numerology | None = None,
        precoding: str = DEFAULT_PRECODING,
    ) -> None:
        self.analog_per_frame = int(
            require_range("analog_per_frame", analog_per_frame, 1, MAX_ANALOG_PER_FRAME)
        )
        self.bits_per_symbol = bits_per_symbol
        self.precoding = require_choice("precoding", precoding, PRECODINGS)
        self._numerology = numerology or Numerology()
        self._seq = 0
        self._packets: deque[tuple[int, bytes]] = deque()
        self._analog: deque[tuple[int, int, int, np.ndarray]] = deque()
        self._bands: dict[int, BandQueue] = {}
        self._begun: set[int] = set()  # jobs of which a packet came
        self._sent: dict[int, int] = {}

    def open_bands(self, job_id: int, table: BandTable) -> None:
        """Send a job in bands; said before its first stream and packet.

        Raises :class:`ConfigError` if they do not fit into the data carriers.
        """
        num = self._numerology
        rows = -(-self.analog_per_frame // num.n_data)
        self._bands[job_id] = BandQueue(table.check(num), max(1, min(rows, most_rows(table, num))))

    def add_packet(self, job_id: int, packet: bytes) -> None:
        """Queue one prompt packet; raises :class:`ConfigError` if no header can describe it."""
        FrameHeader(job_id, 0, digital_bytes=len(packet), bits_per_symbol=self.bits_per_symbol)
        self._packets.append((job_id, packet))
        self._begun.add(job_id)

    def add_analog(self, job_id: int, stream_id: int, symbols: np.ndarray) -> None:
        """Queue a stream of unit-average-power symbols, complex64 (n,), cut into even frames.

        Raises :class:`ConfigError` if no header can describe it.
        """
        FrameHeader(job_id, 0, stream_id=stream_id, analog_offset=max(len(symbols) - 1, 0))
        if job_id in self._bands:
            self._bands[job_id].add(stream_id, np.asarray(symbols, np.complex64))
            return
        pieces = -(-len(symbols) // self.analog_per_frame)
        for chunk_at in np.array_split(np.arange(len(symbols)), pieces) if pieces else []:
            chunk = np.asarray(symbols[chunk_at[0] : chunk_at[-1] + 1], np.complex64)
            self._analog.append((job_id, stream_id, int(chunk_at[0]), chunk))

    def next_job(self) -> int | None:
        """Job of the frame that :meth:`next_frame` would build, None where there is none.

        Streams of a job go with its first packet or behind it.
        """
        if self._packets:
            return self._packets[0][0]
        if self._analog and self._analog[0][0] in self._begun:
            return self._analog[0][0]
        begun = (n for n, queue in self._bands.items() if n in self._begun and queue.rows_left)
        return next(begun, None)

    def has_bands(self, job_id: int) -> bool:
        """Whether a job is sent in bands."""
        return job_id in self._bands

    def next_frame(self) -> Frame:
        """Build the next frame; something must be queued."""
        job_id = self.next_job()
        assert job_id is not None
        if job_id in self._bands:
            return self._frame_of_bands(job_id)
        packet = self._packets.popleft()[1] if self._packets else b""
        stream_id, offset, chunk = 0, 0, np.zeros(0, np.complex64)
        if self._analog and self._analog[0][0] == job_id:
            _, stream_id, offset, chunk = self._analog.popleft()
        return self._frame(job_id, packet, stream_id, offset, chunk)

    def frames(self) -> Iterator[Frame]:
        """Build frames until nothing is queued, of jobs without packets too."""
        self._begun.update(self._bands, (entry[0] for entry in self._analog))
        while self.next_job() is not None:
            yield self.next_frame()

    def frames_of(self, job_id: int) -> int:
        """Frames of a job: built so far, and to come of what is queued of its bands."""
        queue = self._bands.get(job_id)
        left = queue.frames_left(self._waiting(job_id)) if queue is not None else 0
        return self._sent.get(job_id, 0) + left

    def is_pending(self, job_id: int) -> bool:
        """Whether frames of a job that has begun are still to be built."""
        if job_id not in self._begun:
            return False
        analog = any(entry[0] == job_id for entry in self._analog)
        queue = self._bands.get(job_id)
        left = queue is not None and queue.rows_left > 0
        return analog or left or self._waiting(job_id) > 0

    def end(self, job_id: int) -> Iterator[Frame]:
        """Build the frames that close a job; they carry the number of frames sent before.

        What is still queued of the job, because its message was refused, is dropped.
        """
        self._packets = deque(entry for entry in self._packets if entry[0] != job_id)
        self._analog = deque(entry for entry in self._analog if entry[0] != job_id)
        self._bands.pop(job_id, None)
        self._begun.discard(job_id)
        total = self._sent.pop(job_id, 0)
        for _ in range(END_REPEATS):
            header = FrameHeader(job_id, self._next_seq(), analog_offset=total, end=True)
            yield Frame(header, b"", np.zeros(0, np.complex64))

    def _waiting(self, job_id: int) -> int:
        return sum(entry[0] == job_id for entry in self._packets)

    def _frame_of_bands(self, job_id: int) -> Frame:
        queue, waiting = self._bands[job_id], self._waiting(job_id)
        packet = self._packets.popleft()[1] if waiting else b""
        chunks, symbols = queue.take(packet, waiting)
        self._sent[job_id] = self._sent.get(job_id, 0) + 1
        header = FrameHeader(
            job_id,
            self._next_seq(),
            digital_bytes=len(packet),
            bits_per_symbol=queue.table.bands[0].bits_per_symbol,
            bands=queue.table,
            band_chunks=chunks,
        )
        return Frame(header, packet, symbols)

    def _frame(
        self, job_id: int, packet: bytes, stream_id: int, offset: int, chunk: np.ndarray
    ) -> Frame:
        self._sent[job_id] = self._sent.get(job_id, 0) + 1
        header = FrameHeader(
            job_id,
            self._next_seq(),
            digital_bytes=len(packet),
            bits_per_symbol=self.bits_per_symbol,
            stream_id=stream_id,
            analog_symbols=len(chunk),
            analog_offset=offset,
            # Packets alone look as ever: dft is asked for by who wants their peaks low.
            precoding=self.precoding if len(chunk) or self.precoding == "dft" else "none",
        )
        return Frame(header, packet, chunk)

    def _next_seq(self) -> int:
        seq = self._seq
        self._seq = (seq + 1) & 0xFFFF
        return seq


class AckFramer:
    """Builds the frames of the return link, one acknowledgement each, without I/O."""

    def __init__(self) -> None:
        self._seq = 0

    def frame(self, job_id: int, ack: bytes) -> Frame:
        """The frame of one acknowledgement; :class:`ConfigError` if no header can describe it."""
        header = FrameHeader(
            job_id,
            self._seq,
            digital_bytes=len(ack),
            bits_per_symbol=ACK_BITS_PER_SYMBOL,
            ack=True,
        )
        self._seq = (self._seq + 1) & 0xFFFF
        return Frame(header, ack, np.zeros(0, np.complex64))
