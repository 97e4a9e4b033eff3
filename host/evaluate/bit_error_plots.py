# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of quality over bit errors: curves (Qiao et al., Fig. 2) and pictures (their Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from host.bench.link.figures.style import INK, MUTED, PAGE, PALETTE, legend, page, png, style
from host.evaluate.bit_error_chain import Chain, photo_cases, scene_cases
from host.evaluate.bit_error_measure import PHOTO_SIDE
from host.images import LoadedImage
from models.tiers import Models

Record = dict[str, Any]
ROWS = (
    ("over the value without errors", "_norm", ("likeness", "fit", "ms_ssim")),
    ("shares right", "", ("attributes", "relations", "shape")),
    ("edge map before coding and decoded", "", ("edge_ms_ssim", "edge_f")),
)
LABELS = {"ms_ssim": "MS-SSIM", "edge_ms_ssim": "MS-SSIM", "edge_f": "F of lines"}
SHOWN_BERS = (0.0, 1e-3, 1e-2, 3e-2, 1e-1, 2e-1, 3e-1)
SHOWN_SCENES = 2  # of each kind
SHOWN_PHOTOS = 2
CELL, RIM = 132, 4  # dots: width of a picture with its rim
TITLE, LINE = 26, 26  # dots: height of the titles, and of the words below a picture
DOTS_PER_INCH = 100


def curves(result: Record) -> bytes:
    """PNG: a column a set; likeness and MS-SSIM, counted fidelity, the edge map."""
    names = list(result["sets"])
    rows = [row for row in ROWS if any(_has(result, name, row) for name in names)]
    figure, axes = page(len(rows) * len(names), len(names))
    for y, row in enumerate(rows):
        for x, name in enumerate(names):
            panel = axes[y * len(names) + x]
            if not _has(result, name, row):
                panel.set_axis_off()
                continue
            told = result["sets"][name]
            title = name if y else f"{name}: {told['pictures']}, edges {told['edge_bpp']:.4f} bpp"
            style(panel, title, "bit error rate of the edge stream", row[0])
            _panel(panel, [r for r in result["records"] if r["set"] == name], row, result["judge"])
    return png(figure)


def _has(result: Record, name: str, row: tuple) -> bool:
    return any(r["set"] == name and metric in r for r in result["records"] for metric in row[2])


def _panel(panel: Axes, records: list[Record], row: tuple, judge: str) -> None:
    """Solid with intervals: prompt and edges; dashed: the prompt alone."""
    _, suffix, metrics = row
    both = [r for r in records if r["ber"] is not None]
    (alone,) = (r for r in records if r["ber"] is None)
    lowest = min(r["ber"] for r in both if r["ber"] > 0)
    at = np.array([r["ber"] or lowest / 10 for r in both])
    for colour, metric in zip(PALETTE, metrics, strict=False):
        key = metric + suffix
        if key not in both[0]:
            continue
        label = LABELS.get(metric, metric)
        if metric in ("likeness", "fit"):
            label = f"{judge}, " + ("two pictures" if metric == "likeness" else "picture and text")
        ends = np.array([r[f"{metric}{suffix}_ci"] for r in both])
        panel.fill_between(at, ends[:, 0], ends[:, 1], color=colour, alpha=0.18, linewidth=0)
        panel.plot(at, [r[key] for r in both], color=colour, marker="o", markersize=3.2,
                   linewidth=1.3, label=label)  # fmt: skip
        if key in alone:
            panel.axhline(alone[key], color=colour, linewidth=1.1, linestyle=(0, (5, 3)))
    panel.plot([], [], color=MUTED, linewidth=1.1, linestyle=(0, (5, 3)), label="prompt alone")
    panel.set_xscale("log")
    ticks = [t for t in 10.0 ** np.arange(-9, 0) if t >= 0.99 * lowest]
    panel.set_xticks([lowest / 10, *ticks], ["0", *(f"{t:g}" for t in ticks)])
    panel.minorticks_off()
    legend(panel, loc="lower left")


def pictures(
    models: Models,
    photos: Sequence[LoadedImage],
    seed: int,
    side: int,
    scenes: int,
    *,
    photo_side: int = PHOTO_SIDE,
    **options: Any,
) -> bytes:
    """PNG: two rows a picture, edge maps above; sent, drawn from the prompt, then over the rates.

    The pictures, wrong bits and noise are those that ``measure`` scores. ``options``: ``told``,
    ``steps`` and ``guidance``, as there.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chain = Chain(models, seed, **options)
    few = min(scenes, SHOWN_SCENES)
    cases = [*scene_cases(chain, few, side), *scene_cases(chain, few, side, places=False)]
    cases += photo_cases(chain, photos[:SHOWN_PHOTOS], photo_side, scenes)
    columns = ["sent", "prompt alone", *(f"BER {ber:g}" for ber in SHOWN_BERS)]
    width = CELL * len(columns)
    tall = [CELL * case.picture.shape[0] / case.picture.shape[1] for case in cases]
    height = TITLE + sum(2 * cell + LINE for cell in tall)
    size = (width / DOTS_PER_INCH, height / DOTS_PER_INCH)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, facecolor=PAGE)
    FigureCanvasAgg(figure)

    def place(pixels: Any, x: float, y: float, cell: float) -> None:
        """A picture with its top left corner at (x, y) dots from that of the page."""
        bottom = 1 - (y + cell - RIM) / height
        axes = figure.add_axes((x / width, bottom, (CELL - RIM) / width, (cell - RIM) / height))
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
        axes.set_axis_off()

    for x, column in enumerate(columns):
        figure.text((x * CELL + 2) / width, 1 - 0.75 * TITLE / height, column, size=9, color=INK)
    y: float = TITLE
    for case, cell in zip(cases, tall, strict=True):
        maps = [chain.receive(case, ber)[0] for ber in SHOWN_BERS]
        drawn: list[Any] = [None] * (1 + len(maps))
        if chain.draws(case):
            drawn = [chain.draw(case, edges) for edges in (None, *maps)]
        for cells in ([case.edges, None, *maps], [case.picture, *drawn]):
            for x, pixels in enumerate(cells):
                if pixels is not None:
                    place(pixels, x * CELL, y, cell)
            y += cell
        figure.text(2 / width, 1 - (y + 0.5 * LINE) / height, _shortened(case.prompt), size=8,
                    color=MUTED)  # fmt: skip
        y += LINE
    return png(figure)


def _shortened(text: str, most: int = 190) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
