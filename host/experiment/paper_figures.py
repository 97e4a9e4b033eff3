# SPDX-License-Identifier: GPL-3.0-or-later
"""Table II and Fig. 4 a–d of Qiao et al. from the model, with the parameters of Table I."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from host.allocation.modulation import choose
from host.allocation.paper import (
    EDGE_BITS,
    EDGES,
    PROMPT,
    PROMPT_BITS,
    TARGETS,
    single_stream_delay_s,
    snr_full_of,
    table_two,
)
from host.allocation.solver import solve
from host.experiment.settings import Document, Settings

TOLERANCE_DB = 0.1  # of the nine thresholds
ORDERS = (4, 16, 64)  # of Table II
SNR_DB = (0.0, 30.0, 121)  # of Fig. 4: first, last, points
PAPER_CROSSING_DB = 12.0  # below it the paper finds its scheme faster


def table_two_document(settings: Settings) -> Document:
    """The nine thresholds beside the paper's."""
    rows = [asdict(row) for row in table_two()]
    worst = max(abs(row["model_db"] - row["paper_db"]) for row in rows)
    return {
        "inferred": {"prompt_bits": PROMPT_BITS, "edge_bits": EDGE_BITS},
        "targets": [{"clip": c, "ms_ssim": m, "ber": ber} for (c, m), ber in TARGETS.items()],
        "thresholds": rows,
        "largest_difference_db": worst,
        "met": worst <= TOLERANCE_DB,
    }


def table_two_lines(document: Document) -> list[str]:
    """For the terminal."""
    rows = [
        f"{row['order']:>3}-QAM, BER {row['ber']:.0e}: paper {row['paper_db']:5.1f} dB, "
        f"model {row['model_db']:6.2f} dB, {row['delay_ms']:.2f} ms"
        for row in document["thresholds"]
    ]
    worst = document["largest_difference_db"]
    return [*rows, f"largest difference {worst:.3f} dB, goal: up to {TOLERANCE_DB:g} dB"]


def fig_four_document(settings: Settings) -> Document:
    """Power, latency, bits per symbol and sends over average SNR, for each target."""
    snr_db = np.linspace(*SNR_DB)
    full = snr_full_of(snr_db)
    single_s = single_stream_delay_s(snr_db)
    curves = []
    for (clip, ms_ssim), ber in TARGETS.items():
        found = solve(PROMPT, [EDGES], [ber], full)
        steps = choose(PROMPT, [EDGES], [ber], full, ORDERS)
        faster = found.delay_s <= single_s
        curves.append(
            {
                "clip": clip,
                "ms_ssim": ms_ssim,
                "ber": ber,
                "prompt_share": found.share_prompt.tolist(),
                "latency_ms": (1e3 * found.delay_s).tolist(),
                "bits_per_symbol": found.bits_per_symbol[0].tolist(),
                "prompt_sends": found.sends.tolist(),
                "order": steps.order[0].tolist(),
                "order_latency_ms": (1e3 * steps.delay_s).tolist(),
                "faster_than_single_db": _range(snr_db, faster),
            }
        )
    return {
        "snr_db": snr_db.tolist(),
        "single_stream_ms": (1e3 * single_s).tolist(),
        "paper_crossing_db": PAPER_CROSSING_DB,
        "curves": curves,
    }


def _range(snr_db: np.ndarray, inside: np.ndarray) -> list[float] | None:
    """First and last SNR at which ``inside`` holds."""
    at = snr_db[inside]
    return [float(at[0]), float(at[-1])] if at.size else None


def fig_four_lines(document: Document) -> list[str]:
    """For the terminal."""
    lines = []
    for curve in document["curves"]:
        where = curve["faster_than_single_db"]
        text = "nowhere" if where is None else f"from {where[0]:g} to {where[1]:g} dB"
        lines.append(f"BER {curve['ber']:.0e}: faster than the single stream {text}")
    return lines
