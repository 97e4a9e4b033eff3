# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of what comes before the payload: detection, false alarms, CFO, SRO, SNR."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from host.bench.link.figures.style import COLOURS, LIMIT, PALETTE, curve, legend, limit, page, style
from host.bench.link.paths import CHANNELS
from host.bench.link.plan import AWGN
from host.bench.link.targets import Records, select

#: Stages that a false alarm passes, in order.
STAGES = ("candidates", "confirmed", "frames")


def detection(curves: dict[str, Records]) -> Figure:
    """Frames missed over SNR, and what other signals set off."""
    figure, (missed, alarms) = page(2)
    style(missed, "frames missed", "Es/N0 [dB]", "share", log=True)
    for channel in CHANNELS:
        records = [
            {
                "snr_db": record["snr_db"],
                # Where none was missed the line ends, and the band alone goes on.
                "missed": 1 - record["probability"] or np.nan,
                "missed_ci": [max(1 - end, 1e-6) for end in reversed(record["probability_ci"])],
            }
            for record in select(curves["detection"], channel=channel)
        ]
        curve(missed, records, "snr_db", "missed", COLOURS[channel], channel)
    missed.plot([0, 3], [1e-2, 1e-3], "v", color=LIMIT, label="limits, awgn and rayleigh-3-tap")
    missed.set_ylim(2e-5, 1.2)
    legend(missed)

    style(alarms, "what the synchroniser makes of other signals", "", "per 10⁸ samples", log=True)
    records = curves["false_alarms"]
    place = np.arange(len(records))
    for offset, (stage, colour) in enumerate(zip(STAGES, PALETTE, strict=False)):
        rates = [record[stage] / record["samples"] * 1e8 for record in records]
        alarms.bar(place + 0.27 * (offset - 1), rates, 0.25, color=colour, label=stage)
    alarms.axhline(1, color=LIMIT, linewidth=1.0, linestyle=(0, (5, 3)), label="limit for frames")
    names = [f"{record['signal']}\n{record['samples']:.1e}" for record in records]
    alarms.set_xticks(place, names, rotation=30, ha="right")
    alarms.set_ylim(0.1, None)
    legend(alarms)
    return figure


def clocks(curves: dict[str, Records]) -> Figure:
    """Residual CFO over the offset, and the loss to SRO over the offset."""
    figure, (carrier, sampling) = page(2)
    style(carrier, "residual CFO at 10 dB", "CFO [subcarriers]", "RMS [% of spacing]", log=True)
    for channel in CHANNELS:
        records = select(curves["cfo"], channel=channel, snr_db=10.0)
        for stage, line in (("sync", "-"), ("tracked", ":")):
            name = f"{channel}, {'synchroniser' if stage == 'sync' else 'whole frame'}"
            label = name if records else None
            curve(carrier, records, "cfo_carriers", f"{stage}_rms_percent", COLOURS[channel],
                  label, line=line)  # fmt: skip
    limit(carrier, 1.0, "limit")
    carrier.set_ylim(1e-2, 2)
    legend(carrier)

    title = "loss to a sampling-rate offset, 65,536 samples, awgn"
    style(sampling, title, "SRO [ppm]", "loss [dB]")
    records = [r for r in curves["sro"] if r.get("channel", AWGN) == AWGN]
    for colour, snr_db in zip(PALETTE, sorted({r["snr_db"] for r in records}), strict=False):
        for line, carriers in ((":", -8.0), ("-", 0.0), ("--", 8.0)):
            chosen = select(records, snr_db=snr_db, cfo_carriers=carriers)
            label = f"{snr_db:g} dB, CFO {carriers:+g} carriers" if chosen else None
            curve(sampling, chosen, "sro_ppm", "loss_db", colour, label, line=line)
    limit(sampling, 0.2, "limit")
    legend(sampling, ncols=2, loc="lower left")
    low, high = sampling.get_ylim()
    sampling.set_ylim(low - 0.45 * (high - low), high)
    return figure


def snr(curves: dict[str, Records]) -> Figure:
    """Bias and 99 % quantile of the SNR estimate."""
    figure, (bias, spread) = page(2)
    style(bias, "bias of the SNR estimate", "Es/N0 [dB]", "bias [dB]")
    style(spread, "error of the SNR estimate", "Es/N0 [dB]", "99 % of frames within [dB]")
    for channel in CHANNELS:
        records = select(curves["snr_estimate"], channel=channel)
        curve(bias, records, "snr_db", "bias_db", COLOURS[channel], channel)
        curve(spread, records, "snr_db", "p99_db", COLOURS[channel], channel)
    for value, name in ((1.0, "limit, awgn"), (2.0, "limit, multipath")):
        limit(spread, value, name)
    # Beyond the prefix symbols disturb one another, which is no noise that more SNR would lessen.
    bias.set_ylim(-1.0, 0.4)
    spread.set_ylim(0, 2.5)
    legend(bias, loc="lower left")
    return figure
