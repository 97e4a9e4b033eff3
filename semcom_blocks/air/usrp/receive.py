# SPDX-License-Identifier: GPL-3.0-or-later
"""One receive channel: samples of the air become packets, as the host's commands ask.

    state     on                               then
    idle      command, at once or in time      waiting or running
              command whose time is past       late command told, idle
    waiting   its time                         running
    running   all samples of a finite command  last packet ends the burst, next command
              stop                             what there is goes out, queue dropped, idle
              no room at the host              overrun told, idle; the driver restarts itself

Flow control: the host tells its room when the stream is set up and what it has taken
since; never is more under way than fits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from semcom_blocks.air.device import ADC_BITS, ADC_FULL_SCALE, Tuning
from semcom_blocks.air.usrp.chdr import (
    WORD_BYTES,
    PacketType,
    StreamCommand,
    StreamOp,
    StreamStatus,
)
from semcom_blocks.air.usrp.link import Link, RxEvent
from semcom_blocks.air.usrp.registers import RX_CONTINUOUS, RX_STOP
from semcom_blocks.air.usrp.timekeeper import NEAR_SAMPLES, Timekeeper, difference

HEADER_BYTES = 2 * WORD_BYTES
SAMPLE_BYTES = 4
# What a socket buffer holds beyond the payload of each packet; small packets would overfill it.
OVERHEAD_BYTES = 512
# How often the host shall tell what it took: every few packets, so that the room is known well.
REPORT_BYTES = 32 * 1024
REPORT_PACKETS = 16
MAX_COMMANDS = 33  # the device's queue
MIN_PACKET_SAMPLES = 16
# What libuhd hands on at once of frames of 7800 bytes; it would split longer packets.
MAX_PACKET_SAMPLES = 1944
FLOOR_DBFS = -120.0  # what silence is told as
CODE_SHIFT = 16 - ADC_BITS  # the converter's bits are the upper ones of 16


@dataclass(slots=True)
class _Command:
    left: int | None  # samples; None goes on until stopped
    start: int | None  # time; None is at once


class RxStream:
    """A receive channel; a :class:`semcom_blocks.air.device.RxPort`.

    window_bytes    bounds what is under way below the host's own room, so that with a virtual
                    clock air time does not run far ahead of the client; None leaves it there
    packet_samples  most of a packet
    with_time       whether packets carry their time
    jammed          a fault: as if the host had no room
    """

    def __init__(self, tuning: Tuning, link: Link, clock: Timekeeper) -> None:
        self.tuning = tuning
        self.window_bytes: int | None = None
        self.packet_samples = MAX_PACKET_SAMPLES
        self.with_time = True
        self.jammed = False
        self._last: np.ndarray | None = None  # codes that came last
        self._link = link
        self._clock = clock
        self._commands: deque[_Command] = deque()
        self._pending = bytearray()
        self.forget()

    def forget(self) -> None:
        """Stop; no host is there."""
        self.reset()
        self._destination = 0
        self._capacity = 0

    def reset(self) -> None:
        """Stop and drop everything under way."""
        self._commands.clear()
        self._run: _Command | None = None
        self._pending.clear()
        self._first = 0  # time of the first pending sample
        self._sequence = 0
        self._command_sequence = 0
        self._sent = [0, 0]  # bytes, packets since INIT
        self._taken = [0, 0]
        self._last_resync = 0

    # What the host sends.

    def set_up(self, destination: int) -> None:
        """Start the hand-shake for a stream to the host's endpoint."""
        self.reset()
        self._destination = destination
        self._capacity = 0
        payload = StreamCommand(self._link.epid(), StreamOp.INIT, REPORT_PACKETS, REPORT_BYTES)
        self._link.send(PacketType.STREAM_COMMAND, destination, 0, payload.pack())
        self._command_sequence = 1

    def status(self, status: StreamStatus) -> None:
        """Note the host's room and what it has taken."""
        if status.transferred_bytes > self._sent[0] or status.packets > self._sent[1]:
            self._link.count("rx_bad_status")
            return
        self._capacity = status.capacity_bytes
        self._taken = [status.transferred_bytes, status.packets]

    def command(self, mode: int, samples: int, time: int | None) -> None:
        """A receive command: RX_STOP, RX_FINITE or RX_CONTINUOUS."""
        if mode == RX_STOP:
            self._commands.clear()
            if self._run is not None:
                self._run = None
                self._send_pending(end=True)
            return
        if len(self._commands) >= MAX_COMMANDS or (mode != RX_CONTINUOUS and samples == 0):
            self._link.count("rx_command_refused")
            return
        self._commands.append(_Command(None if mode == RX_CONTINUOUS else samples, time))
        self._next_command(self._clock.now())

    def _next_command(self, now: int) -> None:
        """Take the next command that is not too late, if none runs."""
        while self._run is None and self._commands:
            command = self._commands.popleft()
            self._run = command
            if command.start is not None and difference(command.start, now) < 0:
                self._late(now)

    def _late(self, now: int) -> None:
        self._run = None
        self._link.count("rx_late_command")
        self._link.event(RxEvent.LATE_COMMAND, now)
        self._next_command(now)

    def level_dbfs(self) -> float:
        """Power of the samples that came last, relative to a full-scale sine."""
        if self._last is None or not len(self._last):
            return FLOOR_DBFS
        codes = self._last.astype(np.float64) / ADC_FULL_SCALE
        power = 2.0 * float(np.mean(codes**2))
        return max(FLOOR_DBFS, 10.0 * np.log10(power)) if power > 0.0 else FLOOR_DBFS

    # What the engine asks.

    def streaming(self) -> bool:
        """Whether a command runs or its time is near."""
        run = self._run
        if run is None or run.start is None:
            return run is not None
        return difference(run.start, self._clock.now()) < NEAR_SAMPLES

    def full(self, n: int) -> bool:
        """Whether the packets of ``n`` more samples exceed the room."""
        run = self._run
        if run is None or self.jammed:
            return False
        if run.start is not None:
            n -= max(0, difference(run.start, self._clock.now()))
        if run.left is not None:
            n = min(n, run.left)
        if n <= 0:
            return False
        packets, rest = divmod(len(self._pending) // SAMPLE_BYTES + n, self.packet_samples)
        size = HEADER_BYTES + SAMPLE_BYTES * self.packet_samples
        return not self._room((packets + (rest > 0)) * size, packets + 1)

    def put(self, iq: np.ndarray, at: int) -> None:
        """Packet ``iq`` as the running command asks."""
        now = self._clock.ticks(at)
        n = len(iq) // 2
        self._last = iq
        data = memoryview(np.left_shift(iq, CODE_SHIFT)).cast("B")
        done = 0
        while done < n and self._run is not None:
            run = self._run
            if run.start is not None:
                wait = difference(run.start, now + done)
                if wait >= n - done:
                    break
                if wait < 0:  # it came while these samples were under way
                    self._late(now + done)
                    continue
                done += wait
                run.start = None
            count = n - done if run.left is None else min(n - done, run.left)
            if not self._append(
                data[SAMPLE_BYTES * done : SAMPLE_BYTES * (done + count)], now + done
            ):
                self._overrun(now + done)
                continue
            done += count
            if run.left is not None:
                run.left -= count
                if run.left == 0:
                    self._finish(now + done)

    def _finish(self, now: int) -> None:
        self._run = None
        if not self._send_pending(end=True):
            self._overrun(now)
        self._next_command(now)

    def _overrun(self, now: int) -> None:
        self._run = None
        self._pending.clear()
        self._link.count("rx_overrun")
        self._link.event(RxEvent.OVERRUN, now)
        self._next_command(now)

    def _append(self, data: memoryview, time: int) -> bool:
        """Add samples and send whole packets, but for the last; False without room for one."""
        if not self._pending:
            self._first = time
        self._pending += data
        size = SAMPLE_BYTES * self.packet_samples
        start = 0
        with memoryview(self._pending) as pending:
            # A packet that is just full waits for one sample more, or for the end of the burst.
            while start + size < len(pending):
                if not self._send(bytes(pending[start : start + size]), False):
                    return False
                start += size
        del self._pending[:start]
        return True

    def _send_pending(self, end: bool) -> bool:
        data = bytes(self._pending)
        self._pending.clear()
        return not data or self._send(data, end)

    def _send(self, data: bytes, end: bool) -> bool:
        size = HEADER_BYTES + len(data)
        if self.jammed or not self._room(size, 1):
            return False
        kind = PacketType.TIMED_DATA if self.with_time else PacketType.DATA
        time = self._first if self.with_time else None
        self._link.send(kind, self._destination, self._sequence, data, time, end)
        self._sequence = self._sequence + 1 & 0xFFFF
        self._note(size - (0 if self.with_time else WORD_BYTES))
        self._first += len(data) // SAMPLE_BYTES
        if self._sent[0] - self._last_resync > self._limit() // 2:
            self._resync()
        return True

    def _note(self, size: int) -> None:
        self._sent[0] += size
        self._sent[1] += 1

    def _resync(self) -> None:
        """Tell what was sent, so that packets lost on the way do not cost room for ever."""
        self._last_resync = self._sent[0]
        payload = StreamCommand(self._link.epid(), StreamOp.RESYNC, self._sent[1], self._sent[0])
        sequence = self._command_sequence
        self._link.send(PacketType.STREAM_COMMAND, self._destination, sequence, payload.pack())
        self._command_sequence += 1
        self._note(3 * WORD_BYTES)

    def _room(self, size: int, packets: int) -> bool:
        under_way = self._sent[0] - self._taken[0] + size
        under_way += OVERHEAD_BYTES * (self._sent[1] - self._taken[1] + packets)
        return under_way <= self._limit()

    def _limit(self) -> int:
        window = self.window_bytes
        return self._capacity if window is None else min(self._capacity, window)
