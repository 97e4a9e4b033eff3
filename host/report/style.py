# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages share: colours, axes, a picture in its frame."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

INK, MUTED, GRID = "#1f2933", "#6b7785", "#e3e8ee"
BLUE, ORANGE, GREEN, RED = "#2563a8", "#d9722e", "#2d8a57", "#c0392b"
PAGE = "#fbfcfd"
SMALL_SIDE = 160  # pixels: enlarged, its own pixels shall be seen, not a blur
PICTURE_PIXELS_MAX = 700  # per side on the page; a 16 MP photo need not be resampled in full


def picture(axes: Axes, pixels: np.ndarray | None, name: str, verdict: str) -> None:
    """``pixels`` uint8 (H, W, 3) with ``verdict`` below, or ``verdict`` why there are none."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_anchor("N")
    for spine in axes.spines.values():
        spine.set_color(GRID)
    if pixels is None:
        axes.set_facecolor("#f0f2f5")
        known = verdict or ("not known here" if name == "original" else "did not arrive")
        axes.text(0.5, 0.5, known, transform=axes.transAxes, ha="center", color=MUTED)
        axes.set_title(name, loc="left", size=11, color=INK)
        return
    height, width = pixels.shape[:2]
    step = max(1, -(-max(height, width) // PICTURE_PIXELS_MAX))
    small = max(height, width) <= SMALL_SIDE
    smooth = "nearest" if small else "lanczos" if step == 1 else "antialiased"
    axes.imshow(pixels[::step, ::step], interpolation=smooth)
    axes.set_title(f"{name}  {width}x{height}", loc="left", size=11, color=INK)
    axes.set_xlabel(verdict, size=11, color=BLUE, weight="bold")


def style(axes: Axes, title: str, x: str, y: str) -> None:
    """Title and labels, quiet lines."""
    axes.set_facecolor("white")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(GRID)
    axes.set_title(title, loc="left", size=11, color=INK)
    axes.set_xlabel(x, size=9, color=MUTED)
    axes.set_ylabel(y, size=9, color=MUTED)
