# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller decided for a job, beside what came of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from host.allocation.controller import LinkPlan
from host.pipeline.outcome import Outcome

MODULATIONS = {2: "BPSK", 4: "QPSK"}


def modulation(order: int) -> str:
    """``BPSK``, ``QPSK``, ``16-QAM`` …, ``not sent`` for 0."""
    return MODULATIONS.get(order, f"{order}-QAM") if order else "not sent"


def allocation(outcome: Outcome) -> dict[str, Any] | None:
    """The plan and its measure; ``None`` for a job without bands."""
    decided = outcome.adaptation
    if decided is None:
        return None
    plan, sent, made = decided.plan, outcome.transmission, outcome.synthesis
    told = outcome.frames.band_snr_db
    heard = np.mean(told, axis=0) if told and len({len(row) for row in told}) == 1 else []
    streams = []
    for band in (plan.prompt, *plan.streams):
        index = next((i for i, b in enumerate(decided.bands) if b["stream_id"] == band.stream_id
                      and band.order), None)  # fmt: skip
        streams.append(
            {
                "name": band.name,
                "carriers": band.carriers,
                "power": band.power,
                "order": band.order,
                "modulation": modulation(band.order),
                "planned_snr_db": band.snr_db,
                "planned_error_rate": band.error_rate,
                "planned_ms": _ms(band.rows, plan),
                "channel_snr_db": float(heard[index]) if _has(heard, index) else None,
                "refused": plan.refused.get(band.stream_id) if band.stream_id is not None else None,
            }
        )
    edges = next((s for s in streams if s["name"] == "edges" and s["order"]), None)
    if edges is not None and made is not None and made.edge_bit_errors is not None:
        edges["bit_errors"] = made.edge_bit_errors
    rate = outcome.run.radio.sample_rate_hz
    return {
        "known": plan.known,
        "frames_heard": decided.frames_heard,
        "planned_sends": plan.sends if math.isfinite(plan.sends) else None,
        "planned_latency_ms": 1e3 * plan.latency_s if math.isfinite(plan.latency_s) else None,
        "bottleneck": plan.bottleneck,
        "retransmissions": sent.retransmissions if sent else None,
        "on_air_ms": 1e3 * sent.samples_sent / rate if sent else None,
        "streams": streams,
    }


def headline(plan: LinkPlan) -> str:
    """The decision in a line: ``bands: 2.97 ms, slowest prompt``, and who is refused."""
    refused = [band.name for band in plan.streams if not band.order]
    if not math.isfinite(plan.latency_s):
        return "bands: the prompt hardly gets through"
    text = f"bands: {1e3 * plan.latency_s:.2f} ms planned, slowest {plan.bottleneck}"
    return f"{text}; {', '.join(refused)} refused" if refused else text


def _has(heard: Any, index: int | None) -> bool:
    return index is not None and index < len(heard)


def _ms(rows: float, plan: LinkPlan) -> float | None:
    slowest = max((plan.prompt.rows, *(band.rows for band in plan.streams)))
    if not (math.isfinite(rows) and math.isfinite(plan.latency_s) and slowest):
        return None
    return 1e3 * plan.latency_s * rows / slowest


def rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Lines for the table: (label, value)."""
    told = report.get("allocation")
    if not told:
        return []
    known = f"heard in {told['frames_heard']} frames" if told["known"] else "channel not known"
    found = [("plan", f"{known}; {_latency(told)}")]
    for one in told["streams"]:
        found.append((f"band {one['name']}", band_text(one)))
    return found


def _latency(told: dict[str, Any]) -> str:
    if told["planned_latency_ms"] is None:
        return "the prompt will hardly get through"
    text = f"{told['planned_latency_ms']:.2f} ms of payload, slowest {told['bottleneck']}"
    if told["on_air_ms"] is not None:
        text += f"; {told['on_air_ms']:.2f} ms on the air with all of its frames"
    return text


def band_text(one: dict[str, Any]) -> str:
    """``12 carriers, 47 % of the power, 16-QAM, 1.76 ms``; why where it is refused."""
    if not one["order"]:
        return f"refused: {one['refused']}; drawn from the prompt alone"
    parts = [f"{one['carriers']} carriers", f"{100 * one['power']:.1f} % of the power",
             one["modulation"]]  # fmt: skip
    if one["planned_ms"] is not None:
        parts.append(f"{one['planned_ms']:.2f} ms")
    if one["channel_snr_db"] is not None:
        parts.append(f"channel {one['channel_snr_db']:.1f} dB")
    return ", ".join(parts)
