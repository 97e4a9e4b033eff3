# SPDX-License-Identifier: GPL-3.0-or-later
"""CFO: what is left of it behind the synchroniser, and behind the tracker."""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link import air, paths
from host.bench.link.intervals import proportion, rms
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import receive

ANALOG = 200
CHUNK = 100


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    snr_db: float,
    cfo_carriers: float,
    channel: str = "awgn",
) -> dict[str, np.ndarray]:
    """Errors of the CFO in subcarriers, float64 (n_frames,) each, NaN where a frame was lost.

    ``sync`` is the synchroniser's, which every later stage starts from, ``tracked`` that
    of the whole frame.
    """
    true_hz = cfo_carriers * numerology.spacing_hz
    errors = np.full((n_frames, 2), np.nan)
    for row in errors:
        sent = air.build(numerology, air.gaussian(rng, ANALOG))
        path = paths.draw(channel, numerology, rng)
        capture = air.find(air.send(sent, path, rng, snr_db=snr_db, cfo_hz=true_hz), sent)
        if capture is not None:
            row[:] = capture.cfo_hz, receive(capture, numerology).info.cfo_hz
    errors = (errors - true_hz) / numerology.spacing_hz
    return {"sync": errors[:, 0], "tracked": errors[:, 1]}


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """RMS in percent of the subcarrier spacing, and the share of frames found."""
    found = np.isfinite(raw["sync"])
    return {
        "frames": len(found),
        **proportion(int(found.sum()), len(found)).keys("found"),
        **rms(100 * raw["sync"][found]).keys("sync_rms_percent"),
        **rms(100 * raw["tracked"][found]).keys("tracked_rms_percent"),
    }
