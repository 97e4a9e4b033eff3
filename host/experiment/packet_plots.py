# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of packet and bit errors: measured beside the laws."""

from __future__ import annotations

import numpy as np

from host.allocation.packet_errors import PAPER, FadingErrors, KnownErrors, error_rate
from host.allocation.qam_errors import bit_error_rate
from host.allocation.streams import steps_of
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


def bits(document: Document) -> bytes:
    """PNG: BER over SNR with the bounds, and what the bounds cost in dB."""
    figure, (rates, cost) = page(2)
    style(rates, "uncoded QAM: measured, exact, bound of (4)", "Es/N0 in dB", "bit error rate",
          log=True)  # fmt: skip
    style(cost, "SNR that the bound asks for above theory", "bit error rate", "dB")
    for colour, one in zip(PALETTE, document["orders"], strict=False):
        points = one["points"]
        order = one["order"]
        snr_db = np.array([p["snr_db"] for p in points])
        fine = np.linspace(snr_db.min() - 2, snr_db.max() + 3, 160)
        snr = 10 ** (fine / 10)
        name = "BPSK" if order == 2 else "QPSK" if order == 4 else f"{order}-QAM"
        rates.plot(fine, bit_error_rate(order, snr), color=colour, lw=1.3, label=name)
        alpha, beta = document["fitted"]
        rates.plot(fine, np.exp(-alpha * snr / steps_of(order)) / beta, "--", color=colour, lw=0.9)
        rates.plot(snr_db, [p["ber"] for p in points], "o", color=colour, ms=3.5)
        at = document["slack_at"]
        cost.plot(at, one["slack_db"]["paper"], ":", color=colour, lw=1.3)
        cost.plot(at, one["slack_db"]["fitted"], "-", color=colour, lw=1.3, label=name)
    rates.set_ylim(3e-6, 0.5)
    rates.plot([], [], "--", color=MUTED, lw=0.9, label="bound, fitted α and β")
    cost.set_xscale("log")
    cost.axhline(0, color=INK, lw=0.8)
    cost.plot([], [], ":", color=MUTED, lw=1.3, label="α = 1.5, β = 5, as cited")
    legend(rates, loc="lower left")
    legend(cost, loc="upper left")
    return png(figure)
