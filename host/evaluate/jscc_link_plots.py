# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of JSCC weights over the software channel: PSNR, and gains with their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link.figures.style import INK, MUTED, PALETTE, page, png, style

Record = dict[str, Any]

LINES = ("--", "-", "-.", ":")  # of the weights
APART_DB = 0.15  # between the intervals of two channels, so that none hides another


def page_of(result: Record) -> bytes:
    """PNG: mean PSNR over the SNR, then a panel with the gain of each further weights.

    A colour a channel, a line a set of weights.
    """
    cases, names = list(result["cases"]), result["weights"]
    figure, axes = page(len(names))
    style(axes[0], "through the radio chain", "mean SNR of a symbol in dB", "mean PSNR in dB")
    for panel, name in zip(axes[1:], names[1:], strict=True):
        style(panel, f"{name} over {names[0]}, 95 % intervals", "mean SNR of a symbol in dB",
              "gain in dB")  # fmt: skip
        panel.axhline(0, color=MUTED, linewidth=1)
    for number, case in enumerate(cases):
        colour = PALETTE[number % len(PALETTE)]
        rows = [r for r in result["rows"] if r["case"] == case and r["snr_db"] is not None]
        rows.sort(key=lambda row: row["snr_db"])
        at = np.array([row["snr_db"] for row in rows])
        for index in range(len(names)):
            values = [row["psnr_db"][index] for row in rows]
            axes[0].plot(at, values, LINES[index % len(LINES)], color=colour, linewidth=1.3)
        aside = at + APART_DB * (number - (len(cases) - 1) / 2)
        for index, panel in enumerate(axes[1:]):
            gain = np.array([row["gain_db"][index] for row in rows])
            ends = np.array([row["gain_db_ci"][index] for row in rows], float)
            reach = np.abs(np.where(np.isfinite(ends), ends, gain[:, None]) - gain[:, None]).T
            panel.errorbar(aside, gain, reach, fmt="-o", color=colour, markersize=3.5,
                           linewidth=1.1, elinewidth=1.1, capsize=2)  # fmt: skip
        axes[0].plot([], [], "-", color=colour, label=result["cases"][case])
    for index, name in enumerate(names):
        axes[0].plot([], [], LINES[index % len(LINES)], color=INK, label=name)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False, labelcolor=INK)
    figure.suptitle(f"k/n {result['rate']}, {len(result['photos'])} photos, "
                    f"{len(result['seeds'])} channels each", color=INK, size=11)  # fmt: skip
    return png(figure)
