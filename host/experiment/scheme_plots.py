# SPDX-License-Identifier: GPL-3.0-or-later
"""Page of the schemes: latency and quality over mean SNR."""

from __future__ import annotations

import numpy as np

from host.bench.link.figures.style import INK, LIMIT, PALETTE, legend, page, png, style
from host.experiment.quality_figures import LABELS, METRICS
from host.experiment.settings import Document

SCHEMES = (
    "adaptive",
    "adaptive, may refuse",
    "adaptive, mean known",
    "fixed QPSK",
    "single",
    "single, whole bits",
)
NAMES = {
    "adaptive": "adaptive, edges always sent",
    "adaptive, may refuse": "adaptive, edges may be refused",
    "adaptive, mean known": "adaptive by past blocks only",
    "single": "single stream, rate (4)",
    "single, whole bits": "single stream, BPSK … 256-QAM",
}
LEFT_OUT_MS = 1000.0  # slower ones are off the page


def schemes(document: Document) -> bytes:
    """PNG: the model, the blocks, on what the comparison hangs, quality."""
    figure, (model, latency, ratio, quality) = page(4, 2)
    told = document["model"]
    style(model, "(a) the paper's model, constants of this testbed", "average SNR in dB",
          "latency in ms", log=True)  # fmt: skip
    for colour, curve in zip(PALETTE, told["curves"], strict=False):
        model.plot(told["snr_db"], curve["latency_ms"], color=colour, lw=1.3,
                   label=_limit(document, curve["ber"]))  # fmt: skip
    model.plot(told["snr_db"], told["single_ms"], "--", color=INK, lw=1.4, label="single stream")
    rows = [r for r in document["blocks"] if r["ber_limit"] == document["tolerated_ber"]]
    at = np.array([r["mean_snr_db"] for r in rows])
    style(latency, f"(b) block Rayleigh, BER up to {document['tolerated_ber']:.2g}",
          "mean SNR in dB", "mean latency in ms", log=True)  # fmt: skip
    style(quality, "(d) quality of what arrives", "mean SNR in dB", "over that without errors")
    for place, (colour, name) in enumerate(zip(PALETTE, SCHEMES, strict=False)):
        ms = np.array([r[name]["mean_ms"] for r in rows])
        low, high = np.array([r[name]["mean_ms_ci"] for r in rows]).T
        line = "--" if name.startswith("single") else "-"
        shown = np.where(ms < LEFT_OUT_MS, ms, np.nan)
        latency.fill_between(at, low, np.minimum(high, LEFT_OUT_MS), where=ms < LEFT_OUT_MS,
                             color=colour, alpha=0.15, lw=0)  # fmt: skip
        latency.plot(at, shown, line, color=colour, lw=1.4, marker="o", ms=3,
                     label=NAMES.get(name, name))  # fmt: skip
        for metric, mark in zip(METRICS, ("o-", "s:"), strict=True):
            if name == "single, whole bits":
                continue
            quality.plot(at, [r[name][metric] for r in rows], mark, color=colour, ms=3, lw=1.3,
                         zorder=9 - place)  # fmt: skip
    for metric, mark in zip(METRICS, ("o-", "s:"), strict=True):
        quality.plot([], [], mark, color=INK, ms=3, lw=1.3, label=LABELS[metric])
    style(ratio, "(c) adaptive over single stream (rate (4)), by BER allowed", "mean SNR in dB",
          "ratio of mean latencies", log=True)  # fmt: skip
    for colour, limit in zip(PALETTE, document["limits"], strict=False):
        points = [r for r in document["blocks"] if r["ber_limit"] == limit]
        ratio.plot([r["mean_snr_db"] for r in points],
                   [r["adaptive"]["mean_ms"] / r["single"]["mean_ms"] for r in points],
                   "o-", color=colour, ms=3, lw=1.3, label=_limit(document, limit))  # fmt: skip
    ratio.axhline(1, color=INK, lw=1.0)
    for panel in (model, ratio):
        panel.axvline(12, color=LIMIT, lw=1.0, ls=(0, (5, 3)))
    ratio.set_ylim(0.3, 5)
    for panel, place in ((model, "upper right"), (latency, "upper right"),
                         (ratio, "upper right"), (quality, "lower right")):  # fmt: skip
        legend(panel, loc=place)
    return png(figure)


def _limit(document: Document, ber: float) -> str:
    for one in document["targets"]:
        if one["ber"] == ber:
            return f"BER {ber:.2g}: likeness {one['target'][0]:g}, MS-SSIM {one['target'][1]:g}"
    return f"BER {ber:.0e}"
