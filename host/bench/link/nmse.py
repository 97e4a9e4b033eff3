# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel estimators: normalised mean squared error against the genie LMMSE.

    NMSE = Σ|Ĥ − H|² / Σ|H|²

The known cells of a frame are observed in white noise, Y = H X + W, over channels of a
named profile with a random sub-sample delay.  The genie knows profile, delay and noise, and
so attains the least error of any linear estimator on the same cells: with R the covariance
of H over the carriers, S its delays' steering and E the error variances of LS,

    tr(R − R (R + E)⁻¹ R) / tr R,      R = S diag(p) Sᴴ

(S. Kay, Fundamentals of Statistical Signal Processing: Estimation Theory, 1993, 12.5).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link import air, paths
from host.bench.link.intervals import ratio_db
from semcom_blocks.phy import estimators
from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import known_stack

#: Analog symbols of the frame whose known cells are used.
ANALOG = 1024
CHUNK = 100


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    snr_db: float,
    channel: str = "awgn",
) -> dict[str, np.ndarray]:
    """Sums over the carriers per frame, float64 (n_frames,).

    One key for each of ``estimators.METHODS`` with its squared error, ``power`` of the
    channel, and ``genie``, the squared error to expect of the genie.
    """
    header = FrameHeader(air.JOB_ID, 0, stream_id=1, analog_symbols=ANALOG)
    reference, known = known_stack(FrameLayout(numerology, header))
    noise_var = 10 ** (-snr_db / 10)
    weight = np.sum(np.where(known, np.abs(reference) ** 2, 0), axis=0)
    genie = genie_error(channel, numerology, noise_var / weight)
    names = ("power", "genie", *estimators.METHODS)
    rows = np.empty((n_frames, len(names)))
    for row in rows:
        path = paths.draw(channel, numerology, rng, hold_power=False)
        response = path.response(numerology, backoff(numerology))
        noise = air.gaussian(rng, reference.size).reshape(reference.shape)
        received = reference * response + noise * np.float32(np.sqrt(noise_var))
        row[0], row[1] = np.sum(np.abs(response) ** 2), genie
        for column, method in enumerate(estimators.METHODS, start=2):
            found = estimators.estimate(received, reference, known, numerology, method)
            row[column] = np.sum(np.abs(found.response - response) ** 2)
    return dict(zip(names, rows.T, strict=True))


def genie_error(channel: str, numerology: Numerology, error_var: np.ndarray) -> float:
    """Σ E|Ĥ − H|² over the carriers of the LMMSE that knows all, LS errors float (n_used,)."""
    powers = paths.profile(channel, numerology)
    delays = np.arange(len(powers))
    turn = -2j * np.pi * np.outer(numerology.carriers, delays) / numerology.fft_size
    steering = np.exp(turn)
    covariance = (steering * powers) @ steering.conj().T
    gain = np.linalg.solve(covariance + np.diag(error_var), covariance)
    return float(np.trace(covariance - covariance @ gain).real)


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """NMSE in dB of every method and of the genie."""
    record: dict[str, Any] = {"frames": len(raw["power"])}
    for name in raw:
        if name != "power":
            record |= ratio_db(raw[name], raw["power"]).keys(f"{name}_nmse_db")
    return record
