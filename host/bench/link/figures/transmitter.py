# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the transmit signal: distribution of its power, and the price of limiting it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from host.bench.link.envelope import CCDF
from host.bench.link.figures.style import INK, MUTED, PALETTE, legend, limit, page, style
from host.bench.link.targets import Records


def envelope(curves: dict[str, Records]) -> Figure:
    """CCDF of the instantaneous power, and PAPR against EVM."""
    figure, (distribution, price) = page(2)
    title = "instantaneous power, four times oversampled"
    style(distribution, title, "power over its mean [dB]", "probability to exceed", log=True)
    levels_db = np.linspace(0, 12, 200)
    gaussian = np.exp(-(10 ** (levels_db / 10)))
    distribution.plot(levels_db, gaussian, ":", color=MUTED, label="complex Gaussian (theory)")
    style(price, "what limiting the peaks costs", "PAPR at CCDF 10⁻³ [dB]", "EVM [dB]")
    colours = iter((INK, *PALETTE))
    for record in curves["envelope"]:
        level_db = record["papr_limit_db"]
        name = "not limited" if level_db is None else f"limit {level_db:g} dB"
        colour = next(colours, MUTED)
        width = f"{name}, 99 % in {record['bandwidth_hz'] / 1e3:.0f} kHz"
        distribution.plot(record["ccdf_level_db"], record["ccdf"], color=colour, label=width)
        if level_db is not None:
            for key, marker in (("papr_db", "s"), ("papr_oversampled_db", "o")):
                price.plot(record[key], record["evm_db"], marker, color=colour)
            cost = f" {level_db:g} dB: costs {record['cost_at_20_db_db']:.2f} dB of 20"
            price.annotate(cost, (record["papr_oversampled_db"], record["evm_db"]), size=8,
                           color=INK, xytext=(4, 0), textcoords="offset points")  # fmt: skip
    price.plot([], [], "s", color=MUTED, label="at the sample rate")
    price.plot([], [], "o", color=MUTED, label="four times oversampled")
    limit(distribution, CCDF, "PAPR read here")
    distribution.set_ylim(1e-5, 1.2)
    low, high = price.get_xlim()
    price.set_xlim(low, high + 0.5 * (high - low))
    legend(distribution, loc="lower left")
    legend(price, loc="lower left")
    return figure
