# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about one frame of a recording, as a SigMF annotation.

The figures stand in a namespace of our own, which the recording declares as an optional
extension: other programs show the label and leave the rest.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from semcom_blocks import __version__
from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.grid import frame_layout
from semcom_blocks.phy.header import FrameHeader, header_symbols
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_start, preamble_len

NAMESPACE = "semcom"
#: Declares the namespace, as SigMF 1.2 asks for it.
EXTENSION = {"name": NAMESPACE, "version": "1.0.0", "optional": True}
#: Measurements of a frame that a recording keeps, with their units in the names.
MEASURED = ("snr_db", "cfo_hz", "sro_ppm", "evm_db", "power_dbfs")


@dataclass(frozen=True)
class FrameNote:
    """One frame: where it lies, which it is, and what the receiver measured.

    ``sample_start`` is the first sample of its preamble, ``sample_count`` its length at the
    nominal rate.  What a side cannot know is None: a sender measures nothing, and of a frame
    whose header could not be read there is neither job nor number.
    """

    sample_start: int
    sample_count: int
    header_ok: bool = True
    job_id: int | None = None
    seq: int | None = None
    end: bool = False
    snr_db: float | None = None
    cfo_hz: float | None = None
    sro_ppm: float | None = None
    evm_db: float | None = None
    power_dbfs: float | None = None

    @classmethod
    def of(
        cls,
        header: FrameHeader,
        numerology: Numerology,
        sample_start: int,
        measured: Mapping[str, Any] | None = None,
    ) -> "FrameNote":
        """A frame whose preamble begins at ``sample_start``; what is not finite is not known."""
        figures = {name: (measured or {}).get(name) for name in MEASURED}
        finite = {k: float(v) for k, v in figures.items() if v is not None and math.isfinite(v)}
        return cls(
            max(int(sample_start), 0),
            frame_layout(numerology, header).n_samples,
            job_id=header.job_id,
            seq=header.seq,
            end=header.end,
            **finite,
        )

    @property
    def label(self) -> str:
        """A few characters for a display."""
        if self.seq is None:
            return "bad header"
        return f"job {self.job_id} " + ("end" if self.end else f"#{self.seq}")

    def to_annotation(self) -> dict[str, Any]:
        """As SigMF has it; what is unknown is left out."""
        own = asdict(self)
        start, count = own.pop("sample_start"), own.pop("sample_count")
        return {
            "core:sample_start": start,
            "core:sample_count": count,
            "core:label": self.label,
            "core:generator": f"{NAMESPACE} {__version__}",
            **{f"{NAMESPACE}:{key}": value for key, value in own.items() if value is not None},
        }

    @classmethod
    def from_annotation(cls, annotation: Mapping[str, Any]) -> "FrameNote | None":
        """Inverse of :meth:`to_annotation`; None for annotations of other programs."""
        place = [annotation.get(f"core:{key}") for key in ("sample_start", "sample_count")]
        if not all(type(value) is int and value >= 0 for value in place):
            return None
        found: dict[str, Any] = {}
        for name, kinds in _KINDS.items():
            value = annotation.get(f"{NAMESPACE}:{name}")
            if value is None:
                continue
            if type(value) not in kinds or (float in kinds and not math.isfinite(value)):
                return None
            found[name] = value
        return cls(place[0], place[1], **found) if "header_ok" in found else None


_KINDS: dict[str, tuple[type, ...]] = {
    "header_ok": (bool,),
    "end": (bool,),
    "job_id": (int,),
    "seq": (int,),
    **dict.fromkeys(MEASURED, (int, float)),
}


def without_echoes(notes: Sequence[FrameNote]) -> list[FrameNote]:
    """``notes`` in order of place, without bad headers inside frames that were read.

    A receiver that looks for a later preamble within a frame takes chance for one now and then.
    """
    ordered = sorted(notes, key=lambda note: note.sample_start)
    read = [note for note in ordered if note.header_ok]
    starts = [note.sample_start for note in read]

    def stands(note: FrameNote) -> bool:
        index = bisect_left(starts, note.sample_start + note.sample_count) - 1
        before = read[index] if index >= 0 else None
        return before is None or before.sample_start + before.sample_count <= note.sample_start

    return [note for note in ordered if note.header_ok or stands(note)]


def preamble_start(window_start: int, numerology: Numerology) -> int:
    """Where a frame begins whose first long symbol's window begins at ``window_start``."""
    return window_start + backoff(numerology) - long_start(numerology)


def bad_header(numerology: Numerology, window_start: int, cfo_hz: float) -> FrameNote:
    """A preamble whose header could not be read: no more than preamble and header are known."""
    symbols = header_symbols(numerology) * numerology.symbol_len
    start = max(preamble_start(window_start, numerology), 0)
    return FrameNote(
        start, preamble_len(numerology) + symbols, header_ok=False, cfo_hz=float(cfo_hz)
    )
