# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a job together again from frames and a message, without I/O.

    OPEN    --message, analog chunks--> OPEN
    OPEN    --end frame, message is there | idle_timeout_s--> closed, JobReceived
    OPEN    --end frame, message lacks--> ENDING --message | END_GRACE_S--> closed, JobReceived

Analog symbols have no retransmission: what is missing when the job closes is an
erasure, value 0 with infinite noise variance.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Jobs that may be open at once; the oldest is closed to make room.
MAX_OPEN_JOBS = 8
#: Closed job numbers that are remembered, so that late frames do not reopen a job.
MAX_CLOSED_JOBS = 256
#: The message takes one block more than the end frame does; this is how long it may be behind.
END_GRACE_S = 0.5
#: Symbols of one stream at most: what the header's 24-bit offset can address.
MAX_STREAM_SYMBOLS = 1 << 24


@dataclass(frozen=True)
class ReceivedStream:
    """One analog stream: ``symbols`` complex64 (n,) and ``noise_var`` float32 (n,)."""

    stream_id: int
    descriptor: dict[str, Any]
    symbols: np.ndarray
    noise_var: np.ndarray
    received: int


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
    chunks: dict[int, dict[int, tuple[np.ndarray, np.ndarray]]] = field(default_factory=dict)
    seqs: set[int] = field(default_factory=set)


class JobAssembler:
    """Collects what arrives of each job; see the module's state table."""

    def __init__(self, idle_timeout_s: float = 3.0) -> None:
        self.idle_timeout_s = idle_timeout_s
        self._jobs: OrderedDict[int, _Job] = OrderedDict()
        self._closed: OrderedDict[int, float] = OrderedDict()

    def on_message(
        self,
        job_id: int,
        prompt: str,
        streams: tuple[tuple[int, dict[str, Any]], ...],
        now_s: float,
    ) -> list[JobReceived]:
        """Take the job's message: the prompt and the descriptors of its streams."""
        evicted = self._open(job_id, now_s)
        if job_id in self._jobs:
            job = self._jobs[job_id]
            job.prompt, job.descriptors = prompt, dict(streams)
            if job.ended_s is not None:
                evicted.append(self._close(job_id))
        return evicted

    def on_analog(
        self,
        job_id: int,
        stream_id: int,
        offset: int,
        symbols: np.ndarray,
        noise_var: np.ndarray,
        now_s: float,
    ) -> list[JobReceived]:
        """Take symbols complex64 (n,) of a stream from ``offset`` on, with their error variance."""
        evicted = self._open(job_id, now_s)
        if job_id in self._jobs and offset + len(symbols) <= MAX_STREAM_SYMBOLS:
            chunks = self._jobs[job_id].chunks.setdefault(stream_id, {})
            chunks[offset] = (symbols, noise_var)
        return evicted

    def on_frame(self, job_id: int, seq: int, now_s: float) -> list[JobReceived]:
        """Note that a frame of the job arrived, whatever it carried."""
        evicted = self._open(job_id, now_s)
        if job_id in self._jobs:
            self._jobs[job_id].seqs.add(seq)
        return evicted

    def on_end(self, job_id: int, frames_expected: int, now_s: float) -> list[JobReceived]:
        """The job's sender has nothing more: close, or wait a moment for the message."""
        evicted = self._open(job_id, now_s)
        job = self._jobs.get(job_id)
        if job is None:
            return evicted
        job.frames_expected = frames_expected
        if job.prompt is not None:
            return [*evicted, self._close(job_id)]
        if job.ended_s is None:
            job.ended_s = now_s
        return evicted

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

    def _open(self, job_id: int, now_s: float) -> list[JobReceived]:
        closed_s = self._closed.get(job_id, -math.inf)
        if now_s - closed_s <= self.idle_timeout_s:
            self._closed[job_id] = now_s
            return []
        evicted = []
        if job_id not in self._jobs:
            if len(self._jobs) >= MAX_OPEN_JOBS:
                evicted.append(self._close(next(iter(self._jobs))))
            self._jobs[job_id] = _Job(now_s)
        self._jobs[job_id].last_s = now_s
        return evicted

    def _close(self, job_id: int) -> JobReceived:
        job = self._jobs.pop(job_id)
        self._closed[job_id] = job.last_s
        while len(self._closed) > MAX_CLOSED_JOBS:
            self._closed.popitem(last=False)
        wanted = job.descriptors or {stream_id: {} for stream_id in job.chunks}
        streams = tuple(
            _merge(stream_id, descriptor, job.chunks.get(stream_id, {}))
            for stream_id, descriptor in sorted(wanted.items())
        )
        return JobReceived(job_id, job.prompt, streams, len(job.seqs), job.frames_expected)


def _merge(
    stream_id: int,
    descriptor: dict[str, Any],
    chunks: dict[int, tuple[np.ndarray, np.ndarray]],
) -> ReceivedStream:
    """Lay chunks at their offsets; the length is the descriptor's, else the furthest seen."""
    furthest = max((offset + len(part[0]) for offset, part in chunks.items()), default=0)
    length = descriptor.get("n", furthest)
    if not isinstance(length, int) or not 0 <= length <= MAX_STREAM_SYMBOLS:
        length = furthest
    symbols = np.zeros(length, np.complex64)
    noise_var = np.full(length, np.inf, np.float32)
    for offset, (values, variance) in chunks.items():
        room = max(0, length - offset)
        symbols[offset : offset + len(values)] = values[:room]
        noise_var[offset : offset + len(values)] = variance[:room]
    received = int(np.count_nonzero(np.isfinite(noise_var)))
    return ReceivedStream(stream_id, descriptor, symbols, noise_var, received)
