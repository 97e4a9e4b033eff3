# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of packet and bit errors: measured beside the laws."""

from __future__ import annotations

import numpy as np

from host.allocation.packet_errors import PAPER, FadingErrors, KnownErrors, error_rate
from host.bench.link.figures.style import INK, MUTED, PALETTE, legend, page, png, style
from host.experiment.settings import Document

TITLES = {
    "rayleigh": "packets in block Rayleigh: form (2), constants fitted",
    "known": "packets at known SNR: law of error events",
}
LOWEST = 3e-4


def packets(document: Document) -> bytes:
    """PNG: PER over SNR for each length, measured points, fitted lines with their bands."""
    figure, axes = page(2)
    for panel, (name, title) in zip(axes, TITLES.items(), strict=True):
        law = document["laws"][name]
        label = "mean SNR over fades in dB" if name == "rayleigh" else "SNR in dB"
        style(panel, title, label, "packet error rate", log=True)
        kind = FadingErrors if name == "rayleigh" else KnownErrors
        fitted = kind(*law["constants"])
        lengths = sorted({point["length_bits"] for point in law["points"]})
        for colour, length in zip(PALETTE, lengths, strict=False):
            rows = [p for p in law["points"] if p["length_bits"] == length]
            snr_db = np.array([p["snr_db"] for p in rows])
            fine = np.linspace(snr_db.min(), snr_db.max(), 120)
            rate = error_rate(fitted, length, 10 ** (fine / 10))
            low, high = np.maximum(np.array([p["band"] for p in rows]).T, LOWEST)
            panel.fill_between(snr_db, low, high, color=colour, alpha=0.15, lw=0)
            panel.plot(fine, rate, color=colour, lw=1.3, label=f"L = {length} code bits")
            per = np.array([p["per"] for p in rows])
            seen = per > 0
            panel.plot(snr_db[seen], per[seen], "o", color=colour, ms=3.5)
        if name == "rayleigh":
            paper = error_rate(PAPER, lengths[-1], 10 ** (fine / 10))
            panel.plot(fine, paper, ":", color=MUTED, lw=1.3,
                       label=f"cited k = {PAPER.k}, b = {PAPER.b}, L = {lengths[-1]}")  # fmt: skip
        panel.set_ylim(LOWEST, 1.4)
        panel.plot([], [], "o", color=INK, ms=3.5, label="measured, other packets than fitted")
        legend(panel, loc="lower left")
    return png(figure)
