# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut frames out of an endless stream of samples.

    SEARCH --candidate--> CONFIRM --long field, header CRC--> COLLECT --all samples--> SEARCH
                             └──────────── neither matches ───────────────────────────────┘

A header that announces a band table makes COLLECT wait for that first; the table tells how long
the frame is.  A damaged table costs the frame and counts as a bad header.

A transmitter that breaks off and begins anew, or an overflow in between, leaves a
frame whose samples hold another frame's preamble: COLLECT looks for one, drops the
frame that was broken off and collects the later one.  Where the radio itself reports
that samples are missing, a frame across the gap is dropped at once.

Every step looks at a stretch of fixed length from an absolute position and runs
only once that stretch is there, so the frames found do not depend on how the
stream was cut into pieces.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from semcom_blocks.errors import ConfigError, LinkError
from semcom_blocks.phy import acquire, detect
from semcom_blocks.phy.dc import remove_dc
from semcom_blocks.phy.demodulator import symbol_starts
from semcom_blocks.phy.grid import frame_layout
from semcom_blocks.phy.header import (
    FrameHeader,
    header_symbols,
    table_bytes_after,
)
from semcom_blocks.phy.header_reader import read_head, read_table
from semcom_blocks.phy.known_layout import KnownLayout, TableLayout
from semcom_blocks.phy.measure import mean_power, to_db
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import short_len

#: Positions scanned at a time: large enough for NumPy, small enough to stay in the cache.
SCAN_BLOCK = 4096
#: Bad headers that are remembered for whoever looks at them.
MAX_BAD_HEADERS = 64
#: Sampling-rate offset for which a capture carries spare samples at its end.
SPARE_SRO = 150e-6


@dataclass(frozen=True)
class Capture:
    """One frame cut out of the stream.

    ``samples`` complex64 start at the window of the first long symbol and are not
    frequency-corrected; ``start_sample`` is that position in the stream;
    ``cfo_hz`` is refined by the header; ``power_dbfs`` is relative to 1.0.
    """

    samples: np.ndarray
    start_sample: int
    cfo_hz: float
    header: FrameHeader
    power_dbfs: float


@dataclass(frozen=True)
class _Pending:
    """A frame under way: ``body`` samples from its long field on are awaited.

    ``header`` is None as long as the band table that ``head`` announces is not read.
    """

    acquisition: acquire.Acquisition
    cfo_hz: float
    head: bytes
    header: FrameHeader | None
    body: int


@dataclass
class SyncCounters:
    """What the synchroniser saw."""

    samples: int = 0
    candidates: int = 0
    confirmed: int = 0
    headers_bad: int = 0
    truncated: int = 0
    gapped: int = 0
    frames: int = 0


class FrameSync:
    """Streaming frame synchroniser; see the module's state table."""

    def __init__(self, numerology: Numerology) -> None:
        self.numerology = numerology
        self.counters = SyncCounters()
        self._pieces: deque[np.ndarray] = deque()
        self._buffer = np.zeros(0, np.complex64)
        self._base = 0
        self._available = 0
        self._scan = 0
        self._candidates: deque[detect.Candidate] = deque()
        self._scan_end = 0
        self._pending: _Pending | None = None
        self._gaps: deque[int] = deque()
        #: Where the headers lay that failed their check; whoever wants them takes them.
        self.bad_headers: deque[acquire.Acquisition] = deque(maxlen=MAX_BAD_HEADERS)

    @property
    def held_samples(self) -> int:
        """Samples in memory: at most a frame and a scan block besides what was last pushed."""
        return len(self._buffer) + sum(map(len, self._pieces))

    def push(self, samples: np.ndarray, gaps: Sequence[int] = ()) -> list[Capture]:
        """Take samples complex64 (n,), any n; return the frames that became complete.

        ``gaps`` are rising offsets into ``samples`` before which the radio lost some
        (overflow): a frame across one is dropped and counted as ``gapped``, and the
        search goes on behind it.
        """
        self._gaps.extend(self._available + gap for gap in gaps)
        self.counters.samples += len(samples)
        self._available += len(samples)
        self._pieces.append(np.array(samples, np.complex64))
        captures = []
        while (capture := self._step()) is not None:
            if isinstance(capture, Capture):
                captures.append(capture)
        return captures

    def flush(self) -> list[Capture]:
        """End of the stream: pad with silence so that the last frame is not held back."""
        pad = SCAN_BLOCK + detect.lookahead(self.numerology) + acquire.extent(self.numerology)
        captures = self.push(np.zeros(2 * pad, np.complex64))
        self.counters.samples -= 2 * pad
        return captures

    # -- state machine -------------------------------------------------------------

    def _step(self) -> Capture | bool | None:
        """Make one transition: a capture, True for progress, None when samples lack."""
        if self._pending is not None:
            return self._collect()
        if self._candidates:
            return self._confirm()
        return self._search()

    def _view(self, start: int, stop: int) -> np.ndarray | None:
        """Samples of absolute positions start … stop, or None if not all are there yet."""
        if self._available < stop:
            return None
        if self._base + len(self._buffer) < stop:
            keep = self._buffer[max(0, self._keep_from() - self._base) :]
            self._base = self._base + len(self._buffer) - len(keep)
            self._buffer = np.concatenate([keep, *self._pieces])
            self._pieces.clear()
        start = max(start, self._base)
        return self._buffer[start - self._base : stop - self._base]

    def _keep_from(self) -> int:
        """Oldest position that any state may still look at."""
        oldest = self._scan
        if self._candidates:
            oldest = min(oldest, self._candidates[0].position)
        if self._pending is not None:
            oldest = min(oldest, self._pending.acquisition.long_position)
        return oldest - 2 * short_len(self.numerology)

    def _search(self) -> bool | None:
        num = self.numerology
        stop = self._scan + SCAN_BLOCK + detect.lookahead(num)
        window = self._view(self._scan, stop)
        if window is None:
            return None
        for found in detect.find_candidates(remove_dc(window), SCAN_BLOCK, num):
            self._candidates.append(detect.Candidate(self._scan + found.position, found.cfo_hz))
        self._scan_end = self._scan + SCAN_BLOCK
        if not self._candidates:
            self._scan = self._scan_end
        return True

    def _confirm(self) -> bool | None:
        candidate = self._candidates[0]
        window = self._view(candidate.position, candidate.position + self._confirm_len())
        if window is None:
            return None
        self._candidates.popleft()
        if self._lock(window, candidate):
            self._candidates.clear()
        elif not self._candidates:
            self._scan = self._scan_end
        return True

    def _header_len(self) -> int:
        """Samples from the window of the first long symbol to the end of the header."""
        num = self.numerology
        return int(symbol_starts(header_symbols(num), num)[-1]) + num.fft_size

    def _confirm_len(self) -> int:
        """Samples from a candidate's position that :meth:`_lock` may look at."""
        return acquire.extent(self.numerology) + self.numerology.cp_len + self._header_len()

    def _lock(self, window: np.ndarray, candidate: detect.Candidate) -> bool:
        """Make a candidate the pending frame if its long field and header are there.

        ``window`` holds the samples from the candidate's position on.
        """
        num = self.numerology
        self.counters.candidates += 1
        window = remove_dc(window[: self._confirm_len()])
        acquisition = acquire.confirm(window, candidate.position, candidate, num)
        if acquisition is None:
            return False
        self.counters.confirmed += 1
        offset = acquisition.long_position - candidate.position
        if offset >= 0 and self._read_header(window[offset:], acquisition):
            return True
        self.counters.headers_bad += 1
        self.bad_headers.append(acquisition)
        return False

    def _read_header(self, samples: np.ndarray, acquisition: acquire.Acquisition) -> bool:
        try:
            head, cfo_hz = read_head(samples, acquisition.cfo_hz, self.numerology)
            if table_bytes_after(head):
                layout: KnownLayout = TableLayout(self.numerology, head)
                header = None
            else:
                header = FrameHeader.from_bytes(head)
                layout = frame_layout(self.numerology, header)
        except (LinkError, ConfigError):
            return False
        self._pending = _Pending(acquisition, cfo_hz, head, header, self._body(layout))
        return True

    def _body(self, layout: KnownLayout) -> int:
        """Samples from the window of the first long symbol to the end of a layout."""
        num = self.numerology
        return int(symbol_starts(layout.n_symbols, num)[-1] + num.fft_size)

    def _collect(self) -> Capture | bool | None:
        assert self._pending is not None
        pending = self._pending
        start, body = pending.acquisition.long_position, pending.body
        if (gap := self._next_gap(start)) is not None and gap < start + body:
            self.counters.gapped += 1
            self._abandon(gap)
            return True
        if pending.header is None:
            return self._collect_table(pending)
        spare = acquire.backoff(self.numerology) + int(np.ceil(body * SPARE_SRO))
        samples = self._view(start, start + body + spare)
        if samples is None:
            return None
        # A later frame is looked for as far as all of its header lies within this one; the
        # search goes on from there, so that one that begins near the end is found as well.
        inner = self._header_len()
        stop = max(inner, body - self._confirm_len() - 2 * short_len(self.numerology))
        if stop > inner and self._restart(samples, start, inner, stop - inner):
            self.counters.truncated += 1
            return True
        self.counters.frames += 1
        self._pending = None
        samples = remove_dc(samples)
        self._scan = self._scan_end = start + stop
        power_dbfs = to_db(mean_power(samples[:body]))
        return Capture(samples.copy(), start, pending.cfo_hz, pending.header, power_dbfs)

    def _collect_table(self, pending: _Pending) -> bool | None:
        """Read the band table of the pending frame, or go on behind its header."""
        start = pending.acquisition.long_position
        samples = self._view(start, start + pending.body)
        if samples is None:
            return None
        try:
            header = read_table(remove_dc(samples), pending.head, pending.cfo_hz, self.numerology)
            layout = frame_layout(self.numerology, header)
        except (LinkError, ConfigError):
            self.counters.headers_bad += 1
            self.bad_headers.append(pending.acquisition)
            self._abandon(start + self._header_len())
            return True
        self._pending = replace(pending, header=header, body=self._body(layout))
        return True

    def _abandon(self, position: int) -> None:
        """Give the pending frame up and search on from a position."""
        self._pending = None
        self._candidates.clear()
        self._scan = self._scan_end = position

    def _next_gap(self, start: int) -> int | None:
        """The first gap behind position ``start``; earlier ones are forgotten."""
        while self._gaps and self._gaps[0] <= start:
            self._gaps.popleft()
        return self._gaps[0] if self._gaps else None

    def _restart(self, samples: np.ndarray, start: int, inner: int, n_scan: int) -> bool:
        """Look for another frame in ``samples`` from ``inner`` on, and lock to the first one."""
        level = remove_dc(samples[inner:])
        for found in detect.find_candidates(level, n_scan, self.numerology):
            at = inner + found.position
            if self._lock(samples[at:], detect.Candidate(start + at, found.cfo_hz)):
                return True
        return False


def iterate(sync: FrameSync, chunks: Iterator[np.ndarray]) -> Iterator[Capture]:
    """Run a synchroniser over chunks of samples, then flush it."""
    for chunk in chunks:
        yield from sync.push(chunk)
    yield from sync.flush()
