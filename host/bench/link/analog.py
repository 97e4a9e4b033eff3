# SPDX-License-Identifier: GPL-3.0-or-later
"""Analog symbols: the SNR that their error implies, and their amplitude.

    SNR = Σ|s|² / Σ|r − s|²,    gain = Re Σ conj(s) r / Σ|s|²

both over all frames; the loss compares errors with those of a receiver that knows the
channel, on the same samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link import air, paths
from host.bench.link.genie import known_channel
from host.bench.link.intervals import Interval, mean, ratio_db, shifted
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import receive

ANALOG = 4000
CHUNK = 50


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    snr_db: float,
    channel: str = "awgn",
    equalizer: str = "mmse",
) -> dict[str, np.ndarray]:
    """Per frame, float64 (n_frames,), NaN where it was lost.

    ``error`` and ``error_known``: mean squared error of the receiver and of one that knows
    the channel; ``power`` of the sent symbols; ``gain``; ``told``: mean of the error
    variances that travel with the symbols.
    """
    rows = np.full((n_frames, 5), np.nan)
    for row in rows:
        sent = air.build(numerology, air.gaussian(rng, ANALOG))
        path = paths.draw(channel, numerology, rng)
        cfo_hz = air.random_cfo_hz(numerology, rng)
        heard = air.send(sent, path, rng, snr_db=snr_db, cfo_hz=cfo_hz)
        capture = air.find(heard, sent)
        if capture is None:
            continue
        payload = receive(capture, numerology, equalizer_method=equalizer).payload
        known = known_channel(heard, sent, snr_db).analog
        power = np.mean(np.abs(sent.analog) ** 2)
        row[0] = np.mean(np.abs(payload.analog - sent.analog) ** 2)
        row[1] = np.mean(np.abs(known - sent.analog) ** 2)
        row[2] = power
        row[3] = np.vdot(sent.analog, payload.analog).real / (power * ANALOG)
        row[4] = np.mean(payload.noise_var)
    return dict(zip(("error", "error_known", "power", "gain", "told"), rows.T, strict=True))


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """SNRs, loss against the known channel, amplitude bias, truth of the told variances."""
    whole = np.isfinite(raw["error"])
    data = {name: values[whole] for name, values in raw.items()}
    worst = np.max(data["error"] / data["error_known"], initial=0.0)
    return {
        "frames": len(whole),
        "lost": int(np.count_nonzero(~whole)),
        **ratio_db(data["power"], data["error"]).keys("snr_reached_db"),
        **ratio_db(data["power"], data["error_known"]).keys("snr_known_channel_db"),
        **ratio_db(data["error"], data["error_known"]).keys("loss_db"),
        "loss_worst_frame_db": float(10 * np.log10(worst)) if worst > 0 else float("nan"),
        **_percent(shifted(mean(data["gain"]), -1.0)).keys("amplitude_bias_percent"),
        **ratio_db(data["told"], data["error"]).keys("told_variance_db"),
    }


def _percent(interval: Interval) -> Interval:
    return Interval(*(100 * end for end in interval))
