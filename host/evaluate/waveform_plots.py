# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of ``eval waveform``: envelope, spectrum, lost frames, peak-limited transmitter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from host.bench.link.figures.style import INK, LIMIT, PALETTE, legend, page, png, style

Record = dict[str, Any]

ORDERS = ("none", "golden", "random")
LOWEST = 1e-5  # of the distribution's axis: a photo has some 50,000 samples
#: What is drawn beside each other in the last two panels.
CHANNELS = (("psnr_db", "AWGN"), ("fading_psnr_db", "fading"), ("lost_psnr_db", "frame lost"))
MIXED = ("none", "frame")


def curves(rows: Sequence[Record], levels_db: Sequence[float]) -> bytes:
    """PNG of four panels from the rows of all photos."""
    figure, axes = page(4, 2)
    _envelope(axes[0], rows, levels_db)
    _spectrum(axes[1], rows)
    _orders(axes[2], rows)
    _limited(axes[3], rows)
    return png(figure)


def _settings(rows: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(row["setting"] for row in rows if row["interleaver"] == "golden"))


def _of(rows: Sequence[Record], setting: str, order: str = "golden") -> list[Record]:
    return [r for r in rows if (r["setting"], r["interleaver"]) == (setting, order)]


def _envelope(panel: Axes, rows: Sequence[Record], levels_db: Sequence[float]) -> None:
    style(panel, "Envelope of photos", "power over the mean in dB", "share of samples above",
          log=True)  # fmt: skip
    for colour, setting in zip(PALETTE, _settings(rows), strict=False):
        share = np.mean([row["ccdf"] for row in _of(rows, setting)], axis=0)
        shown = share > 0
        panel.plot(np.array(levels_db)[shown], share[shown], color=colour, label=setting)
    at = np.linspace(0.01, levels_db[-1], 200)
    panel.plot(at, np.exp(-(10 ** (at / 10))), ":", color=INK, label="Gaussian")
    panel.set_ylim(LOWEST, 1)
    panel.axhline(1e-3, color=LIMIT, linewidth=1.0, linestyle=(0, (5, 3)))
    panel.annotate("PAPR", (0.1, 1.1e-3), size=8, color=LIMIT)
    legend(panel)


def _spectrum(panel: Axes, rows: Sequence[Record]) -> None:
    photo = max(_of(rows, "none"), key=lambda row: row["tilt_db"])["image"]
    style(panel, f"Power of the carriers, {photo}", "data carrier", "over the mean in dB")
    lines = [(order, "none") for order in ORDERS] + [("golden", "frame")]
    for colour, (order, setting) in zip((*PALETTE[:3], INK), lines, strict=True):
        (row,) = (r for r in _of(rows, setting, order) if r["image"] == photo)
        mixed = "" if setting == "none" else f", precoding {setting}"
        panel.step(range(len(row["carrier_power_db"])), row["carrier_power_db"], where="mid",
                   color=colour, linewidth=1.3, label=f"interleaver {order}{mixed}")  # fmt: skip
    low, high = panel.get_ylim()
    panel.set_ylim(low, high + 0.35 * (high - low))  # room for the legend
    legend(panel, ncols=2)


def _orders(panel: Axes, rows: Sequence[Record]) -> None:
    style(panel, "Interleavers; lighter: with frame precoding", "",
          "PSNR in dB")  # fmt: skip
    width = 0.15
    for place, order in enumerate(ORDERS):
        for shade, setting in enumerate(MIXED):
            own = _of(rows, setting, order)
            at = np.arange(len(CHANNELS)) + (2 * place + shade - 2.5) * width
            means = [np.mean([row[key] for row in own]) for key, _ in CHANNELS]
            bars = panel.bar(at, means, 0.92 * width, color=PALETTE[place],
                             alpha=(1.0, 0.5)[shade], label=None if shade else order)  # fmt: skip
            panel.bar_label(bars, fmt="%.1f", fontsize=6, color=INK)
    panel.set_xticks(range(len(CHANNELS)), [label for _, label in CHANNELS])
    low = min(row[key] for row in rows for key, _ in CHANNELS if key in row)
    panel.set_ylim(bottom=max(0, low - 3))
    legend(panel, loc="upper right")


def _limited(panel: Axes, rows: Sequence[Record]) -> None:
    settings = _settings(rows)
    style(panel, "Peak-limited transmitter, golden interleaver", "", "PSNR in dB")
    for place, (colour, setting) in enumerate(zip(PALETTE, settings, strict=False)):
        own = _of(rows, setting)
        mean = np.mean([row["limited_psnr_db"] for row in own])
        snr = np.mean([row["limited_snr_db"] for row in own])
        bar = panel.bar(place, mean, 0.7, color=colour)
        panel.bar_label(bar, [f"{mean:.1f}\nSNR {snr:.1f}"], fontsize=7, color=INK)
    panel.set_xticks(range(len(settings)), [s.replace(", ", ",\n") for s in settings])
    low = min(np.mean([r["limited_psnr_db"] for r in _of(rows, s)]) for s in settings)
    high = max(np.mean([r["limited_psnr_db"] for r in _of(rows, s)]) for s in settings)
    panel.set_ylim(max(0, low - 3), high + 1.5)
