# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of edges and words against the classic chain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from host.bench.link.figures.style import PALETTE, legend, page, png, style
from host.evaluate.sheet import sheet

Record = dict[str, Any]
Pairs = list[tuple[Record, list[NDArray[np.uint8]]]]

MEASURES = (("attributes", "attributes right"), ("relations", "relations right"),
            ("ms_ssim", "MS-SSIM"))  # fmt: skip
LINES = {"utf-8": "-", "packed": "--"}
COLOURS = dict(zip(("edges + text", "jpeg", "webp", "text", "edges"), PALETTE, strict=False))
SHOWN_SNRS_DB = (4.0, 2.0, 0.0)
CELL_INCHES = 1.25


def curves(result: dict[str, Any]) -> bytes:
    """PNG: scores over the bits without errors, and over the SNR at equal symbols."""
    figure, axes = page(6, 3)
    for panel, (key, label) in zip(axes[:3], MEASURES, strict=True):
        style(panel, "no errors", "bits a picture of 64x64", label)
        for system, colour in COLOURS.items():
            for prompt, line in LINES.items():
                rows = [r for r in result["bits"] if (r["system"], r["prompt"]) == (system, prompt)]
                rows = [r for r in rows if r["bits"]]
                name = f"{system}, {prompt}" if "text" in system else system
                label_of = name if prompt == "utf-8" or "text" in system else None
                panel.plot(
                    [r["bits"] for r in rows], [r[key] for r in rows], line, color=colour,
                    marker="*" if len(rows) == 1 else "o", markersize=9 if len(rows) == 1 else 3.2,
                    linewidth=1.3, label=label_of,
                )  # fmt: skip
        panel.set_xscale("log")
        panel.set_ylim(-0.02, 1.02)
    legend(axes[2], loc="lower right")
    for panel, (key, label) in zip(axes[3:], MEASURES, strict=True):
        style(panel, "equal symbols, one attempt", "SNR of a symbol in dB", label)
        for system in ("edges + text", "jpeg", "webp"):
            for prompt, line in LINES.items():
                rows = [
                    r for r in result["noise"] if (r["system"], r["prompt"]) == (system, prompt)
                ]
                name = f"{system}, {rows[0]['symbols']:.0f} symbols ({prompt})" if rows else None
                panel.plot(
                    [r["snr_db"] for r in rows], [r[key] for r in rows], line,
                    color=COLOURS[system], marker="o", markersize=3.2, linewidth=1.3, label=name,
                )  # fmt: skip
        panel.set_ylim(-0.02, 1.02)
    legend(axes[3], loc="lower right")
    return png(figure)


def pictures(scenes: list[NDArray[np.uint8]], clean: Pairs, noisy: Pairs) -> bytes:
    """PNG: a row a scene; sent, then each system without errors and at some SNRs, UTF-8 prompts."""
    columns: list[tuple[str, list[NDArray[np.uint8]]]] = [("sent", scenes)]
    for about, drawn in clean:
        if about["prompt"] == "utf-8" and about["times"] == 1 and about["system"] in (
            "edges + text", "jpeg", "webp",
        ):  # fmt: skip
            columns.append((f"{about['system']}\n{about['bits']:.0f} bits", drawn))
    for snr_db in SHOWN_SNRS_DB:
        for about, drawn in noisy:
            if (about["prompt"], about["snr_db"]) == ("utf-8", snr_db) and (
                about["system"] != "webp"
            ):
                columns.append((f"{about['system']}\n{snr_db:g} dB", drawn))
    titles = [title for title, _ in columns]
    rows = [[drawn[row] for _, drawn in columns] for row in range(len(scenes))]
    return sheet(titles, rows, CELL_INCHES, margin_inches=(0.0, 0.5), title_size=8)
