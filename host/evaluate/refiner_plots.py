# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of the refiner: gain and cost over the SNR, and pictures to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from host.bench.link.figures.style import PALETTE, legend, limit, page, png, style
from host.evaluate.sheet import sheet

if TYPE_CHECKING:
    from models.refiner import PhotoRefiner

PANELS = (
    ("psnr_db", "PSNR in dB (higher is closer)"),
    ("frechet_vae", "Fréchet distance, vae-v1 encoder (lower is better)"),
    ("distance_vae", "feature distance, vae-v1 encoder (lower)"),
    ("ms_ssim", "MS-SSIM (higher is closer)"),
    ("gradient_distance", "distance of gradients in levels (lower)"),
    ("sharpness", "sharpness, of the photo's (1 is right)"),
)
LINES = {0.0: ":", 0.5: "--", 1.0: "-"}
NAMES = {0.0: "coarse", 0.5: "refined, strength 0.5", 1.0: "refined, strength 1"}
CELL_INCHES = 2.3


def curves(records: list[dict[str, Any]]) -> bytes:
    """PNG: each measure over the SNR, a colour a rate, a line a strength."""
    figure, axes = page(len(PANELS), 3)
    for panel, (key, label) in zip(axes, PANELS, strict=True):
        style(panel, label, "SNR of a symbol in dB", "")
        for colour, rate in zip(PALETTE, dict.fromkeys(r["rate"] for r in records), strict=False):
            for strength, line in LINES.items():
                rows = [r for r in records if (r["rate"], r["strength"]) == (rate, strength)]
                panel.plot(
                    [r["snr_db"] for r in rows], [r[key] for r in rows], line, color=colour,
                    marker="o", markersize=3.2, linewidth=1.3, label=f"{rate}, {NAMES[strength]}",
                )  # fmt: skip
        if key == "sharpness":
            limit(panel, 1.0, "as the photo")
    legend(axes[0], loc="lower right")
    return png(figure)


def pictures(
    photos: list[NDArray[np.uint8]],
    received: dict[tuple[str, float], list[NDArray[np.uint8]]],
    refiner: PhotoRefiner,
) -> bytes:
    """PNG: a row a photo; the photo, then coarse and refined at the lowest and a middle SNR."""
    columns = {"photo": photos}
    for rate, snr_db in list(received)[:2]:
        coarse = received[rate, snr_db][: len(photos)]
        columns[f"coarse, {rate} at {snr_db:g} dB"] = coarse
        columns[f"refined, {rate} at {snr_db:g} dB"] = [refiner.refine(p) for p in coarse]
    return sheet(list(columns), list(zip(*columns.values(), strict=True)), CELL_INCHES)
