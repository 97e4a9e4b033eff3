# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures beside the targets: no limit is set on them, but a reader should see them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from host.bench.link.plan import AWGN, CHANNELS, WITHIN_PREFIX
from host.bench.link.targets import Records, default_equalizer, select

#: Packet error rate at which header and prompt are compared.
COMPARED_PER = 0.1


def remarks(document: dict[str, Records]) -> list[str]:
    """One line each."""
    lines = []
    advantage_db = header_advantage_db(document["packets"], AWGN)
    if np.isfinite(advantage_db):
        lines.append(
            f"the header holds {advantage_db:.1f} dB below the prompt "
            f"(SNR at {COMPARED_PER:.0%} errors, awgn)"
        )
    for channel in CHANNELS:
        if channel in WITHIN_PREFIX:
            continue
        beyond = default_equalizer(select(document["analog"], channel=channel))
        if beyond:
            worst = max(beyond, key=lambda record: record["loss_db"])
            lines.append(
                f"beyond the prefix ({channel}) analog symbols lose up to "
                f"{worst['loss_db']:.2f} dB to a known channel, at {worst['snr_db']:g} dB"
            )
    for record in document["envelope"]:
        if record["papr_limit_db"] is not None:
            lines.append(
                f"peaks limited to {record['papr_limit_db']:g} dB: PAPR "
                f"{record['papr_oversampled_db']:.2f} dB, EVM {record['evm_db']:.1f} dB, "
                f"costs {record['cost_at_20_db_db']:.2f} dB of 20 dB"
            )
    return lines


def header_advantage_db(records: Records, channel: str) -> float:
    """SNR at which prompts fail as often as :data:`COMPARED_PER`, less that of headers."""
    snrs_db = [
        snr_at_per(select(records, part=part, channel=channel), COMPARED_PER)
        for part in ("prompt", "header")
    ]
    return snrs_db[0] - snrs_db[1]


def snr_at_per(records: Records, per: float) -> float:
    """SNR in dB at which the error rate crosses ``per``, log-linear between points, or NaN."""
    ordered = sorted(records, key=lambda record: record["snr_db"])
    for left, right in pairwise(ordered):
        if left["per"] >= per > right["per"]:
            # Where none failed the point says no more than its interval's end.
            ends = np.log([left["per"], right["per"] or right["per_ci"][1]])
            part = (ends[0] - np.log(per)) / (ends[0] - ends[1])
            return float(left["snr_db"] + min(part, 1.0) * (right["snr_db"] - left["snr_db"]))
    return float("nan")
