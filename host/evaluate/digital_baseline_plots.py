# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of JSCC against the digital chain: cliffs and crossovers."""

from __future__ import annotations

from collections import Counter
from itertools import cycle
from typing import Any

from host.bench.link.figures.style import INK, MUTED, PALETTE, page, png, style

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
    """PNG: a row a channel, a column a rate; MS-SSIM below for photos.

    Cliffs of fixed (M, R) and the other choices are those of the format that is best by and large.
    """
    curves = result["curves"]
    rates = list(dict.fromkeys(curve["rate"] for curve in curves))
    channels = list(dict.fromkeys(curve["channel"] for curve in curves))
    rows = [(channel, "psnr_db", "mean PSNR in dB") for channel in channels]
    if result["dataset"] == "photos":
        rows += [(channel, "ms_ssim", "mean MS-SSIM") for channel in channels]
    totals: Counter[str] = Counter()
    for curve in curves:
        if curve.get("choice") == "best":
            totals[curve["system"]] += sum(curve["psnr_db"])
    strongest = max(totals, key=totals.__getitem__)
    figure, axes = page(len(rows) * len(rates), len(rates))
    labelled: dict[str, Any] = {}
    for index, panel in enumerate(axes):
        channel, measure, label = rows[index // len(rates)]
        rate = rates[index % len(rates)]
        title = f"{CHANNELS[channel]}, k/n {rate}"
        style(panel, title, "mean SNR of a symbol (Es/N0) in dB", label)
        shown = [c for c in curves if (c["channel"], c["rate"]) == (channel, rate)]
        _draw(panel, [c for c in shown if c[measure]], measure, strongest)
        for line, text in zip(*panel.get_legend_handles_labels(), strict=True):
            labelled.setdefault(text, line)
    figure.legend(labelled.values(), labelled.keys(), loc="outside lower center", ncols=5,
                  fontsize=9, frameon=False, labelcolor=INK)  # fmt: skip
    return png(figure)


def _draw(panel: Any, curves: list[Record], measure: str, strongest: str) -> None:
    cliffs = cycle(CLIFFS)
    for curve in curves:
        name, choice = curve["system"], curve.get("choice")
        at, value, text = curve["snr_db"], curve[measure], LABELS[name]
        look: Record = {"color": COLOURS[name], "linewidth": 1.4, "zorder": 3}
        if choice is None:
            look |= {"linewidth": 2.2, "marker": "o", "markersize": 4, "zorder": 4, "label": text}
        elif choice == "best":
            look |= {"label": f"{text}, best at BLER ≤ 0.1"}
        elif name != strongest:
            continue
        else:
            fixed = choice not in OTHERS
            look |= {"linewidth": 1.0, "zorder": 2, "label": f"{text}, {choice}"}
            look |= {"color": MUTED, "linestyle": next(cliffs)} if fixed else {
                "linestyle": OTHERS[choice], "alpha": 0.8}  # fmt: skip
        panel.plot(at, value, **look)
    panel.set_xlim(-4, 24)
