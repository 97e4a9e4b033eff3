# SPDX-License-Identifier: GPL-3.0-or-later
"""A calibration on one page.

┌───────────────────────┬───────────────────────┐
│ gain sweep            │ spectrum, corrected   │
├───────────────────────┼───────────────────────┤
│ delay: correlation    │ images before / after │
└───────────────────────┴───────────────────────┘
"""

from __future__ import annotations

import io
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from calibration.outcome import Outcome

INK, MUTED, GRID, PAGE = "#1f2933", "#6b7785", "#e3e8ee", "#fbfcfd"
BLUE, ORANGE, GREEN, RED = "#2563a8", "#d9722e", "#2d8a57", "#c0392b"
CURVES = (BLUE, ORANGE, GREEN, "#8e5bb5", "#0f9ba8", "#8a6d3b", "#b03a6b", "#55606e", INK)
GOAL_DBC = -40.0
DOTS_PER_INCH = 110


def draw(outcome: Outcome) -> bytes:
    """The page as a PNG file."""
    page = Figure(figsize=(12, 8.2), dpi=DOTS_PER_INCH, facecolor=PAGE)
    FigureCanvasAgg(page)
    grid = page.add_gridspec(
        2, 2, left=0.065, right=0.975, top=0.865, bottom=0.08, hspace=0.34, wspace=0.2
    )
    _title(page, outcome)
    _gain(page.add_subplot(grid[0, 0]), outcome)
    _spectrum(page.add_subplot(grid[0, 1]), outcome)
    _delay(page.add_subplot(grid[1, 0]), outcome)
    _images(page.add_subplot(grid[1, 1]), outcome)
    buffer = io.BytesIO()
    page.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _title(page: Figure, outcome: Outcome) -> None:
    words = f"Calibration of {outcome.kind} {outcome.serial}"
    page.text(0.065, 0.955, words, size=15, weight="bold", color=INK, va="center")
    settings = outcome.settings
    note = f"{settings.center_freq_hz / 1e6:g} MHz, {settings.rate_hz / 1e6:g} MS/s"
    page.text(0.975, 0.955, note, size=10, color=MUTED, ha="right", va="center")
    facts = []
    if outcome.clocks is not None:
        facts.append(f"frequency {outcome.clocks.error_ppm:+.3f} ppm")
        facts.append(f"sample rate {outcome.clocks.rate_error_ppm:+.3f} ppm")
    if outcome.best is not None:
        facts.append(f"gains tx {outcome.best.tx_db:g} dB, rx {outcome.best.rx_db:g} dB")
    if outcome.way is not None:
        facts.append(f"delay {outcome.way.samples:.3f} samples")
    if outcome.floor is not None:
        facts.append(f"noise {outcome.floor.floor_dbfs:.1f} dBFS")
    page.text(0.065, 0.915, "   |   ".join(facts), size=10, color=INK, va="center")


def _style(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_facecolor("white")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(GRID)
    axes.set_title(title, loc="left", size=11, color=INK)
    axes.set_xlabel(x, size=9, color=MUTED)
    axes.set_ylabel(y, size=9, color=MUTED)


def _absent(axes: Axes) -> None:
    axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=MUTED)


def _gain(axes: Axes, outcome: Outcome) -> None:
    _style(axes, "gains", "receive gain in dB", "SNR of a tone in dB")
    if not outcome.points:
        return _absent(axes)
    levels = sorted({point.tx_db for point in outcome.points}, reverse=True)
    for index, tx_db in enumerate(levels):
        row = sorted((p for p in outcome.points if p.tx_db == tx_db), key=lambda p: p.rx_db)
        good = [p for p in row if math.isfinite(p.snr_db)]
        colour = CURVES[index % len(CURVES)]
        axes.plot(
            [p.rx_db for p in good], [p.snr_db for p in good], "-o", ms=3.5, lw=1.3,
            color=colour, label=f"tx {tx_db:g} dB",
        )  # fmt: skip
        clips = [p for p in good if p.clips]
        axes.plot([p.rx_db for p in clips], [p.snr_db for p in clips], "x", ms=8, color=RED)
    axes.plot([], [], "x", ms=8, color=RED, label="clips")
    if outcome.best is not None:
        axes.plot(
            outcome.best.rx_db, outcome.best.snr_db, "o", ms=11, mfc="none", mew=1.8,
            color=INK, label="recommended",
        )  # fmt: skip
    axes.legend(fontsize=8, framealpha=0.85, edgecolor=GRID, labelcolor=INK, ncols=2)
    return None


def _spectrum(axes: Axes, outcome: Outcome) -> None:
    _style(axes, "received tones", "frequency in kHz", "dB of a full-scale tone")
    if outcome.rx is None or not outcome.rx.spectra:
        return _absent(axes)
    for name, colour, width in (("before", ORANGE, 1.0), ("after", BLUE, 1.0)):
        values = outcome.rx.spectra[name]
        frequency = np.fft.fftshift(np.fft.fftfreq(len(values), 1e3 / outcome.settings.rate_hz))
        label = "as received" if name == "before" else "receiver corrected"
        axes.plot(frequency, values, color=colour, lw=width, label=label)
    axes.set_xlim(frequency[0], frequency[-1])
    axes.legend(fontsize=8, framealpha=0.85, edgecolor=GRID, labelcolor=INK)
    return None


def _delay(axes: Axes, outcome: Outcome) -> None:
    _style(axes, "delay from converter to converter", "lag in samples", "correlation in dB")
    way = outcome.way
    if way is None:
        return _absent(axes)
    axes.plot(way.lags, way.correlation_db, "-o", ms=3.5, lw=1.3, color=GREEN)
    axes.axvline(way.samples, color=RED, lw=1.2, ls=(0, (5, 3)))
    axes.annotate(
        f" {way.samples:.3f}", (way.samples, 0.02), xycoords=("data", "axes fraction"),
        size=9, color=RED,
    )  # fmt: skip
    return None


def _images(axes: Axes, outcome: Outcome) -> None:
    _style(axes, "images", "", "image in dBc")
    sides = [("rx", outcome.rx), ("tx", outcome.tx)]
    present = [(name, mixer) for name, mixer in sides if mixer is not None]
    if not present:
        return _absent(axes)
    labels, values, colours = [], [], []
    for name, mixer in present:
        labels += [f"{name}\nas it is", f"{name}\ncorrected"]
        values += [mixer.found.image_dbc, mixer.corrected_image_dbc]
        colours += [ORANGE, BLUE]
    bottom = min(min(values), GOAL_DBC) - 10
    bars = axes.bar(labels, np.array(values) - bottom, bottom=bottom, color=colours, width=0.55)
    axes.bar_label(bars, [f"{value:.1f}" for value in values], size=9, color=INK, padding=2)
    axes.axhline(GOAL_DBC, color=RED, lw=1.0, ls=(0, (5, 3)))
    axes.annotate(
        "-40 dBc", (0.995, GOAL_DBC), xycoords=("axes fraction", "data"), ha="right",
        va="bottom", size=8, color=RED,
    )  # fmt: skip
    axes.set_ylim(bottom, max(0, max(values) + 8))
    return None
