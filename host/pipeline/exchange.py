# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry one job over the air and collect what both radios say about it.

sender    transmit → accepted → tx_progress … → tx_done
receiver            frame … (one per frame found) → received
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from host.pipeline.keeper import Keeper
from host.pipeline.ports import SinkPort, SourcePort, poll
from host.pipeline.progress import Progress
from host.pipeline.records import FrameLog, Reception, Transmission
from semcom_blocks.errors import LinkError, PeerError
from semcom_blocks.wire import Message

JOB_IDS = 1 << 16
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
    begun: int = 1

    def __post_init__(self) -> None:
        self._begin()

    def begin_again(self, job_id: int) -> None:
        """A radio was lost on the way: the job starts over under another number."""
        self.job_id, self.begun = job_id, self.begun + 1
        self.frames, self.transmission, self.reception = FrameLog(), None, None
        self._begin()

    def _begin(self) -> None:
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
        other = message.meta.get("job_id") != self.job_id
        if other and (message.kind == "received" or self.begun > 1):
            return
        self._event_at = self.clock()
        if message.kind == "frame":
            self.frames.add(message)
        elif message.kind == "received":
            self.reception = Reception.of(message)

    def complete(self, needs_reception: bool) -> bool:
        """Whether both sides have said all that there is to say."""
        return self._sender_done and (self.reception is not None or not needs_reception)

    def over(self, needs_reception: bool) -> bool:
        """Whether nothing more is to come, or not within the grace that it is given."""
        if self.transmission is None or self._done_at is None:
            return False
        if self.complete(needs_reception):
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
    keepers: Mapping[str, Keeper] | None = None,
    submit: Callable[[int], None] | None = None,
) -> None:
    """Run ``exchange`` to its end. The job must have been handed to ``source`` already.

    Without a ``sink`` (the receiver is elsewhere) the sender's word ends it.  Where a radio of
    ``keepers`` was lost meanwhile, it is waited for, and ``submit`` hands the job over once
    more under the number that it is given.  A sender whose receiver was lost is started
    anew before: what it still holds of the job would come between.
    """
    keepers = keepers or {}
    ports = [source] if sink is None else [source, sink]
    for port in ports:  # encoding a picture may have taken longer than a radio may be silent
        port.renew()
    needs_reception = sink is not None
    lost: set[str] = set()
    kept = {keeper.port for keeper in keepers.values()}
    while True:
        down = any(keeper.down for keeper in keepers.values())
        if exchange.complete(needs_reception) or (not down and exchange.over(needs_reception)):
            return
        alive()
        lost |= {role for role, keeper in keepers.items() if keeper.recovered()}
        if lost == {"rx"} and "tx" in keepers and not keepers["tx"].down:
            keepers["tx"].begin_again()
        elif lost and submit is not None and not any(k.down for k in keepers.values()):
            lost.clear()
            exchange.begin_again((exchange.job_id + 1) % JOB_IDS)
            progress.note(f"radio is back, the job starts over as number {exchange.job_id}")
            submit(exchange.job_id)
        source.ping()
        for port in ports:
            if port not in kept:
                port.check()
        poll(ports)
        for message in source.arrived():
            exchange.from_sender(message, progress)
        if sink is not None:
            for message in sink.arrived():
                exchange.from_receiver(message)
        if not down:
            exchange.check_stall()
