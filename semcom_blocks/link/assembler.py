# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a job together again from frames and a message, without I/O.

    OPEN    --message, analog chunks--> OPEN
    OPEN    --end frame, message is there--> closed, JobReceived
    OPEN    --idle_timeout_s | too many open--> closed, JobReceived
    OPEN    --end frame, message lacks--> ENDING --message | END_GRACE_S--> closed, JobReceived

Analog symbols have no retransmission: what is missing when the job closes is an
erasure, value 0 with infinite noise variance.

What comes for a job number that was closed less than ``idle_timeout_s`` ago:

    end frame                          ignored: the end is sent more than once
    frame, analog after an end frame   a new job of the same number: the end comes last
    frame, analog without an end       ignored: the rest of a job that had to make room
    message after a complete job       a new job: the ARQ delivers each message once
    message after an incomplete one    ignored: it came too late

A job that was closed by silence was silent that long: whatever comes then opens it anew.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semcom_blocks.errors import ConfigError
from semcom_blocks.link.message import MAX_STREAMS
from semcom_blocks.phy.interleave import gather, interleaver_of

#: Jobs that may be open at once; the oldest is closed to make room.
MAX_OPEN_JOBS = 8
#: Closed job numbers that are remembered, so that late frames do not reopen a job.
MAX_CLOSED_JOBS = 256
#: The message takes one block more than the end frame does; this is how long it may be behind.
END_GRACE_S = 0.5
#: Symbols of all streams of a job: 16 megapixels at k/n = 1/6, and with their noise variance
#: what one message to the host can hold.  Chunks and lengths beyond it are not believed.
MAX_JOB_SYMBOLS = 1 << 23
#: Chunks of a job: each has a frame, and the frame's number has 16 bits.
MAX_JOB_CHUNKS = 1 << 16


@dataclass(frozen=True)
class ReceivedStream:
    """One analog stream: ``symbols`` complex64 (n,) and ``noise_var`` float32 (n,)."""

    stream_id: int
    descriptor: dict[str, Any]
    symbols: np.ndarray
    noise_var: np.ndarray
    received: int

    def in_order(self) -> tuple[np.ndarray, np.ndarray]:
        """Symbols and noise variances as they were before they were interleaved.

        In an order that a newer sender names and nobody here knows, all are erasures.
        """
        try:
            method = interleaver_of(self.descriptor)
        except ConfigError:
            return np.zeros_like(self.symbols), np.full_like(self.noise_var, np.inf)
        return gather(self.symbols, method), gather(self.noise_var, method)


@dataclass(frozen=True)
class JobReceived:
    """A closed job; ``prompt`` is None if the message never became complete."""

    job_id: int
    prompt: str | None
    streams: tuple[ReceivedStream, ...]
    frames_received: int
    frames_expected: int | None


@dataclass
class _Job:
    last_s: float
    prompt: str | None = None
    ended_s: float | None = None
    frames_expected: int | None = None
    descriptors: dict[int, dict[str, Any]] = field(default_factory=dict)
    chunks: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    n_symbols: int = 0
    seqs: set[int] = field(default_factory=set)


@dataclass
class _Closed:
    last_s: float
    ended: bool
    complete: bool


class JobAssembler:
    """Collects what arrives of each job; see the module's state table.

    ``dropped`` counts chunks beyond :data:`MAX_JOB_SYMBOLS` or :data:`MAX_JOB_CHUNKS`.
    """

    def __init__(self, idle_timeout_s: float = 3.0) -> None:
        self.idle_timeout_s = idle_timeout_s
        self.dropped = 0
        self._jobs: OrderedDict[int, _Job] = OrderedDict()
        self._closed: OrderedDict[int, _Closed] = OrderedDict()

    def on_message(
        self,
        job_id: int,
        prompt: str,
        streams: tuple[tuple[int, dict[str, Any]], ...],
        now_s: float,
    ) -> list[JobReceived]:
        """Take the job's message: the prompt and the descriptors of its streams."""
        closed = self._lately_closed(job_id, now_s)
        if closed is not None and not closed.complete:
            return []
        closing = self._open(job_id, now_s)
        job = self._jobs[job_id]
        job.prompt, job.descriptors = prompt, dict(streams)
        if job.ended_s is not None:
            closing.append(self._close(job_id))
        return closing

    def on_analog(
        self,
        job_id: int,
        stream_id: int,
        offset: int,
        symbols: np.ndarray,
        noise_var: np.ndarray,
        now_s: float,
    ) -> list[JobReceived]:
        """Take symbols complex64 (n,) of a stream from ``offset`` on, with their error variance.

        ``noise_var`` float32 (n,).  Raises :class:`ConfigError` where the lengths differ.
        """
        if symbols.shape != noise_var.shape or symbols.ndim != 1:
            shapes = f"{symbols.shape} and {noise_var.shape}"
            raise ConfigError(f"symbols and noise_var are {shapes}, permitted: (n,) both")
        closed = self._lately_closed(job_id, now_s)
        if closed is not None and not closed.ended:
            return self._ignore(closed, now_s)
        closing = self._open(job_id, now_s)
        job = self._jobs[job_id]
        before = job.chunks.get((stream_id, offset))
        total = job.n_symbols + len(symbols) - (0 if before is None else len(before[0]))
        full = before is None and len(job.chunks) >= MAX_JOB_CHUNKS
        if full or max(total, offset + len(symbols)) > MAX_JOB_SYMBOLS:
            self.dropped += 1
            return closing
        job.chunks[stream_id, offset] = (symbols, noise_var)
        job.n_symbols = total
        return closing

    def on_frame(self, job_id: int, seq: int, now_s: float) -> list[JobReceived]:
        """Note that a frame of the job arrived, whatever it carried."""
        closed = self._lately_closed(job_id, now_s)
        if closed is not None and not closed.ended:
            return self._ignore(closed, now_s)
        closing = self._open(job_id, now_s)
        self._jobs[job_id].seqs.add(seq)
        return closing

    def on_end(self, job_id: int, frames_expected: int, now_s: float) -> list[JobReceived]:
        """The job's sender has nothing more: close, or wait a moment for the message."""
        closed = self._lately_closed(job_id, now_s)
        if closed is not None:
            closed.ended = True
            return self._ignore(closed, now_s)
        closing = self._open(job_id, now_s)
        job = self._jobs[job_id]
        job.frames_expected = frames_expected
        if job.ended_s is None:
            job.ended_s = now_s
        if job.prompt is not None:
            closing.append(self._close(job_id))
        return closing

    def poll(self, now_s: float) -> list[JobReceived]:
        """Close jobs that ended or of which nothing came for ``idle_timeout_s``."""
        due = [
            job_id
            for job_id, job in self._jobs.items()
            if now_s - job.last_s > self.idle_timeout_s
            or (job.ended_s is not None and now_s - job.ended_s > END_GRACE_S)
        ]
        return [self._close(job_id) for job_id in due]

    def close_all(self) -> list[JobReceived]:
        """Close everything that is open, at the end of a recording."""
        return [self._close(job_id) for job_id in list(self._jobs)]

    def _lately_closed(self, job_id: int, now_s: float) -> _Closed | None:
        """What is remembered of a job that is closed and not open again."""
        closed = self._closed.get(job_id)
        if job_id in self._jobs or closed is None:
            return None
        return closed if now_s - closed.last_s <= self.idle_timeout_s else None

    @staticmethod
    def _ignore(closed: _Closed, now_s: float) -> list[JobReceived]:
        closed.last_s = now_s
        return []

    def _open(self, job_id: int, now_s: float) -> list[JobReceived]:
        """Make the job open if it is not; returns what had to be closed to make room."""
        evicted = []
        if job_id not in self._jobs:
            if len(self._jobs) >= MAX_OPEN_JOBS:
                evicted.append(self._close(next(iter(self._jobs))))
            self._jobs[job_id] = _Job(now_s)
        self._jobs[job_id].last_s = now_s
        return evicted

    def _close(self, job_id: int) -> JobReceived:
        job = self._jobs.pop(job_id)
        self._closed[job_id] = _Closed(job.last_s, job.ended_s is not None, job.prompt is not None)
        self._closed.move_to_end(job_id)
        while len(self._closed) > MAX_CLOSED_JOBS:
            self._closed.popitem(last=False)
        streams, room = [], MAX_JOB_SYMBOLS
        wanted = job.descriptors or {stream_id: {} for stream_id, _ in job.chunks}
        for stream_id, descriptor in sorted(wanted.items())[:MAX_STREAMS]:
            chunks = {at: part for (owner, at), part in job.chunks.items() if owner == stream_id}
            streams.append(_merge(stream_id, descriptor, chunks, room))
            room -= len(streams[-1].symbols)
        received = len(job.seqs)
        return JobReceived(job_id, job.prompt, tuple(streams), received, job.frames_expected)


def _merge(
    stream_id: int,
    descriptor: dict[str, Any],
    chunks: dict[int, tuple[np.ndarray, np.ndarray]],
    room: int,
) -> ReceivedStream:
    """Lay chunks at their offsets; the length is the descriptor's, else the furthest seen.

    A length beyond ``room`` is not believed, and then the furthest seen counts as far as it fits.
    """
    furthest = max((offset + len(part[0]) for offset, part in chunks.items()), default=0)
    length = descriptor.get("n", furthest)
    if type(length) is not int or not 0 <= length <= room:
        length = min(furthest, room)
    symbols = np.zeros(length, np.complex64)
    noise_var = np.full(length, np.inf, np.float32)
    for offset, (values, variance) in chunks.items():
        free = max(0, length - offset)
        symbols[offset : offset + len(values)] = values[:free]
        noise_var[offset : offset + len(values)] = variance[:free]
    received = int(np.count_nonzero(np.isfinite(noise_var)))
    return ReceivedStream(stream_id, descriptor, symbols, noise_var, received)
