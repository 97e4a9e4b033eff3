# SPDX-License-Identifier: GPL-3.0-or-later
"""Fig. 2 and Fig. 3 with this testbed's own link and models; see ``semcom eval bit-errors``."""

from __future__ import annotations

import numpy as np

from host.allocation.paper import TARGETS as PAPER_TARGETS
from host.allocation.quality import QualityTable, ber_limit
from host.bench.link.figures.style import INK, PALETTE, legend, page, png, style
from host.experiment.settings import Document, Settings

SCENES, QUICK_SCENES = 60, 3
SIDE = 64
SHOWN_SCENES = 3  # of Fig. 3
#: Words that leave the places open, as a person's caption does: the edge map tells them.
SET = "scenes, places open"
#: The paper's pair: likeness of embeddings for CLIP, and MS-SSIM.
METRICS = ("likeness", "ms_ssim")
LABELS = {"likeness": "likeness (role of CLIP)", "ms_ssim": "MS-SSIM"}
#: A mean that rises with the error rate by no more is as good as flat.
RISE_MAX = 0.002
#: The paper's targets, (likeness, MS-SSIM) over their values without errors, strictest first.
TARGETS = tuple(PAPER_TARGETS)


def fig_two_document(settings: Settings) -> Document:
    """Quality over the edge stream's bit errors, and the BER that each target tolerates."""
    from host.evaluate.bit_errors import measure

    scenes = QUICK_SCENES if settings.quick else SCENES
    measured = measure(
        scenes, side=SIDE, seed=settings.seed, done=lambda n, total: settings.tell(n / total)
    )
    tables = tables_of(measured)
    return {
        "scenes": scenes,
        "measured": measured,
        "tolerated": [
            {"target": list(target), "ber": ber_limit(tables, target)} for target in TARGETS
        ],
        "met": not any(rise["by"] > RISE_MAX for rise in _rises(measured)),
    }


def tables_of(measured: Document, which: str = SET) -> list[QualityTable]:
    """What a planner takes of a measurement: one falling table for each metric of the paper."""
    from host.evaluate.bit_error_scores import quality_table

    return [quality_table(measured, metric, which) for metric in METRICS]


def fig_two_lines(document: Document) -> list[str]:
    """For the terminal."""
    lines = []
    alone = document["measured"]["tables"][SET]["prompt_alone"]
    for one in document["tolerated"]:
        likeness, ms_ssim = one["target"]
        lines.append(f"likeness {likeness:g}, MS-SSIM {ms_ssim:g}: BER up to {one['ber']:.2g}")
    words = ", ".join(f"{LABELS[metric]} {alone[metric]:.3f}" for metric in METRICS)
    lines.append(f"prompt alone, normalised: {words}")
    lines += [
        f"{rise['set']}, {rise['metric']}: rises by {rise['by']:.2g} from BER "
        f"{rise['from_ber']:g} to {rise['to_ber']:g}"
        for rise in _rises(document["measured"])
    ]
    return lines


def _rises(measured: Document) -> list[Document]:
    """Where a metric of the paper rises with the error rate by more than chance."""
    return [
        {"set": entry["set"], "metric": entry["metric"], **rise}
        for entry in measured["falls"]
        if entry["metric"] in METRICS
        for rise in entry["rises"]
    ]


def fig_two(document: Document) -> bytes:
    """PNG: normalised quality over BER as in Fig. 2, a panel for each kind of words."""
    measured = document["measured"]
    names = list(measured["sets"])
    figure, axes = page(len(names))
    for panel, name in zip(axes, names, strict=True):
        style(panel, name, "bit error rate of the edge stream", "over quality without errors")
        for colour, metric in zip(PALETTE, METRICS, strict=False):
            rows = [r for r in measured["records"] if r["set"] == name and r["ber"]]
            at = np.array([r["ber"] for r in rows])
            ends = np.array([r[f"{metric}_norm_ci"] for r in rows])
            panel.fill_between(at, ends[:, 0], ends[:, 1], color=colour, alpha=0.15, lw=0)
            panel.plot(at, [r[f"{metric}_norm"] for r in rows], "o-", color=colour, ms=3.5, lw=1.4,
                       label=f"{LABELS[metric]}, prompt + edges")  # fmt: skip
            alone = measured["tables"][name]["prompt_alone"].get(metric)
            if alone is not None:
                panel.axhline(alone, color=colour, lw=1.1, ls=(0, (5, 3)),
                              label=f"{LABELS[metric]}, prompt alone")  # fmt: skip
        panel.set_xscale("log")
        legend(panel, loc="center left")
    figure.suptitle(
        f"{document['scenes']} held-out scenes, judge {measured['judge']}", size=10, color=INK
    )
    return png(figure)


def fig_three_document(settings: Settings) -> Document:
    """What the pictures are made with."""
    return {"scenes": SHOWN_SCENES, "side": SIDE}


def fig_three(document: Document) -> bytes:
    """PNG: pictures sent and drawn at some error rates, their edge maps above."""
    from host.evaluate.bit_error_plots import pictures
    from models.tiers import Models, TierChoice

    return pictures(
        Models(TierChoice()),
        (),
        seed=document["seed"],
        side=document["side"],
        scenes=document["scenes"],
    )


def fig_three_lines(document: Document) -> list[str]:
    """For the terminal."""
    return [f"{document['scenes']} scenes of {document['side']} pixels"]
