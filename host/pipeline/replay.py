# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the frames that a replay found against those that were noted when it was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from host.pipeline.records import FrameLog
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.recording import FrameNote
from semcom_blocks.recording.notes import preamble_start

#: Samples by which a frame's place may differ between two receivers, in OFDM symbols: less
#: than the shortest frame, more than what multipath moves the first path by.
PLACE_SYMBOLS = 4
COMPARED = ("snr_db", "cfo_hz")


def compare(
    noted: Sequence[FrameNote], found: FrameLog, job_id: int, numerology: Numerology
) -> dict[str, Any]:
    """The ``replay`` part of a job's report.

    ``frames``: one entry each, in order of place; ``recorded`` and ``replayed`` hold SNR and
    CFO, or are None where that side has no such frame.  ``lost`` and ``new`` count those, and
    ``difference`` has mean and largest absolute of replayed − recorded, None without any.
    """
    reach = PLACE_SYMBOLS * numerology.symbol_len
    waiting = [n for n in noted if n.job_id == job_id and n.header_ok and not n.end]
    rows = []
    for index, seq in enumerate(found.seq):
        start = preamble_start(found.timing_sample[index], numerology)
        near = [n for n in waiting if n.seq == seq and abs(n.sample_start - start) <= reach]
        twin = min(near, key=lambda n: abs(n.sample_start - start), default=None)
        if twin is not None:
            waiting.remove(twin)
        replayed = {name: getattr(found, name)[index] for name in COMPARED}
        rows.append(_row(seq, start, twin, replayed))
    rows += [_row(note.seq, note.sample_start, note, None) for note in waiting]
    rows.sort(key=lambda row: row["sample_start"])
    both = [row for row in rows if row["recorded"] and row["replayed"]]
    return {
        "frames": rows,
        "matched": len(both),
        "lost": sum(row["replayed"] is None for row in rows),
        "new": sum(row["recorded"] is None for row in rows),
        "difference": {name: _difference(both, name) for name in COMPARED},
    }


def _row(
    seq: int | None, start: int, note: FrameNote | None, replayed: dict[str, float] | None
) -> dict[str, Any]:
    recorded = None if note is None else {name: getattr(note, name) for name in COMPARED}
    return {"seq": seq, "sample_start": start, "recorded": recorded, "replayed": replayed}


def _difference(rows: list[dict[str, Any]], name: str) -> dict[str, float] | None:
    pairs = [(row["replayed"][name], row["recorded"][name]) for row in rows]
    # A sender's recording has no measurements.
    apart = np.array([a - b for a, b in pairs if b is not None], float)
    apart = apart[np.isfinite(apart)]
    if not apart.size:
        return None
    return {"mean": float(apart.mean()), "max_abs": float(np.abs(apart).max())}
