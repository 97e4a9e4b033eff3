# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality over SNR of JSCC and of the digital chain, and where they cross."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from host.baseline.chain import BLER_LIMIT, Chain, Point, best, crossings
from host.baseline.effective import powers_of
from host.baseline.mcs import Mcs
from host.metrics import ms_ssim, psnr_db
from semcom_blocks.phy.interleave import permutation

if TYPE_CHECKING:
    from models.image_codec import ImageCodec

Picture = NDArray[np.uint8]
Record = dict[str, Any]

SNRS_DB = (1.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0)  # of JSCC, whose curves are smooth
FINE_DB = np.arange(-4.0, 24.1, 0.5)  # of the digital chain, whose curves have cliffs
WIDE_DB = np.arange(-30.0, 50.1, 0.5)  # what a fade makes of it
CHOICES = {"best": BLER_LIMIT, "any BLER": 1.0}  # how (M, R) is picked → BLER at most
MOST_DB = 60.0  # counted for a picture better than that: one that is equal would outweigh all
BLOCKS = 2000  # fading blocks that error rates are averaged over


def score(sent: Picture, shown: Picture) -> tuple[float, float]:
    """PSNR in dB, at most MOST_DB, and MS-SSIM of as many scales as fit; NaN below 11 pixels."""
    similar = ms_ssim(sent, shown)[0]
    return min(psnr_db(sent, shown), MOST_DB), np.nan if similar is None else similar


def jscc_curve(
    codec: ImageCodec,
    pictures: list[Picture],
    rate: str,
    fades: list[NDArray],
    seed: int,
    fading: bool,
) -> Record:
    """JSCC over SNRS_DB: each picture through each of its ``fades`` |h|² (F, K)."""
    means = []
    for snr_db in SNRS_DB:
        found = []
        for index, picture in enumerate(pictures):
            rng = np.random.default_rng([seed, index])  # the same noise at every SNR
            symbols, descriptor = codec.encode(picture, rate, snr_db, fading)
            for powers in fades[index]:
                variance = 10 ** (-snr_db / 10) / spread(powers, symbols.size)
                noise = rng.standard_normal((symbols.size, 2)) @ np.array([1, 1j])
                heard = (symbols + noise * np.sqrt(variance / 2)).astype(np.complex64)
                shown = codec.decode(heard, variance.astype(np.float32), descriptor)
                found.append(score(picture, shown))
        means.append(np.mean(found, axis=0))
    psnr, similar = np.transpose(means)
    return {"system": "jscc", **_columns(SNRS_DB, psnr, similar)}


def fades_of(channel: str, pictures: int, fades: int, seed: int) -> list[NDArray]:
    """|h|² (F, K) for each picture. Flat fades are spread evenly over the distribution: of its
    ``fades`` equal parts every picture meets one fade each, which one is drawn."""
    if channel == "awgn":
        return [np.ones((1, 1))] * pictures
    powers = powers_of(channel, pictures * fades, seed)
    parts = powers.reshape(fades, pictures, -1)
    rng = np.random.default_rng(seed)
    drawn = np.stack([part[rng.permutation(pictures)] for part in parts], axis=1)
    return list(drawn)


def spread(powers: NDArray[np.float64], symbols: int) -> NDArray[np.float64]:
    """|h|² of each of ``symbols``, interleaved over the data carriers as a frame's are."""
    return powers[permutation(symbols) % powers.size]


def digital_curves(name: str, chain: Chain, fixed: list[Mcs]) -> list[Record]:
    """What CHOICES pick over FINE_DB, and each of ``fixed``."""
    curves = []
    every = [chain.at(snr_db) for snr_db in FINE_DB]
    for choice, limit in CHOICES.items():
        chosen = [best(points, limit) for points in every]
        curves.append({"system": name, "choice": choice, **_points(chosen)})
    for mcs in fixed:
        points = [next(point for point in points if point.mcs == mcs) for points in every]
        part = _points(points)
        del part["mcs"]
        curves.append({"system": name, "choice": mcs.name, **part})
    return curves


def _points(points: list[Point]) -> Record:
    columns = _columns(FINE_DB, [p.psnr_db for p in points], [p.ms_ssim for p in points])
    return {**columns, "mcs": [p.mcs.name for p in points],
            "bler": [round(p.bler, 4) for p in points]}  # fmt: skip


def fade_known(name: str, still: Chain) -> Record:
    """Rayleigh fading with (M, R) picked for each block: ``still`` is the chain in white noise."""
    chosen = [best(still.at(snr_db)) for snr_db in WIDE_DB]
    fades = 10 * np.log10(powers_of("rayleigh", BLOCKS, 0)[:, 0])
    means = [
        [np.mean(np.interp(snr_db + fades, WIDE_DB, [getattr(p, key) for p in chosen]))
         for snr_db in FINE_DB]
        for key in ("psnr_db", "ms_ssim")
    ]  # fmt: skip
    return {"system": name, "choice": "fade known", **_columns(FINE_DB, *means)}


def _columns(snr_db, psnr, similar) -> Record:
    known = not np.isnan(similar).any()
    return {
        "snr_db": [float(x) for x in snr_db],
        "psnr_db": [round(float(x), 2) for x in psnr],
        "ms_ssim": [round(float(x), 4) for x in similar] if known else None,
    }


def crossovers(curves: list[Record]) -> list[Record]:
    """For each format, channel and rate: the SNRs at which it overtakes JSCC or falls behind."""
    rows = []
    at = np.arange(SNRS_DB[0], SNRS_DB[-1] + 0.1, 0.5)
    for curve in curves:
        if curve.get("choice") not in CHOICES:
            continue
        place = {key: curve[key] for key in ("channel", "rate")}
        own = next(c for c in curves if c["system"] == "jscc" and place.items() <= c.items())
        for measure in ("psnr_db", "ms_ssim"):
            if curve[measure] is None:
                continue
            ahead = np.interp(at, own["snr_db"], own[measure])
            ahead = ahead - np.interp(at, curve["snr_db"], curve[measure])
            rows.append({
                "system": curve["system"], "choice": curve["choice"], **place, "measure": measure,
                "crossings_db": [round(x, 2) for x in crossings(at, ahead)],
                "jscc_ahead_at_low_end": round(float(ahead[0]), 3),
                "jscc_ahead_at_high_end": round(float(ahead[-1]), 3),
            })  # fmt: skip
    return rows
