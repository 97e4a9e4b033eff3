# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a recording: samples as they come, and at the end its name and metadata.

    OPEN --write, note, gap--> OPEN
    OPEN --max_bytes reached--> FULL     what comes is dropped, what is there is kept
    OPEN --disk full or gone--> FULL     the same: a link does not end because its recording does
    any  --close--> CLOSED               both files get their names, data first

Until closed the data lie in ``NAME.sigmf-data.partial``, so a recording that has its name is whole.
"""

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from semcom_blocks import __version__, sigmf
from semcom_blocks.errors import RadioError, require_range
from semcom_blocks.recording.notes import EXTENSION, NAMESPACE, FrameNote, without_echoes

logger = logging.getLogger(__name__)

SAMPLE_BYTES = 8
#: Least and most that a recording may be limited to; the default is 4 minutes at 1 MS/s.
MIN_LIMIT_BYTES, MAX_LIMIT_BYTES = 1 << 20, 1 << 43
DEFAULT_LIMIT_BYTES = 2_000_000_000
#: Left free on the disk, for metadata and for everybody else.
RESERVE_BYTES = 64 << 20
#: The disk is asked for its room as often as this much was written.
CHECK_BYTES = 16 << 20
#: Frames that are noted; the metadata stay readable (40 MB) and the memory bounded.
MAX_NOTES = 100_000
#: Captures: a radio that overflows for hours must not fill the memory with its gaps.
MAX_CAPTURES = 10_000


@dataclass(frozen=True)
class About:
    """What a recording says about itself.

    ``hardware`` names the radio; ``frequency_hz`` and ``gain_db`` are None where there is no
    such thing, as with simulated radios; ``extra`` goes into our namespace as it is.
    """

    sample_rate_hz: float
    description: str = ""
    hardware: str = ""
    frequency_hz: float | None = None
    gain_db: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def free_bytes(folder: Path) -> int:
    """Room on the disk that holds ``folder``."""
    return shutil.disk_usage(folder).free


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(timezone.utc)


class RecordingWriter:
    """One recording under way; see the module's state table.

    Raises :class:`RadioError` where the folder is missing, read-only or its disk nearly full.
    """

    def __init__(
        self,
        path: str,
        about: About,
        max_bytes: int = DEFAULT_LIMIT_BYTES,
        room: Callable[[Path], int] = free_bytes,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.pair = sigmf.unused(sigmf.pair(path))
        self.pair.check_writable("recording")
        self.about = about
        #: Why the recording could not get its name, None while all is well.
        self.error: RadioError | None = None
        self.samples = 0
        self._limit = int(
            require_range("max_bytes", max_bytes, MIN_LIMIT_BYTES, MAX_LIMIT_BYTES) // SAMPLE_BYTES
        )
        self._room, self._now = room, now
        self._captures: list[dict[str, Any]] = []
        self._notes: list[FrameNote] = []
        self._not_noted = 0
        self._unchecked = 0
        self._ended = ""
        self._check_room()
        if self._ended:
            raise self._lost(self._ended)
        self._partial = Path(f"{self.pair.data}.partial")
        try:
            self._file = self._partial.open("xb", buffering=0)
        except OSError as error:
            raise self._lost(error.strerror or str(error)) from None

    @property
    def ended(self) -> str:
        """Why nothing more is written; empty while all is well."""
        return self._ended

    def write(self, samples: np.ndarray) -> None:
        """Append samples, complex64 (n,), as far as limit and disk allow."""
        if self._file.closed or self._ended:
            return
        samples = samples[: self._limit - self.samples]
        if not self._captures:
            self._begin_capture(0, before=len(samples))
        data = memoryview(samples.astype("<c8", copy=False).tobytes())
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            self.samples = self._file.tell() // SAMPLE_BYTES
            self._end(error.strerror or str(error))
            return
        self.samples += len(samples)
        self._unchecked += SAMPLE_BYTES * len(samples)
        if self._unchecked >= CHECK_BYTES:
            self._check_room()
        if self.samples >= self._limit and not self._ended:
            self._end(f"it has reached its limit of {SAMPLE_BYTES * self._limit} bytes")

    def gap(self, sample_start: int) -> None:
        """From ``sample_start`` on, which comes next, is a new capture: some before it are lost."""
        if not self._captures:
            self._begin_capture(0)
        last = self._captures[-1]["core:sample_start"]
        if sample_start > last and len(self._captures) < MAX_CAPTURES and not self._ended:
            self._begin_capture(sample_start)

    def _begin_capture(self, sample_start: int, before: int = 0) -> None:
        """``before``: samples from there that came already, by which its time is known."""
        about = self.about
        began = self._now() - timedelta(seconds=before / about.sample_rate_hz)
        capture: dict[str, Any] = {"core:sample_start": sample_start}
        if about.frequency_hz is not None:
            capture["core:frequency"] = about.frequency_hz
        capture["core:datetime"] = began.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if about.gain_db is not None:
            capture[f"{NAMESPACE}:gain_db"] = about.gain_db
        self._captures.append(capture)

    def note(self, frame: FrameNote) -> None:
        """Annotate a frame, in any order; those beyond the end are left out."""
        if len(self._notes) < MAX_NOTES:
            self._notes.append(frame)
        else:
            self._not_noted += 1

    def close(self) -> None:
        """Give both files their names; without any sample there is no recording."""
        if self._file.closed:
            return
        try:
            self._file.truncate(SAMPLE_BYTES * self.samples)  # a failed write may leave half a one
            self._file.close()
            if not self.samples:
                self._partial.unlink(missing_ok=True)
                return
            os.replace(self._partial, self.pair.data)
            self.pair.write_document(self._document())
        except OSError as error:
            self.error = self._lost(error.strerror or str(error))

    def _document(self) -> dict[str, Any]:
        about = self.about
        # What the filters of a sender hold back, or the limit cut off, is not there.
        there = [n for n in self._notes if n.sample_start + n.sample_count <= self.samples]
        own = {"samples": self.samples, **about.extra}
        if self._not_noted:
            own["frames_not_noted"] = self._not_noted
        if self._ended:
            own["ended"] = self._ended
        fields = {
            "core:datatype": "cf32_le",
            "core:sample_rate": about.sample_rate_hz,
            "core:version": "1.0.0",
            "core:num_channels": 1,
            "core:recorder": f"semcom {__version__}",
            "core:description": about.description,
            "core:hw": about.hardware,
            "core:extensions": [EXTENSION],
            **{f"{NAMESPACE}:{key}": value for key, value in own.items()},
        }
        captures = [c for c in self._captures if c["core:sample_start"] < self.samples]
        return {
            "global": fields,
            "captures": captures,
            "annotations": [note.to_annotation() for note in without_echoes(there)],
        }

    def _check_room(self) -> None:
        self._unchecked = 0
        room = self._room(self.pair.data.parent)
        if room < RESERVE_BYTES:
            self._end(f"its disk has {room} bytes left, permitted: {RESERVE_BYTES} or more")

    def _end(self, reason: str) -> None:
        self._ended = reason
        if self.samples:
            shown = (self.pair.data, self.samples, reason)
            logger.warning("recording %s ended after %d samples: %s", *shown)

    def _lost(self, reason: str) -> RadioError:
        return RadioError(f"recording {self.pair.data} cannot be written: {reason}")
