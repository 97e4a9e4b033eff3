# SPDX-License-Identifier: GPL-3.0-or-later
"""SNR: how far each frame's estimate is from the truth.

The truth is the Es/N0 over the frame's own channel: that set, times the mean |H|² of the
used carriers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link import air, paths
from host.bench.link.intervals import mean, proportion, rms
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import receive

#: Analog symbols of a frame: few, so that its pilots are few.
ANALOG = 500
CHUNK = 100


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    snr_db: float,
    channel: str = "awgn",
) -> dict[str, np.ndarray]:
    """``error_db`` float64 (n_frames,), NaN where the frame was lost."""
    errors = np.full(n_frames, np.nan)
    for index in range(n_frames):
        sent = air.build(numerology, air.gaussian(rng, ANALOG))
        path = paths.draw(channel, numerology, rng)
        cfo_hz = air.random_cfo_hz(numerology, rng)
        capture = air.find(air.send(sent, path, rng, snr_db=snr_db, cfo_hz=cfo_hz), sent)
        if capture is None:
            continue
        power = np.mean(np.abs(path.response(numerology)) ** 2)
        true_db = snr_db + 10 * np.log10(power)
        errors[index] = receive(capture, numerology).info.snr_db - true_db
    return {"error_db": errors}


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """Bias, RMS, 99 % quantile and largest magnitude in dB; shares of frames beyond 1 and 2 dB."""
    errors = raw["error_db"][np.isfinite(raw["error_db"])]
    magnitude = np.abs(errors)
    record: dict[str, Any] = {
        "frames": len(raw["error_db"]),
        "lost": len(raw["error_db"]) - len(errors),
        **mean(errors).keys("bias_db"),
        **rms(errors).keys("rms_db"),
        "p99_db": float(np.quantile(magnitude, 0.99)) if len(errors) else float("nan"),
        "largest_db": float(magnitude.max(initial=0.0)),
    }
    for limit in (1, 2):
        beyond = int(np.count_nonzero(magnitude > limit))
        record |= proportion(beyond, len(errors)).keys(f"beyond_{limit}_db")
    return record
