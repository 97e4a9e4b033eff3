# SPDX-License-Identifier: GPL-3.0-or-later
"""The upper half of the page of a run with generation: every picture that there was, in a row.

source │ edges sent │ edges received │ coarse or latents as they arrived │ generated
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from host.pipeline.outcome import Outcome
from host.pipeline.records import STREAM_EDGES
from host.report.generation import drawn_text, fidelity_text, short_name, stream_text
from host.report.style import BLUE, INK, MUTED, picture, style
from host.report.table import shortened

FIRST_LINE, LINE, LINES_MAX = 0.92, 0.105, 9  # in heights of the box
NOTE_CHARS = 58


def strip(page: Figure, outcome: Outcome, report: dict[str, Any]) -> None:
    """Draw the pictures side by side."""
    shown = _pictures(outcome, report)
    area = page.add_gridspec(
        1, len(shown), left=0.05, right=0.975, top=0.905, bottom=0.56, wspace=0.08
    )
    for slot, (pixels, name, verdict) in zip(area, shown, strict=True):
        picture(page.add_subplot(slot), pixels, name, verdict)


def _pictures(outcome: Outcome, report: dict[str, Any]) -> list[tuple[np.ndarray | None, str, str]]:
    made, sent, wanted = outcome.synthesis, outcome.semantics, outcome.run.generation
    assert made is not None
    quality, told = report["quality"], report["generation"]
    original = outcome.original.pixels if outcome.original is not None else None
    shown: list[tuple[np.ndarray | None, str, str]] = []
    if original is not None:
        shown.append((original, "original", ""))
    if wanted.edges or made.edges is not None:
        wrong = made.edge_bit_errors
        if sent is not None:
            shown.append((_grey(sent.edges), "edges sent", ""))
        verdict = "" if wrong is None else f"{wrong} bits wrong"
        if sent is not None and STREAM_EDGES not in sent.streams:
            verdict = "not sent"
        shown.append((_grey(made.edges), "edges received", verdict))
    if wanted.coarse or made.coarse is not None:
        shown.append(
            (made.coarse, "coarse", _verdict(told["coarse_psnr_db"], told["coarse_ms_ssim"]))
        )
    if wanted.latents or made.heard is not None:
        verdict = _verdict(told["latents_psnr_db"], told["latents_ms_ssim"])
        shown.append((made.heard, "latents as received", verdict))
    verdict = _verdict(quality["psnr_db"], quality["ms_ssim"])
    shown.append((made.generated, "generated", verdict))
    return shown


def _grey(edges: np.ndarray | None) -> np.ndarray | None:
    """An edge map as a picture, dark on white."""
    return None if edges is None else np.repeat(255 - edges[..., None], 3, axis=2)


def _verdict(psnr_db: float | None, ms_ssim: float | None) -> str:
    if psnr_db is None:
        return ""
    return f"{psnr_db:.2f} dB" + ("" if ms_ssim is None else f", MS-SSIM {ms_ssim:.3f}")


def costs_and_scores(axes: Axes, report: dict[str, Any]) -> None:
    """A small table in words: what each stream took, how alike the pictures are in meaning."""
    style(axes, "streams and scores", "", "")
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    told = report["generation"]
    lines = [(row["name"], stream_text(row)) for row in report["streams"]]
    if told["seconds"] is not None:
        lines.append(("drawn", drawn_text(told)))
    lines += [(short_name(name), f"{value:.3f}") for name, value in told["scores"].items()]
    if told["fidelity"]:
        lines.append(("fidelity", fidelity_text(told["fidelity"])))
    y = FIRST_LINE
    for label, value in lines[:LINES_MAX]:
        x, most = (0.27, 14) if len(label) <= 14 else (0.72, 42)
        axes.text(0.03, y, label[:most], transform=axes.transAxes, size=7.6, color=MUTED, va="top")
        axes.text(
            x, y, value, transform=axes.transAxes, size=7.3, va="top", parse_math=False,
            color=BLUE if label == "fidelity" else INK,
        )  # fmt: skip
        y -= LINE
    for note in told["notes"]:
        shown = textwrap.wrap(shortened(note), NOTE_CHARS, max_lines=3, placeholder=" …")
        axes.text(
            0.03, y, "\n".join(shown), transform=axes.transAxes, size=7.6, va="top",
            color=MUTED, parse_math=False, style="italic", linespacing=1.3, clip_on=True,
        )  # fmt: skip
        y -= 0.078 * len(shown) + 0.03
