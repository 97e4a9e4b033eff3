# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of the receive path over an endless stream."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from semcom_blocks.bench.own import CHUNK
from semcom_blocks.bench.recording import Segment
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import receive
from semcom_blocks.phy.sync import FrameSync

#: Share of the stream until the caches are full and the heap has found its size.
WARM_UP = 0.1


def resident_bytes() -> int:
    """Memory that this process occupies now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(path: Path, segments: list[Segment], samples: int) -> dict[str, Any]:
    """Receive ``segments`` over and over as one stream of ``samples`` samples.

    ``growth_bytes`` is the largest resident size after the warm-up over that at its end.
    """
    numerology = Numerology()
    stream = np.concatenate([segment.read(path) for segment in segments])
    sync, done, received = FrameSync(numerology), 0, 0
    start = peak = 0
    while done < samples:
        at = done % len(stream)
        chunk = stream[at : at + CHUNK]
        for capture in sync.push(chunk):
            receive(capture, numerology)
            received += 1
        done += len(chunk)
        if not start and done >= WARM_UP * samples:
            start = resident_bytes()
        peak = max(peak, resident_bytes())
    return {
        "samples": done,
        "frames": received,
        "resident_bytes": peak,
        "growth_bytes": max(0, resident_bytes() - start),
    }
