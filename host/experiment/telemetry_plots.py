# SPDX-License-Identifier: GPL-3.0-or-later
"""Page of theory beside telemetry."""

from __future__ import annotations

import numpy as np

from host.allocation.packet_errors import PAPER, RAYLEIGH, error_rate
from host.bench.link.figures.style import INK, MUTED, PALETTE, legend, page, png, style
from host.experiment import frames
from host.experiment.settings import Document
from semcom_blocks.phy import coding

MARKS = {"equal": ("s", PALETTE[1]), "adaptive": ("D", PALETTE[2])}


def telemetry(document: Document) -> bytes:
    """PNG: packet errors, sends and time on the air over SNR; lines are the model."""
    figure, (errors, sends, air) = page(3)
    snr_db = np.linspace(0, 26, 120)
    length = coding.coded_length(8 * frames.PACKET_BYTES)
    rate = error_rate(RAYLEIGH, length, 10 ** (snr_db / 10))
    label = "mean SNR of the prompt's cells in dB"
    style(errors, "packet error rate, block Rayleigh", label, "PER", log=True)
    style(sends, "sends of a packet", label, "1 / (1 − PER)")
    style(air, "a job on the air, running link", "mean SNR at unit power in dB", "ms")
    core = document["core"]
    at = np.array([p["prompt_snr_db"] for p in core])
    low, high = np.array([p["band"] for p in core]).T
    errors.fill_between(at, np.maximum(low, 1e-3), high, color=PALETTE[0], alpha=0.15, lw=0,
                        label="95 % band of as many packets")  # fmt: skip
    errors.plot(snr_db, rate, color=PALETTE[0], lw=1.4,
                label=f"(2), k = {RAYLEIGH.k:g}, b = {RAYLEIGH.b:g}")  # fmt: skip
    cited = error_rate(PAPER, length, 10 ** (snr_db / 10))
    errors.plot(snr_db, cited, ":", color=MUTED, lw=1.3, label="(2), constants as cited")
    per = np.array([p["per"] for p in core])
    errors.plot(at[per > 0], per[per > 0], "o", color=INK, ms=4, label="frames, pure core")
    sends.plot(snr_db, 1 / (1 - rate), color=PALETTE[0], lw=1.4, label="(3), fitted")
    sends.plot(at, 1 / (1 - per), "o", color=INK, ms=4, label="frames, pure core")
    for name, (mark, colour) in MARKS.items():
        rows = [p for p in document["link"] if p["bands"] == name]
        x = np.array([p["prompt_snr_db"] for p in rows])
        y = np.array([p["per"] for p in rows])
        ends = np.array([p["per_ci"] for p in rows]).reshape(-1, 2)
        errors.errorbar(x, y, np.clip([y - ends[:, 0], ends[:, 1] - y], 0, 1), fmt=mark,
                        color=colour, ms=5, lw=1, label=f"running link, {name} bands")  # fmt: skip
        sends.plot(x, [p["sends"] for p in rows], mark, color=colour, ms=5,
                   label=f"running link, {name} bands")  # fmt: skip
        mean_db = [p["mean_snr_db"] for p in rows]
        ms = np.array([p["air_ms"] for p in rows])
        spread = np.array([p["air_ms_ci"] for p in rows]).reshape(-1, 2)
        air.errorbar(mean_db, ms, np.abs(spread.T - ms), fmt=mark, color=colour, ms=5, lw=1,
                     label=f"measured, {name} bands")  # fmt: skip
    equal = [p for p in document["link"] if p["bands"] == "equal"]
    air.plot([p["mean_snr_db"] for p in equal], [p["model_air_ms"] for p in equal], "-",
             color=PALETTE[1], lw=1.4, label="(3) with all frames, equal bands")  # fmt: skip
    errors.set_ylim(2e-3, 1.2)
    air.set_ylim(bottom=0)
    for panel, place in ((errors, "lower left"), (sends, "upper right"), (air, "upper right")):
        legend(panel, loc=place)
    return png(figure)
