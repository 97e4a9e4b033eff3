# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of the edge stream: quality over bit errors, and maps to look at."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from host.bench.link.figures.style import PALETTE, legend, page, png, style

LOWEST = 3e-5  # where an error rate of 0 stands on a logarithmic axis
SHOWN_BERS = (0.0, 1e-3, 1e-2, 3e-2, 1e-1)
CELL = 256  # pixels a side of a map in the strip
LINES = {"one stream": ":", "segments": "-."}


def curves(records: list[dict[str, Any]]) -> bytes:
    """PNG: F and MS-SSIM over the error rate, a column for each kind of maps."""
    kinds = list(dict.fromkeys(r["maps"] for r in records))
    names = list(dict.fromkeys(r["variant"] for r in records))
    figure, axes = page(2 * len(kinds), len(kinds))
    for column, kind in enumerate(kinds):
        for row, (key, label) in enumerate((("f", "F within a distance"), ("ms_ssim", "MS-SSIM"))):
            panel = axes[row * len(kinds) + column]
            style(panel, kind if row == 0 else "", "bit error rate (left end: 0)", label)
            for colour, name in zip(PALETTE, names, strict=False):
                rows = [r for r in records if (r["maps"], r["variant"]) == (kind, name)]
                at = [max(r["ber"], LOWEST) for r in rows]
                text = f"{name}, {rows[0]['bpp']:.4f} bits a pixel"
                panel.plot(
                    at,
                    [r[key] for r in rows],
                    LINES.get(name, "-"),
                    color=colour,
                    marker="o",
                    markersize=3.2,
                    linewidth=1.3,
                    label=text,
                )
            panel.set_xscale("log")
            panel.set_ylim(-0.02, 1.02)
            if row == 0:
                legend(panel, loc="lower left")
    return png(figure)


def strip(maps: list[NDArray[np.uint8]], codec: Any, seed: int) -> bytes:
    """PNG: a row a map; the map before coding, then decoded at SHOWN_BERS."""
    from host.evaluate.edges import noisy

    rows = []
    for edges in maps:
        code = codec.encode(edges)
        draws = np.random.default_rng(seed).random(len(code.bits))
        decoded = [codec.decode(noisy(code, ber, draws), ber) for ber in SHOWN_BERS]
        rows.append(np.concatenate([_cell(x) for x in (edges, *decoded)], axis=1))
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(buffer, "PNG")
    return buffer.getvalue()


def _cell(edges: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fitted into CELL x CELL, with a grey rim."""
    height, width = edges.shape
    ratio = (CELL - 4) / max(height, width)
    kind = Image.Resampling.NEAREST if ratio > 1 else Image.Resampling.LANCZOS
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    small = np.asarray(Image.fromarray(edges).resize(size, kind))
    cell = np.full((CELL, CELL), 40, np.uint8)
    cell[2 : 2 + small.shape[0], 2 : 2 + small.shape[1]] = small
    return cell
