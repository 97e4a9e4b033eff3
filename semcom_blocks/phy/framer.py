# SPDX-License-Identifier: GPL-3.0-or-later
"""Pair prompt packets and analog symbols into frames."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from semcom_blocks.errors import require_range
from semcom_blocks.phy.header import FrameHeader

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
    """Header and payload of a frame before modulation."""

    header: FrameHeader
    digital: bytes
    analog: np.ndarray


class Framer:
    """Builds frames from packets and analog streams, without I/O.

    Packets go out in the order given, one a frame; analog symbols of a job fill
    the frames that carry its packets and then frames of their own.
    """

    def __init__(
        self, analog_per_frame: int = DEFAULT_ANALOG_PER_FRAME, bits_per_symbol: int = 2
    ) -> None:
        self.analog_per_frame = int(
            require_range("analog_per_frame", analog_per_frame, 1, MAX_ANALOG_PER_FRAME)
        )
        self.bits_per_symbol = bits_per_symbol
        self._seq = 0
        self._packets: deque[tuple[int, bytes]] = deque()
        self._analog: deque[tuple[int, int, int, np.ndarray]] = deque()
        self._sent: dict[int, int] = {}

    def add_packet(self, job_id: int, packet: bytes) -> None:
        """Queue one prompt packet; raises :class:`ConfigError` if no header can describe it."""
        FrameHeader(job_id, 0, digital_bytes=len(packet), bits_per_symbol=self.bits_per_symbol)
        self._packets.append((job_id, packet))

    def add_analog(self, job_id: int, stream_id: int, symbols: np.ndarray) -> None:
        """Queue a stream of unit-average-power symbols, complex64 (n,), cut into even frames.

        Raises :class:`ConfigError` if no header can describe it.
        """
        FrameHeader(job_id, 0, stream_id=stream_id, analog_offset=max(len(symbols) - 1, 0))
        pieces = -(-len(symbols) // self.analog_per_frame)
        for chunk_at in np.array_split(np.arange(len(symbols)), pieces) if pieces else []:
            chunk = np.asarray(symbols[chunk_at[0] : chunk_at[-1] + 1], np.complex64)
            self._analog.append((job_id, stream_id, int(chunk_at[0]), chunk))

    def frames(self) -> Iterator[Frame]:
        """Build frames until nothing is queued."""
        while self._packets or self._analog:
            job_id, packet = self._packets.popleft() if self._packets else (None, b"")
            stream_id, offset, chunk = 0, 0, np.zeros(0, np.complex64)
            if self._analog and job_id in (None, self._analog[0][0]):
                job_id, stream_id, offset, chunk = self._analog.popleft()
            assert job_id is not None
            yield self._frame(job_id, packet, stream_id, offset, chunk)

    def frames_of(self, job_id: int) -> int:
        """Frames of a job built so far."""
        return self._sent.get(job_id, 0)

    def end(self, job_id: int) -> Iterator[Frame]:
        """Build the frames that close a job; they carry the number of frames sent before.

        What is still queued of the job, because its message was refused, is dropped.
        """
        self._packets = deque(entry for entry in self._packets if entry[0] != job_id)
        self._analog = deque(entry for entry in self._analog if entry[0] != job_id)
        total = self._sent.pop(job_id, 0)
        for _ in range(END_REPEATS):
            header = FrameHeader(job_id, self._next_seq(), analog_offset=total, end=True)
            yield Frame(header, b"", np.zeros(0, np.complex64))

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
