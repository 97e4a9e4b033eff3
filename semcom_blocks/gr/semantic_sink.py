# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic Sink: hands received prompts, symbols and measurements to the host over ZeroMQ."""

import time
from typing import Any

import numpy as np
import zmq

from semcom_blocks import transport
from semcom_blocks.gr.base import PduBlock, versions
from semcom_blocks.gr.received import display_arrays, frame_message, received_message
from semcom_blocks.link.assembler import JobAssembler, JobReceived
from semcom_blocks.link.message import SemanticMessage
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.wire import Message, encode

TICK_S = 0.02
#: Ends of jobs of which one half is there; a flood of odd frames must not take memory.
MAX_OPEN_ENDS = 64
#: Heartbeats let the host tell a quiet channel from a dead process.
HEARTBEAT_S = 0.2
#: What ZeroMQ holds itself can no longer be dropped as stale; the bounded queue is in front.
HIGH_WATER_MARK = 8


class SemanticSink(PduBlock):
    """PUSH bound at ``endpoint``; bounded queues drop the oldest when nobody listens.

    Measurements of frames wait in a queue of their own, so that a flood of them cannot
    push out the job that came before.

    Ports: ``message`` in (u8), ``frames`` in (c32 with all measurements).
    """

    def __init__(
        self,
        endpoint: str = "tcp://127.0.0.1:5561",
        numerology: Numerology | None = None,
        idle_timeout_s: float = 3.0,
        allow_remote: bool = False,
    ) -> None:
        handlers = {"message": self._on_message, "frames": self._on_frame}
        super().__init__("Semantic Sink", handlers, (), TICK_S, self._on_tick)
        socket = transport.open_socket(
            zmq.Context.instance(),
            zmq.PUSH,
            bind=endpoint,
            high_water_mark=HIGH_WATER_MARK,
            allow_remote=allow_remote,
        )
        self._socket = transport.MessageSocket(socket)
        self._frames = transport.BoundedSender(self._socket)
        # Whoever reads a job has its frames already.
        self._results = transport.BoundedSender(self._socket, follows=self._frames)
        self._numerology = numerology or Numerology()
        self._assembler = JobAssembler(idle_timeout_s)
        self._counters: dict[str, int] = {}
        self._radio: dict[str, int] = {}
        self._display: dict[str, np.ndarray] = {}
        self._heartbeat_s = 0.0
        self._at_end: set[str] = set()
        self._ends: dict[tuple[int, int], set[str]] = {}

    def stop(self) -> bool:
        """Send what is queued if the peer takes it, then close."""
        super().stop()
        self._frames.drain(0.2)
        self._results.drain(0.2)
        self._socket.close(linger_s=0.2)
        return True

    def on_eof(self, port: str) -> None:
        """End of a recording: close what is open, then say so.

        Frames and messages come by two ways; only behind both ends nothing is under way.
        """
        self._at_end.add(port)
        if self._at_end == {"message", "frames"}:
            self._at_end.clear()
            self._deliver(self._assembler.close_all())
            self._results.push(Message("end", {"counters": self._counters}, {}))

    def _on_message(self, meta: dict[str, Any], body: np.ndarray) -> None:
        if meta.get("job_end"):
            self._on_end("message", meta["job_id"], meta["seq"], meta["frames_expected"])
            return
        if "counters" in meta:
            self._counters = meta["counters"]
            return
        if "radio" in meta:
            self._radio = meta["radio"]
            return
        message = SemanticMessage.from_bytes(body.tobytes())
        streams = tuple((stream_id, dict(entry)) for stream_id, entry in message.streams)
        now_s = time.monotonic()
        self._deliver(self._assembler.on_message(meta["job_id"], message.prompt, streams, now_s))

    def _on_frame(self, meta: dict[str, Any], analog: np.ndarray) -> None:
        header = FrameHeader.from_bytes(meta["header"].tobytes())
        now_s = time.monotonic()
        self._display |= display_arrays(meta, analog, self._numerology)
        self._frames.push(frame_message(header, meta))
        if header.end:
            self._on_end("frames", header.job_id, header.seq, header.analog_offset)
            return
        self._deliver(self._assembler.on_frame(header.job_id, header.seq, now_s))
        at, noise_var = 0, meta["symbol_noise_var"]
        for chunk in header.chunks:
            here = slice(at, at + chunk.symbols)
            parts = (chunk.stream_id, chunk.offset, analog[here], noise_var[here])
            self._deliver(self._assembler.on_analog(header.job_id, *parts, now_s))
            at = here.stop

    def _on_end(self, port: str, job_id: int, seq: int, frames_expected: int) -> None:
        """The frame ``seq`` that closes a job came by ``port``; it comes by both.

        Only behind both no packet and no symbol of the job is under way.
        """
        ports = self._ends.setdefault((job_id, seq), set())
        ports.add(port)
        if ports == {"message", "frames"}:
            del self._ends[job_id, seq]
            self._deliver(self._assembler.on_end(job_id, frames_expected, time.monotonic()))
        while len(self._ends) > MAX_OPEN_ENDS:
            self._ends.pop(next(iter(self._ends)))

    def _on_tick(self) -> None:
        now_s = time.monotonic()
        self._deliver(self._assembler.poll(now_s))
        self._frames.pump()
        self._results.pump()
        queued = len(self._frames) + len(self._results)
        if now_s - self._heartbeat_s >= HEARTBEAT_S and not queued:
            self._heartbeat_s = now_s
            dropped = self._frames.dropped + self._results.dropped
            counters = self._counters | {"sent": self._socket.sent, "dropped": dropped}
            status = {"role": "rx", "counters": counters, "versions": versions()}
            status["radio"] = self._radio
            # A heartbeat that nobody takes is no loss.
            self._socket.offer(encode(Message("status", status, {})))

    def _deliver(self, jobs: list[JobReceived]) -> None:
        for job in jobs:
            self._results.push(received_message(job, self._counters, self._display))
