# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry one job over the air and collect what both radios say about it.

sender    transmit → accepted → tx_progress … → tx_done
receiver            frame … (one per frame found) → received
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from host.pipeline.ports import SinkPort, SourcePort, poll
from host.pipeline.progress import Progress
from host.pipeline.records import FrameLog, Reception, Transmission
from semcom_blocks.errors import LinkError, PeerError
from semcom_blocks.wire import Message

# Longest time without any event of the job; ARQ pauses are far shorter.
STALL_MAX_S = 30.0
# After the sender is done the receiver waits for stragglers before it delivers.
RECEIVED_GRACE_S = 10.0
GAVE_UP_GRACE_S = 2.0


@dataclass
class Exchange:
    """A job under way: ``transmission`` and ``reception`` are there when it is over."""

    job_id: int
    clock: Callable[[], float] = time.monotonic
    frames: FrameLog = field(default_factory=FrameLog)
    transmission: Transmission | None = None
    reception: Reception | None = None

    def __post_init__(self) -> None:
        self._event_at = self.clock()
        self._done_at: float | None = None
        self._frames_total = 0
        self._sender_done = False

    def from_sender(self, message: Message, progress: Progress) -> None:
        """Take one message of the Semantic Source."""
        if message.kind == "error":
            text = " ".join(str(message.meta.get("text")).split())
            raise LinkError(f"radio tx refused the job: {text}")
        if message.meta.get("job_id") != self.job_id:
            return
        self._event_at = self.clock()
        if message.kind == "tx_progress":
            self._frames_total = message.value("frames_total", int)
            progress.frames(message.value("frames_sent", int), self._frames_total)
            if message.meta.get("delivered") is False and self.transmission is None:
                # Given up, but a radio that nobody listens to may never say that it is done.
                self.transmission = Transmission.of(message)
                self._done_at = self._event_at
        elif message.kind == "tx_done":
            self.transmission = Transmission.of(message)
            self._done_at = self._event_at
            self._sender_done = True
            total = max(self._frames_total, self.transmission.frames_sent)
            progress.frames(self.transmission.frames_sent, total)

    def from_receiver(self, message: Message) -> None:
        """Take one message of the Semantic Sink."""
        if message.meta.get("job_id") != self.job_id and message.kind == "received":
            return
        self._event_at = self.clock()
        if message.kind == "frame":
            self.frames.add(message)
        elif message.kind == "received":
            self.reception = Reception.of(message)

    def over(self, needs_reception: bool) -> bool:
        """Whether nothing more is to come, or not within the grace that it is given."""
        if self.transmission is None or self._done_at is None:
            return False
        complete = self.reception is not None or not needs_reception
        if complete and self._sender_done:
            return True
        gave_up = self.transmission.delivered is False
        grace_s = GAVE_UP_GRACE_S if gave_up else RECEIVED_GRACE_S
        return self.clock() - self._done_at > grace_s

    def check_stall(self) -> None:
        """``PeerError`` if nothing at all has happened for too long."""
        if self.clock() - self._event_at > STALL_MAX_S:
            sender = "done" if self.transmission is not None else "not done"
            raise PeerError(
                f"the link made no progress for {STALL_MAX_S:g} s: "
                f"sender {sender}, {len(self.frames)} frames received"
            )


def carry(
    exchange: Exchange,
    source: SourcePort,
    sink: SinkPort | None,
    alive: Callable[[], None],
    progress: Progress,
) -> None:
    """Run ``exchange`` to its end. The job must have been handed to ``source`` already.

    Without a ``sink`` (the receiver is elsewhere) the sender's word ends it.
    """
    ports = [source] if sink is None else [source, sink]
    for port in ports:  # encoding a picture may have taken longer than a radio may be silent
        port.renew()
    while not exchange.over(needs_reception=sink is not None):
        alive()
        source.ping()
        for port in ports:
            port.check()
        poll(ports)
        for message in source.arrived():
            exchange.from_sender(message, progress)
        if sink is not None:
            for message in sink.arrived():
                exchange.from_receiver(message)
        exchange.check_stall()
