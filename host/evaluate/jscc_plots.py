# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of ``eval jscc``: PSNR and MS-SSIM over the SNR, a line a rate, a dash a model."""

from __future__ import annotations

from typing import Any

from host.bench.link.figures.style import INK, PALETTE, legend, page, png, style

LINES = ("-", "--", ":", "-.")
LABELS = {"psnr_db": "mean PSNR in dB", "ms_ssim": "mean MS-SSIM"}


def curves(result: dict[str, Any], peers: dict[str, tuple[float, ...]]) -> bytes:
    """PNG: a panel a source and measure. ``peers``: PSNR in dB by rate, drawn beside the first."""
    panels = [
        (source, key)
        for source in result["sources"]
        for key in LABELS
        if all(row[key] is not None for row in source["rows"])
    ]
    names = [model["model"] for model in result["models"]]
    figure, axes = page(len(panels))
    for panel, (source, key) in zip(axes, panels, strict=True):
        title = f"{source['source']}, {source['pictures']} pictures"
        style(panel, title, "SNR in dB", LABELS[key])
        rates = list(dict.fromkeys(row["rate"] for row in source["rows"]))
        for number, rate in enumerate(rates):
            colour = PALETTE[number % len(PALETTE)]
            for name, line in zip(names, LINES * len(names), strict=False):
                rows = [r for r in source["rows"] if (r["model"], r["rate"]) == (name, rate)]
                at = [row["snr_db"] for row in rows]
                values = [row[key] for row in rows]
                panel.plot(at, values, line, color=colour, linewidth=1.4)
            panel.plot([], [], "-", color=colour, label=f"k/n {rate}")
            if key == "psnr_db" and source["small"] and rate in peers:
                panel.plot(at, peers[rate], "x", color=colour, markersize=6)
        if key == "psnr_db" and source["small"]:
            panel.plot([], [], "x", color=INK, label="best of five per-SNR models")
        if len(names) > 1:
            for name, line in zip(names, LINES * len(names), strict=False):
                panel.plot([], [], line, color=INK, label=name)
        legend(panel, loc="lower right")
    return png(figure)
