# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of channel estimators: NMSE of each against the genie, a panel a channel."""

from __future__ import annotations

from matplotlib.figure import Figure

from host.bench.link.figures.style import INK, PALETTE, curve, legend, page, style
from host.bench.link.paths import CHANNELS
from host.bench.link.targets import Records, select

SUFFIX = "_nmse_db"
GENIE = f"genie{SUFFIX}"


def nmse(curves: dict[str, Records]) -> Figure:
    """NMSE over SNR."""
    channels = [name for name in CHANNELS if select(curves["nmse"], channel=name)]
    figure, panels = page(max(len(channels), 1), 3)
    for axes, channel in zip(panels, channels, strict=False):
        records = select(curves["nmse"], channel=channel)
        style(axes, f"channel estimators, {channel}", "Es/N0 [dB]", "NMSE [dB]")
        methods = [key for key in records[0] if key.endswith(SUFFIX) and key != GENIE]
        for colour, key in zip(PALETTE, methods, strict=False):
            curve(axes, records, "snr_db", key, colour, key.removesuffix(SUFFIX))
        curve(axes, records, "snr_db", GENIE, INK, "genie LMMSE", line="--", marker="")
        legend(axes)
    return figure
