# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and prompts in by one radio, each handed on as soon as it is decoded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from host.config import RunConfig
from host.pipeline.decode import receive_picture
from host.pipeline.outcome import Outcome, Stopwatch
from host.pipeline.ports import SLICE_S, poll
from host.pipeline.progress import Progress
from host.pipeline.records import FrameLog, Reception
from host.pipeline.semantics import roles_of
from host.pipeline.session import READY_TIMEOUT_S, Session
from host.versions import own_versions
from semcom_blocks.errors import LinkError, PeerError
from semcom_blocks.wire import Message

# Frames of different jobs do not interleave; a log is kept for the few that may overlap.
OPEN_JOBS_MAX = 16


class FrameLogs:
    """Frame telemetry by job, until the job is delivered."""

    def __init__(self) -> None:
        self._logs: dict[int, FrameLog] = {}

    def add(self, message: Message) -> int:
        """Note a frame; returns how many its job has so far."""
        job_id = message.meta.get("job_id")
        key = job_id if isinstance(job_id, int) else -1
        if key not in self._logs and len(self._logs) >= OPEN_JOBS_MAX:
            self._logs.pop(next(iter(self._logs)))
        log = self._logs.setdefault(key, FrameLog())
        log.add(message)
        return len(log)

    def take(self, job_id: int) -> FrameLog:
        """The log of a job that is over."""
        return self._logs.pop(job_id, FrameLog())


def run_receive(
    run: RunConfig,
    progress: Progress,
    *,
    count: int,
    timeout_s: float,
    attach: bool = False,
    host_endpoint: str | None = None,
    threads: int | None = None,
    log_dir: Path | None = None,
) -> Iterator[Outcome]:
    """Yield ``count`` jobs (0: without end) as they arrive.

    ``LinkError`` when none arrives within ``timeout_s`` of the last one, or when a
    recording ends without one.  With ``attach`` they come by a flowgraph that runs already,
    which also shows the pictures.
    """
    watch = Stopwatch()
    with Session(run, host_endpoint=host_endpoint, threads=threads, log_dir=log_dir) as session:
        progress.stage("set-up")
        with watch.stage("setup"):
            host = session.open_host()
            sink = session.open_receiver(spawn=not attach)
            pong = host.ping(READY_TIMEOUT_S)
            host.load(roles_of(run, sends=False, draws=True, judges=False), run.models.model_dump())
            _wait_for_radio(session)
        setup_s = watch.spent_s["setup"]
        logs = FrameLogs()
        delivered = 0
        while count == 0 or delivered < count:
            progress.stage("air")
            watch = Stopwatch()
            with watch.stage("air"):
                reception = _next(session, logs, progress, timeout_s)
            if reception is None:
                break
            outcome = Outcome(run, reception.job_id, reception=reception)
            outcome.frames = logs.take(reception.job_id)
            outcome.devices = session.device_counters()
            stream = reception.picture_stream()
            outcome.descriptor = stream.descriptor if stream is not None else None
            outcome.symbols = len(stream.symbols) if stream is not None else None
            progress.stage("decode")
            with watch.stage("decode"):
                receive_picture(host, outcome, progress)
            if attach:
                session.show(outcome)
            outcome.versions = {**own_versions(), "host": pong["versions"]}
            outcome.timing_s = {"setup": setup_s, **watch.spent_s, "total": watch.total_s()}
            delivered += 1
            yield outcome
        sink.close()
        if run.recording.path is not None:
            session.end_receiver()
    if delivered == 0:
        raise LinkError(f"{run.radio.spec!a} ended and held no whole job")


def _wait_for_radio(session: Session) -> None:
    """Wait for the radio's first message, and leave it where it is."""
    sink = session.sink
    assert sink is not None
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not sink.socket.poll(SLICE_S * 1e3):
        session.alive()
        if time.monotonic() > deadline:
            raise PeerError(f"{sink.name} not ready within {READY_TIMEOUT_S:g} s")


def _next(
    session: Session, logs: FrameLogs, progress: Progress, timeout_s: float
) -> Reception | None:
    """The next job, or ``None`` when the recording is over."""
    sink = session.sink
    assert sink is not None
    deadline = time.monotonic() + timeout_s
    frames = 0
    while True:
        session.alive()
        poll([sink])
        for message in sink.arrived():
            if message.kind == "frame":
                frames += 1
                progress.frames(logs.add(message), 0)
            elif message.kind == "received":
                return Reception.of(message)
            elif message.kind == "end":
                return None
        if not session.keepers:
            sink.check()
        if time.monotonic() > deadline:
            raise LinkError(f"nothing received within {timeout_s:g} s, {frames} frames seen")
