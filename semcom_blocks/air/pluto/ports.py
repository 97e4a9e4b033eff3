# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ports of a virtual Pluto, as the engine sees them.  The air's lock guards all.

What the transmitter sends comes from the client's buffer once it has pushed one, else from
the tone generators, until the buffer is closed.  With digital loopback on, the receiver
gets the transmitter's samples in place of the air's.
"""

from __future__ import annotations

import math
from collections import Counter, deque

import numpy as np

from semcom_blocks.air.device import ADC_FULL_SCALE, Tuning
from semcom_blocks.air.pluto.buffers import ReceiveBuffer, TransmitBuffer
from semcom_blocks.air.pluto.dds import ToneBank

#: Bits of the cores' status register at 0x88, set by trouble and cleared by writing them.
UNDERFLOW = 1
OVERFLOW = 4
#: Samples of the loopback kept while nobody receives: a quarter of a second at 4 MS/s.
LOOPBACK_SAMPLES = 1 << 20


class _Window:
    """A stretch of the sample counter during which a fault lasts."""

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._end: float | None = None

    def open(self, seconds: float) -> None:
        self._seconds, self._end = seconds, None

    def covers(self, at: int, rate_hz: float) -> bool:
        if self._seconds is not None:  # begins with the first samples after it was asked for
            self._end, self._seconds = at + max(self._seconds * rate_hz, 1.0), None
        if self._end is not None and at >= self._end:
            self._end = None
        return self._end is not None

    def pending(self) -> bool:
        return self._seconds is not None or self._end is not None


class Loopback:
    """Transmitted samples on their way to the receiver inside the chip, by sample counter."""

    def __init__(self) -> None:
        self.on = False
        self._queue: deque[tuple[int, np.ndarray]] = deque()

    def switch(self, on: bool) -> None:
        self.on = on
        self._queue.clear()

    def send(self, samples: np.ndarray, at: int) -> None:
        if self._queue and at > self._queue[0][0] + LOOPBACK_SAMPLES:
            self._queue.popleft()
        self._queue.append((at, samples))

    def receive(self, n: int, at: int) -> np.ndarray:
        """int16 (2 n,): what was sent at these sample counts, zero where nothing was."""
        out = np.zeros(n, np.complex64)
        while self._queue:
            start, samples = self._queue[0]
            if start >= at + n:
                break
            low, high = max(start, at), min(start + len(samples), at + n)
            if low < high:
                out[low - at : high - at] = samples[low - start : high - start]
            if start + len(samples) > at + n:
                break
            self._queue.popleft()
        codes = np.floor(out.view(np.float32) * np.float32(ADC_FULL_SCALE + 1))
        return np.clip(codes, -ADC_FULL_SCALE, ADC_FULL_SCALE).astype(np.int16)


class PlutoTx:
    """The transmit port."""

    def __init__(self, tuning: Tuning, loopback: Loopback, events: Counter[str]) -> None:
        self.tuning = tuning
        self.tones = ToneBank()
        self.buffer: TransmitBuffer | None = None
        self.status = 0
        self.starved = _Window()
        self._loopback = loopback
        self._events = events

    def clear(self, bits: int) -> None:
        self.status &= ~bits

    def streaming(self) -> bool:
        if self.buffer is not None and self.buffer.engaged:
            return self.buffer.running
        return self.tones.audible()

    def hungry(self, n: int) -> bool:
        buffer = self.buffer
        return buffer is not None and buffer.hungry(n) and not self.starved.pending()

    def take(self, n: int, at: int) -> np.ndarray | None:
        samples = self._next(n, at)
        if samples is not None and self._loopback.on:
            self._loopback.send(samples, at)
        return samples

    def _next(self, n: int, at: int) -> np.ndarray | None:
        buffer = self.buffer
        if buffer is None or not buffer.engaged:
            return self.tones.samples(at, n) if self.tones.audible() else None
        if not buffer.running:
            return None
        if self.starved.pending() and self.starved.covers(at, self.tuning.sample_rate_hz):
            self._note_underflow()
            return None
        samples = buffer.take(n)
        if len(samples) < n:
            self._note_underflow()
            samples = np.concatenate([samples, np.zeros(n - len(samples), np.complex64)])
        return samples

    def _note_underflow(self) -> None:
        self.status |= UNDERFLOW
        self._events["underflows"] += 1


class PlutoRx:
    """The receive port."""

    def __init__(self, tuning: Tuning, loopback: Loopback, events: Counter[str]) -> None:
        self.tuning = tuning
        self.buffer: ReceiveBuffer | None = None
        self.status = 0
        self.deaf = _Window()
        self._loopback = loopback
        self._events = events
        self._last: np.ndarray | None = None

    def clear(self, bits: int) -> None:
        self.status &= ~bits

    def streaming(self) -> bool:
        return self.buffer is not None

    def full(self, n: int) -> bool:
        return self.buffer is not None and self.buffer.full(n) and not self.deaf.pending()

    def put(self, iq: np.ndarray, at: int) -> None:
        if self._loopback.on:
            iq = self._loopback.receive(len(iq) // 2, at)
        self._last = iq
        if self.buffer is None:
            return
        lost = self.deaf.pending() and self.deaf.covers(at, self.tuning.sample_rate_hz)
        if lost or self.buffer.full(len(iq) // 2):
            self.status |= OVERFLOW
            self._events["overflows"] += 1
            return
        self.buffer.put(iq)

    def rssi_db(self) -> float:
        """How far the input lies below full scale without gain, in steps of 0.25 dB."""
        if self._last is None or not len(self._last):
            return 127.75
        branches = self._last.astype(np.float32)
        power = 2 * float(np.mean(branches * branches)) / ADC_FULL_SCALE**2
        level_db = -10 * math.log10(power) if power > 0 else 127.75
        return min(max(round(4 * (level_db + self.tuning.gain_db)) / 4, 0.0), 127.75)
