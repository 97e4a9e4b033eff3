# SPDX-License-Identifier: GPL-3.0-or-later
"""What all pages share: colours, axes, curves with their intervals."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from host.bench.link.paths import CHANNELS

INK, MUTED, GRID, PAGE = "#1f2933", "#6b7785", "#e3e8ee", "#fbfcfd"
LIMIT = "#c0392b"
PALETTE = ("#2563a8", "#d9722e", "#2d8a57", "#8e5bb5", "#0f9ba8", "#8a6d3b", "#b03a6b", "#55606e")
COLOURS = dict(zip(CHANNELS, PALETTE, strict=False))
DOTS_PER_INCH = 110
PANEL_INCHES = (5.6, 4.5)

Record = dict[str, Any]


def page(n_panels: int, n_columns: int | None = None) -> tuple[Figure, list[Axes]]:
    """A page with panels side by side, in rows of ``n_columns``."""
    columns = n_columns or n_panels
    rows = -(-n_panels // columns)
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, facecolor=PAGE, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, columns, 1 + index) for index in range(n_panels)]


def png(figure: Figure) -> bytes:
    """The page as a PNG file, the same bytes for the same figures."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def style(axes: Axes, title: str, x: str, y: str, *, log: bool = False) -> None:
    """Titles, grid and colours of a panel."""
    axes.set_facecolor("white")
    axes.set_title(title, loc="left", size=11, color=INK)
    axes.set_xlabel(x, size=9, color=MUTED)
    axes.set_ylabel(y, size=9, color=MUTED)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(GRID)
    if log:
        axes.set_yscale("log")


def legend(axes: Axes, **options: Any) -> None:
    """A quiet legend."""
    options = {"fontsize": 8, "frameon": True, "framealpha": 0.85, "edgecolor": GRID, **options}
    axes.legend(labelcolor=INK, **options)


def curve(
    axes: Axes,
    records: Sequence[Record],
    x: str,
    y: str,
    colour: str,
    label: str | None = None,
    *,
    line: str = "-",
    marker: str = "o",
) -> None:
    """``y`` over ``x`` with its confidence interval as a band; absent figures leave a gap."""
    ordered = sorted(records, key=lambda record: record[x])
    if not ordered:
        return
    at = np.array([record[x] for record in ordered], float)
    value = np.array([record[y] for record in ordered], float)
    ends = np.array([record.get(f"{y}_ci", (record[y],) * 2) for record in ordered], float)
    ends = np.where(np.isfinite(ends), ends, value[:, None])
    axes.fill_between(at, ends[:, 0], ends[:, 1], color=colour, alpha=0.18, linewidth=0)
    axes.plot(at, value, line, color=colour, marker=marker, markersize=3.2, linewidth=1.3,
              label=label)  # fmt: skip


def limit(axes: Axes, value: float, text: str) -> None:
    """A target as a dashed line."""
    axes.axhline(value, color=LIMIT, linewidth=1.0, linestyle=(0, (5, 3)))
    axes.annotate(
        text, (0.995, value), xycoords=("axes fraction", "data"), ha="right", va="bottom",
        size=8, color=LIMIT,
    )  # fmt: skip
