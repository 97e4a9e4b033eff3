# SPDX-License-Identifier: GPL-3.0-or-later
"""Detection: the share of frames that the synchroniser finds, header read, each once.

Frames stand in one stream of noise, each with fading, CFO, fractional delay and a gap of
its own.  A frame counts as found if one capture has its header and its place, to within half a
symbol (the window may begin anywhere in the prefix); whatever else comes out counts as extra.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link import air, paths
from host.bench.link.intervals import proportion
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_start
from semcom_blocks.phy.sync import FrameSync

#: Analog symbols of a frame: a short one, since nothing behind the header matters here.
ANALOG = 48
CHUNK = 250


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    snr_db: float,
    channel: str = "awgn",
) -> dict[str, np.ndarray]:
    """``found`` bool (n_frames,) and ``extra`` int (1,), captures that are no frame or a second."""
    pieces, starts, at = [], [], 0
    for seq in range(n_frames):
        sent = air.build(numerology, air.gaussian(rng, ANALOG), seq=seq)
        path = paths.draw(channel, numerology, rng)
        cfo_hz = air.random_cfo_hz(numerology, rng)
        heard = air.send(sent, path, rng, snr_db=snr_db, cfo_hz=cfo_hz)
        starts.append(at + heard.start + long_start(numerology))
        pieces.append(heard.samples)
        at += len(heard.samples)
    sync = FrameSync(numerology)
    found, extra = np.zeros(n_frames, bool), 0
    for capture in sync.push(np.concatenate(pieces)) + sync.flush():
        seq = capture.header.seq
        true = (
            capture.header.job_id == air.JOB_ID
            and seq < n_frames
            and not found[seq]
            and abs(capture.start_sample - starts[seq]) <= numerology.fft_size // 2
        )
        if true:
            found[seq] = True
        else:
            extra += 1
    return {"found": found, "extra": np.array([extra])}


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """Share found with Wilson's interval."""
    found = raw["found"]
    return {
        "frames": len(found),
        **proportion(int(found.sum()), len(found)).keys("probability"),
        "extra_frames": int(raw["extra"].sum()),
    }
