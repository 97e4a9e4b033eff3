# SPDX-License-Identifier: GPL-3.0-or-later
"""One transmit channel: packets from the host become samples at their time.

    state     on                              then
    idle      packet without time             burst
              packet whose time has come      burst
              packet whose time is past       late data told, packet dropped, idle
    burst     samples run out                 underrun told, idle
              end of burst sent               burst acknowledged, idle

Flow control: the host may have CAPACITY_BYTES under way; each time as much has left
the queue as it asked for, a stream status tells it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from semcom_blocks.air.device import Tuning
from semcom_blocks.air.usrp.chdr import (
    WORD_BYTES,
    ChdrError,
    Packet,
    PacketType,
    StreamCommand,
    StreamOp,
    StreamStatus,
)
from semcom_blocks.air.usrp.link import Link, TxEvent
from semcom_blocks.air.usrp.timekeeper import NEAR_SAMPLES, Timekeeper, difference

# 131 ms at 2 MS/s: a host that is late by some turns of a busy scheduler does no harm.
CAPACITY_BYTES = 1024 * 1024
CAPACITY_PACKETS = 4096
FULL_SCALE = 32767.0  # what libuhd makes of 1.0
SEQUENCE_ERROR = 2
POLICY_BURST = 2  # after an error drop the rest of the burst, not of the packet alone


@dataclass(slots=True)
class _Queued:
    samples: np.ndarray  # int16, I and Q in turns
    time: int | None
    end: bool
    size: int  # bytes that it takes of the capacity


class TxStream:
    """A transmit channel; a :class:`semcom_blocks.air.device.TxPort`."""

    def __init__(self, tuning: Tuning, link: Link, clock: Timekeeper) -> None:
        self.tuning = tuning
        self.policy = 1
        self.dry = False  # a fault: nothing gets out of the queue
        self._link = link
        self._clock = clock
        self._queue: deque[_Queued] = deque()
        self.forget()

    def forget(self) -> None:
        """Drop what is queued; no host is there."""
        self._host = 0
        self._frequency = (0, 0)  # bytes, packets between two status packets
        self._expected: int | None = None
        self._status_sequence = 0
        self._flush()
        self._transferred = [0, 0]  # bytes, packets since INIT

    def _flush(self) -> None:
        self._queue.clear()
        self._head = 0  # int16 values of the first packet already sent
        self._held = 0  # bytes
        self._samples = 0  # still to send, all bursts
        self._running = False
        self._skipping = False
        self._next = 0  # sample counter up to which samples were taken
        self._since_status = [0, 0]

    # What the host sends.

    def command(self, command: StreamCommand) -> None:
        """Set up flow control, answer, or bring the counts in line after losses."""
        self._host = command.source
        if command.op == StreamOp.INIT:
            self._flush()
            self._transferred = [0, 0]
            self._frequency = (command.transferred_bytes, command.packets)
            self._expected = 0
        elif command.op == StreamOp.RESYNC:
            # The counts are those before this packet, which takes room and is gone at once.
            size = 3 * WORD_BYTES
            self._transferred = [
                command.transferred_bytes + size - self._held,
                command.packets + 1 - len(self._queue),
            ]
        elif command.op != StreamOp.PING:
            raise ChdrError(f"stream command is {command.op}, permitted: 0 to 2")
        self._tell()

    def packet(self, packet: Packet) -> None:
        """Queue a packet of samples."""
        if len(packet.payload) % 4:
            raise ChdrError(f"sample packet has {len(packet.payload)} bytes, permitted: n times 4")
        size = -(-packet.length // WORD_BYTES) * WORD_BYTES
        if self._held + size > CAPACITY_BYTES or len(self._queue) >= CAPACITY_PACKETS:
            self._link.count("tx_beyond_credit")
            return
        if self._expected is not None and packet.sequence != self._expected:
            self._link.count("tx_sequence_error")
            self._tell(SEQUENCE_ERROR)
        self._expected = packet.sequence + 1 & 0xFFFF
        samples = np.frombuffer(packet.payload, np.int16)
        self._queue.append(_Queued(samples, packet.time, packet.end_of_burst, size))
        self._held += size
        self._samples += len(samples) // 2

    # What the engine asks.

    def streaming(self) -> bool:
        """Whether a burst is open or the time of the next one is near."""
        if self._running or not self._queue:
            return self._running
        start = self._queue[0].time
        return start is None or difference(start, self._clock.now()) < NEAR_SAMPLES

    def hungry(self, n: int) -> bool:
        """Whether the last burst is open and its samples end within the next ``n``."""
        if not self._queue:
            return self._running
        if self._queue[-1].end or self._samples >= n or self.dry:
            return False
        first = self._queue[0]
        if not self._running and first.time is not None:
            # The engine may have taken some samples ahead of the counter.
            taken = max(0, self._next - self._clock.counter())
            wait = difference(first.time, self._clock.now()) - taken
            return wait < n and self._samples < n - max(wait, 0)
        return True

    def take(self, n: int, at: int) -> np.ndarray | None:
        """The next ``n`` samples, None while nothing is sent."""
        if not self._running and not self._queue:
            return None
        now = self._clock.ticks(at)
        self._next = at + n
        out: np.ndarray | None = None
        got = 0
        while got < n and self._queue and not self.dry:
            first = self._queue[0]
            if not self._running:
                wait = self._wait(first, now + got)
                if wait is None:
                    continue
                if wait >= n - got:
                    break
                got += wait
                self._running = True
            if out is None:
                out = np.zeros(2 * n, np.int16)
            values = min(len(first.samples) - self._head, 2 * (n - got))
            out[2 * got : 2 * got + values] = first.samples[self._head : self._head + values]
            self._head += values
            self._samples -= values // 2
            got += values // 2
            if self._head == len(first.samples):
                self._pop()
                if first.end:
                    self._running = False
                    self._link.count("tx_bursts")
                    self._link.event(TxEvent.BURST_ACK, now + got)
        if self._running and got < n:
            self._fail(TxEvent.UNDERRUN, now + got)
        if out is None:
            return None
        return (out.astype(np.float32) * np.float32(1.0 / FULL_SCALE)).view(np.complex64)

    def _wait(self, first: _Queued, now: int) -> int | None:
        """Samples until an idle channel may start on ``first``; None if it was dropped."""
        if self._skipping:
            self._skipping = not first.end
            self._pop()
            return None
        wait = 0 if first.time is None else difference(first.time, now)
        if wait >= 0:
            return wait
        self._pop()
        self._fail(TxEvent.LATE_DATA, now, first.end)
        return None

    def _fail(self, code: TxEvent, ticks: int, ended: bool = False) -> None:
        self._running = False
        self._skipping = self.policy == POLICY_BURST and not ended
        self._link.count("tx_" + code.name.lower())
        self._link.event(code, ticks)

    def _pop(self) -> None:
        gone = self._queue.popleft()
        self._samples -= (len(gone.samples) - self._head) // 2
        self._head = 0
        self._held -= gone.size
        for counts in (self._transferred, self._since_status):
            counts[0] += gone.size
            counts[1] += 1
        due = zip(self._since_status, self._frequency, strict=True)
        if any(limit and count >= limit for count, limit in due):
            self._tell()

    def _tell(self, status: int = 0) -> None:
        self._since_status = [0, 0]
        payload = StreamStatus(
            self._link.epid(),
            CAPACITY_BYTES,
            CAPACITY_PACKETS,
            self._transferred[1],
            self._transferred[0],
            status,
        ).pack()
        self._link.send(PacketType.STREAM_STATUS, self._host, self._status_sequence, payload)
        self._status_sequence += 1
