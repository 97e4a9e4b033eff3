# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet of pictures to look at: rows of cells under the columns' titles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from host.bench.link.figures.style import INK, png


def sheet(
    titles: Sequence[str],
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    cell_inches: float,
    *,
    margin_inches: tuple[float, float] = (0.0, 0.3),
    labels: Sequence[str] = (),
    title_size: float = 9,
    dots_per_inch: int = 90,
) -> bytes:
    """PNG of ``rows``, each with a picture (H,W,3) for each of ``titles``; ``labels`` on the left.

    ``margin_inches``: width and height beside the cells.
    """
    size = (
        cell_inches * len(titles) + margin_inches[0],
        cell_inches * len(rows) + margin_inches[1],
    )
    figure = Figure(figsize=size, dpi=dots_per_inch, layout="constrained")
    FigureCanvasAgg(figure)
    for y, cells in enumerate(rows):
        for x, (title, pixels) in enumerate(zip(titles, cells, strict=True)):
            axes = figure.add_subplot(len(rows), len(titles), y * len(titles) + x + 1)
            axes.imshow(pixels, interpolation="nearest")
            if labels:
                axes.set_xticks([])
                axes.set_yticks([])
            else:
                axes.set_axis_off()
            if y == 0:
                axes.set_title(title, size=title_size, color=INK)
            if labels and x == 0:
                axes.set_ylabel(labels[y], size=7, color=INK)
    return png(figure)
