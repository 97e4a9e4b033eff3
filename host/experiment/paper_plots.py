# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of the paper's own figures."""

from __future__ import annotations

from host.bench.link.figures.style import (
    INK,
    LIMIT,
    MUTED,
    PALETTE,
    legend,
    page,
    png,
    style,
)
from host.experiment.settings import Document

STAIR_ALPHA = 0.45


def table_two(document: Document) -> bytes:
    """PNG: thresholds of the paper and the model, a panel an order."""
    orders = sorted({row["order"] for row in document["thresholds"]})
    figure, axes = page(len(orders))
    for panel, order in zip(axes, orders, strict=True):
        rows = [row for row in document["thresholds"] if row["order"] == order]
        delay_ms = rows[0]["delay_ms"]
        style(panel, f"{order}-QAM, {delay_ms:.2f} ms", "BER allowed", "least average SNR in dB")
        for x, row in enumerate(rows):
            panel.plot(x, row["paper_db"], "_", color=PALETTE[0], ms=44, mew=1.6,
                       label="paper" if not x else None)  # fmt: skip
            panel.plot(x, row["model_db"], "o", color=PALETTE[1], ms=6,
                       label="model" if not x else None)  # fmt: skip
            panel.annotate(
                f"{row['paper_db']:.1f} / {row['model_db']:.2f}",
                (x, row["model_db"]), (0, 13), textcoords="offset points", ha="center",
                size=9, color=INK,
            )  # fmt: skip
        panel.set_xticks(range(len(rows)), [f"{row['ber']:.0e}" for row in rows])
        panel.set_xlim(-0.6, len(rows) - 0.4)
        panel.margins(y=0.25)
        if panel is axes[0]:
            legend(panel, loc="lower left", markerscale=0.5)
    return png(figure)


def fig_four(document: Document) -> bytes:
    """PNG: the four panels of Fig. 4."""
    figure, axes = page(4, 2)
    snr_db = document["snr_db"]
    panels = (
        ("(a) power for the prompt", "share", "prompt_share"),
        ("(b) transmission latency", "ms", "latency_ms"),
        ("(c) edge map", "bits per symbol", "bits_per_symbol"),
        ("(d) prompt", "expected sends", "prompt_sends"),
    )
    for panel, (title, label, key) in zip(axes, panels, strict=True):
        style(panel, title, "average SNR in dB", label, log=key in ("latency_ms", "prompt_sends"))
        for colour, curve in zip(PALETTE, document["curves"], strict=False):
            text = f"BER {curve['ber']:.0e} (CLIP {curve['clip']:g}, MS-SSIM {curve['ms_ssim']:g})"
            panel.plot(snr_db, curve[key], color=colour, lw=1.6, label=text)
    for colour, curve in zip(PALETTE, document["curves"], strict=False):
        bits = [order.bit_length() - 1 if order else 0 for order in curve["order"]]
        axes[2].step(snr_db, bits, color=colour, lw=1.0, alpha=STAIR_ALPHA, where="post")
        pairs = zip(curve["order_latency_ms"], curve["order"], strict=True)
        sent = [ms if order else float("nan") for ms, order in pairs]
        axes[1].plot(snr_db, sent, color=colour, lw=1.0, alpha=STAIR_ALPHA)
    axes[1].plot(snr_db, document["single_stream_ms"], "--", color=INK, lw=1.4,
                 label="single stream, 2B, BER 1e-07")  # fmt: skip
    axes[1].axvline(document["paper_crossing_db"], color=LIMIT, lw=1.0, ls=(0, (5, 3)))
    axes[2].plot([], [], color=MUTED, lw=1.0, label="faint: QPSK, 16-, 64-QAM or not sent")
    for panel, place in zip(axes, ("upper left", "upper right", "upper left", "upper right"),
                            strict=True):  # fmt: skip
        legend(panel, loc=place)
    return png(figure)
