# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of the receivers: fidelity over the share lost, and pictures to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from host.bench.link.figures.style import PALETTE, legend, page, png, style
from host.evaluate.sheet import sheet

if TYPE_CHECKING:
    from host.evaluate.receivers import Bench
    from models.receivers.received import LatentReceiver

MEASURES = (("attributes", "attributes right"), ("relations", "relations right"),
            ("ms_ssim", "MS-SSIM"))  # fmt: skip
TITLES = {"caption": "with the caption", "alone": "without a caption"}
CONDITIONS = ("caption", "alone", "one word wrong", "another scene's")
BAR = 0.19  # width, of the distance between receivers
CELL_INCHES = 1.25


def curves(result: dict[str, Any]) -> bytes:
    """PNG: a row with and one without captions, then right against wrong conditioning."""
    records = result["loss"]
    names = list(dict.fromkeys(r["receiver"] for r in records))
    figure, axes = page(9, 3)
    for row, (told, title) in enumerate(TITLES.items()):
        for column, (key, label) in enumerate(MEASURES):
            panel = axes[3 * row + column]
            style(panel, title, "share of the latents lost", label)
            for colour, name in zip(PALETTE, names, strict=False):
                rows = [r for r in records if (r["receiver"], r["told"]) == (name, told)]
                line = ":" if name == "plain" else "-"
                panel.plot([r["lost"] for r in rows], [r[key] for r in rows], line, color=colour,
                           marker="o", markersize=3.2, linewidth=1.3, label=name)  # fmt: skip
            panel.set_ylim(-0.02, 1.02)
            if not row and not column:
                legend(panel, loc="lower left")
    lost = sorted({r["lost"] for r in result["conditioning"]})
    for panel, share in zip(axes[6:], lost, strict=True):
        style(panel, f"captions, {share:.0%} of the latents lost", "", "attributes right")
        rows = [r for r in result["conditioning"] if r["lost"] == share]
        shown = [n for n in names if any(r["receiver"] == n for r in rows)]
        for i, (told, colour) in enumerate(zip(CONDITIONS, PALETTE, strict=False)):
            heights = [r["attributes"] for n in shown for r in rows
                       if (r["receiver"], r["told"]) == (n, told)]  # fmt: skip
            label = {"caption": "right", "alone": "none"}.get(told, told)
            panel.bar(np.arange(len(shown)) + (i - 1.5) * BAR, heights, BAR, color=colour,
                      label=label)  # fmt: skip
        panel.set_xticks(range(len(shown)), shown)
        panel.set_ylim(0, 1.02)
        if share == lost[0]:
            legend(panel, loc="lower left")
    return png(figure)


def pictures(bench: Bench, receivers: list[LatentReceiver], snr_db: float) -> bytes:
    """PNG: rows of scenes, losses and captions; the picture sent, then each receiver's."""
    from host.evaluate.receivers import SHOWN_LOST, SHOWN_SCENES
    from models.scenes.render import to_uint8

    cases = [(told, lost) for told in TITLES for lost in (*SHOWN_LOST, 1.0)]
    cases = [case for case in cases if case != ("alone", 1.0)]  # nothing at all
    drawn = {
        (r.name, case): to_uint8(bench.receive(r, case[0], case[1], snr_db)).numpy()
        for r in receivers
        for case in cases
    }
    scenes = [i for i in SHOWN_SCENES if i < len(bench.scenes)]
    rows = [(case, i) for case in cases for i in scenes]
    return sheet(
        ["sent", *(r.name for r in receivers)],
        [[bench.pictures[i], *(drawn[r.name, case][i] for r in receivers)] for case, i in rows],
        CELL_INCHES,
        margin_inches=(1.6, 0.4),
        labels=[f"{lost:.0%} lost\n{told}" for (told, lost), _ in rows],
        dots_per_inch=80,
    )
