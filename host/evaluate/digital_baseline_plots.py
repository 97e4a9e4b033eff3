# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of JSCC against the digital chain: cliffs and crossovers."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from host.bench.link.figures.style import MUTED, PALETTE, legend, page, png, style

Record = dict[str, Any]

COLOURS = dict(zip(("jscc", "jpeg", "webp", "avif"), PALETTE, strict=False))
LABELS = {"jscc": "JSCC", "jpeg": "JPEG", "webp": "WebP", "avif": "AVIF"}
OTHERS = {"any BLER": "--", "fade known": "-."}
CLIFFS = ("-.", "--", ":", (0, (1, 3)))
CHANNELS = {
    "awgn": "white noise",
    "rayleigh": "Rayleigh, one coefficient a picture",
    "multipath": "multipath, one response a picture",
}


def page_of(result: Record) -> bytes:
    """PNG: a row a channel, a column a rate; MS-SSIM below where there is one of white noise."""
    curves = result["curves"]
    rates = list(dict.fromkeys(curve["rate"] for curve in curves))
    channels = list(dict.fromkeys(curve["channel"] for curve in curves))
    rows = [(channel, "psnr_db", "mean PSNR in dB") for channel in channels]
    if result["dataset"] == "photos":
        rows += [(channel, "ms_ssim", "mean MS-SSIM") for channel in channels]
    figure, axes = page(len(rows) * len(rates), len(rates))
    for index, panel in enumerate(axes):
        channel, measure, label = rows[index // len(rates)]
        rate = rates[index % len(rates)]
        title = f"{CHANNELS[channel]}, k/n {rate}"
        style(panel, title, "mean SNR of a symbol (Es/N0) in dB", label)
        _draw(panel, [c for c in curves if (c["channel"], c["rate"]) == (channel, rate)], measure)
        if index % len(rates) == 0:
            legend(panel, loc="lower right" if measure == "ms_ssim" else "upper left", fontsize=7)
    return png(figure)


def _draw(panel: Any, curves: list[Record], measure: str) -> None:
    best = {c["system"]: c for c in curves if c.get("choice") == "best" and c[measure]}
    strongest = max(best, key=lambda name: sum(best[name][measure]), default=None)
    cliffs = cycle(CLIFFS)
    for curve in curves:
        name, choice = curve["system"], curve.get("choice")
        if not curve[measure]:
            continue
        at, value = curve["snr_db"], curve[measure]
        colour, text = COLOURS[name], LABELS[name]
        if choice is None:
            panel.plot(at, value, "-o", color=colour, linewidth=2.2, markersize=4, label=text,
                       zorder=4)  # fmt: skip
        elif choice == "best":
            panel.plot(at, value, color=colour, linewidth=1.4, zorder=3,
                       label=f"{text}, best at BLER ≤ 0.1")  # fmt: skip
        elif name == strongest and choice in OTHERS:
            panel.plot(at, value, OTHERS[choice], color=colour, linewidth=1.0, alpha=0.7, zorder=2,
                       label=f"{text}, {choice}")  # fmt: skip
        elif name == strongest:
            panel.plot(at, value, next(cliffs), color=MUTED, linewidth=1.0, zorder=2,
                       label=f"{text}, {choice}")  # fmt: skip
    panel.set_xlim(-4, 24)
