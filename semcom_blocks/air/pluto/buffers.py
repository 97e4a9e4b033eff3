# SPDX-License-Identifier: GPL-3.0-or-later
"""The queues between a client's buffers and the converters, as the kernel's DMA has them.

Samples on the client's side are int16, the enabled branches (0 is I, 1 is Q) in turns.
Nothing here waits or locks: the owner holds the air's lock.
"""

from __future__ import annotations

from collections import deque

import numpy as np

Branches = tuple[int, ...]

SAMPLE_BYTES = 2  # of one branch
#: The transmit converter has 12 of the client's 16 bits, the upper ones.
_DAC_MASK = np.int16(-16)
_DAC_SCALE = np.float32(2.0**-15)


class ReceiveBuffer:
    """``blocks`` kernel buffers of ``samples`` each; what arrives beyond them is lost."""

    def __init__(self, samples: int, blocks: int, branches: Branches) -> None:
        self.samples = samples
        self.blocks = blocks
        self.branches = branches
        self.filled = 0  # samples
        self._queue: deque[np.ndarray] = deque()

    @property
    def frame_bytes(self) -> int:
        return SAMPLE_BYTES * len(self.branches)

    def full(self, n: int) -> bool:
        """Never before one buffer is complete: whoever waits for it must get it."""
        return self.filled >= self.samples and self.filled + n > self.samples * self.blocks

    def put(self, iq: np.ndarray) -> None:
        """int16 (2 n,), I and Q in turns; kept, not copied."""
        self._queue.append(iq)
        self.filled += len(iq) // 2

    def take(self, n: int) -> list[np.ndarray]:
        """``n`` ≤ ``filled`` samples of the enabled branches, in contiguous int16 pieces."""
        pieces = []
        left = 2 * n
        while left:
            piece = self._queue.popleft()
            if len(piece) > left:
                self._queue.appendleft(piece[left:])
                piece = piece[:left]
            left -= len(piece)
            pieces.append(piece)
        self.filled -= n
        if len(self.branches) == 2:
            return pieces
        return [np.ascontiguousarray(piece[self.branches[0] :: 2]) for piece in pieces]


class TransmitBuffer:
    """``blocks`` kernel buffers at most are queued; a cyclic one repeats the last pushed."""

    def __init__(self, samples: int, blocks: int, branches: Branches, cyclic: bool) -> None:
        self.samples = samples
        self.blocks = blocks
        self.branches = branches
        self.cyclic = cyclic
        self.engaged = False  # has the converter: from the first push to the end
        self.running = False  # has samples or is owed some: till the queue ran dry
        self.filled = 0
        self._queue: deque[np.ndarray] = deque()
        self._position = 0  # in the first of the queue

    @property
    def frame_bytes(self) -> int:
        return SAMPLE_BYTES * len(self.branches)

    def convert(self, raw: np.ndarray) -> np.ndarray:
        """int16 of the client → what the converter makes of it, complex64, read-only."""
        branches = np.empty((len(raw) // len(self.branches), 2), np.float32)
        if len(self.branches) == 2:
            np.multiply(raw & _DAC_MASK, _DAC_SCALE, out=branches.reshape(-1))
        else:
            branches[:, 1 - self.branches[0]] = 0
            branches[:, self.branches[0]] = (raw & _DAC_MASK) * _DAC_SCALE
        samples = branches.view(np.complex64)[:, 0]
        samples.setflags(write=False)
        return samples

    def room(self) -> bool:
        return self.cyclic or len(self._queue) < self.blocks

    def push(self, samples: np.ndarray) -> None:
        """Queue complex64 (n,), n > 0."""
        if self.cyclic:
            self._queue.clear()
            self.filled = self._position = 0
        self._queue.append(samples)
        self.filled += len(samples)
        self.engaged = self.running = True

    def hungry(self, n: int) -> bool:
        return self.running and not self.cyclic and self.filled < n

    def take(self, n: int) -> np.ndarray:
        """The next samples, complex64, fewer than ``n`` if the queue runs dry; read-only."""
        if self.cyclic:
            return self._wrap(n)
        head = self._queue[0] if self._queue else None
        if head is not None and len(head) - self._position > n:
            samples = head[self._position : self._position + n]
            self._position += n
        else:
            samples = self._gather(min(n, self.filled))
        self.filled -= len(samples)
        self.running = len(samples) == n
        return samples

    def _gather(self, n: int) -> np.ndarray:
        out = np.empty(n, np.complex64)
        done = 0
        while done < n:
            piece = self._queue[0][self._position : self._position + n - done]
            out[done : done + len(piece)] = piece
            done += len(piece)
            self._position += len(piece)
            if self._position == len(self._queue[0]):
                self._queue.popleft()
                self._position = 0
        return out

    def _wrap(self, n: int) -> np.ndarray:
        cycle = self._queue[0]
        start, self._position = self._position, (self._position + n) % len(cycle)
        if start + n <= len(cycle):
            return cycle[start : start + n]
        return np.take(cycle, np.arange(start, start + n), mode="wrap")
