# SPDX-License-Identifier: GPL-3.0-or-later
"""SRO: what a sampling-rate offset costs the longest frames.

Every frame is received twice over the same noise, with the offset and without, so that
the loss is the offset's alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link import air, paths
from host.bench.link.intervals import mean, ratio_db
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import receive

#: Samples of a frame at most: the design's long frame.
FRAME_SAMPLES = 65_536
CHUNK = 10


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    snr_db: float,
    sro_ppm: float,
    cfo_carriers: float = 0.0,
    channel: str = "awgn",
) -> dict[str, np.ndarray]:
    """Per frame, float64 (n_frames,), NaN where it was lost with or without the offset.

    ``error`` and ``error_without``: mean squared error of the analog symbols;
    ``sro_error_ppm`` and ``cfo_error_hz``: what the receiver measured less the truth.
    """
    n_analog = air.longest_analog(numerology, FRAME_SAMPLES)
    cfo_hz = cfo_carriers * numerology.spacing_hz
    rows = np.full((n_frames, 4), np.nan)
    for row in rows:
        sent = air.build(numerology, air.gaussian(rng, n_analog))
        path = paths.draw(channel, numerology, rng)
        seed = int(rng.integers(2**63))
        frames = []
        for offset_ppm in (sro_ppm, 0.0):
            again = np.random.default_rng(seed)
            heard = air.send(sent, path, again, snr_db=snr_db, cfo_hz=cfo_hz, sro_ppm=offset_ppm)
            capture = air.find(heard, sent)
            frames.append(receive(capture, numerology) if capture else None)
        if None in frames:
            continue
        row[:2] = [np.mean(np.abs(f.payload.analog - sent.analog) ** 2) for f in frames]
        row[2] = frames[0].info.sro_ppm - sro_ppm
        row[3] = frames[0].info.cfo_hz - cfo_hz
    names = ("error", "error_without", "sro_error_ppm", "cfo_error_hz")
    return dict(zip(names, rows.T, strict=True))


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """Loss in dB, and how well both offsets were measured."""
    whole = np.isfinite(raw["error"])
    return {
        "frames": len(whole),
        "lost": int(np.count_nonzero(~whole)),
        **ratio_db(raw["error"][whole], raw["error_without"][whole]).keys("loss_db"),
        **mean(raw["sro_error_ppm"][whole]).keys("sro_error_ppm"),
        **mean(raw["cfo_error_hz"][whole]).keys("cfo_error_hz"),
    }
