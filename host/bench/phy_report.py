# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``bench phy`` found: the document that goes to JSON, and its tables."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from host.versions import own_versions

#: Targets of the design.
DECODE_TO_GR, DECODE_TO_LIQUID, SEARCH_TO_LIQUID, TRANSMIT_MSPS = 10.0, 0.5, 0.5, 20.0
#: Growth that the heap may show without anything being kept.
GROWTH_BYTES_MAX = 4_000_000
#: Share of frames that a receiver must get right, or its figure is void.
RIGHT_SHARE = 0.99
#: Processor time over wall time below which the core was shared with other work.
BUSY_SHARE = 0.9
#: GNU Radio's packets in the headline: those of its own OFDM examples.
GR_KIND, OWN_KIND = "short", "default"

Figures = dict[str, dict[str, float]]
Segments = dict[tuple[str, str], dict[str, Any]]


def document(
    segments: Segments,
    figures: Figures,
    stages: dict[str, float],
    memory: dict[str, Any],
    facts: dict[str, Any],
    notes: list[str],
) -> dict[str, Any]:
    """Every figure, ratio and target; what was not or wrongly measured is null."""
    rows = [_row(segment, figures, segments) for segment in segments.values() if segment["frames"]]
    own = figures[f"ours/{OWN_KIND}"]["msps"] if _valid(rows, "ours", OWN_KIND) else None
    gnu = figures[f"gr_digital/{GR_KIND}"]["msps"] if _valid(rows, "gr_digital", GR_KIND) else None
    liquid = _msps(figures, f"liquid/{OWN_KIND}") if _valid(rows, "liquid", OWN_KIND) else None
    search, liquid_search = _msps(figures, "ours/noise"), _msps(figures, "liquid/noise")
    void = [row for row in rows if not _right(row)]
    if void:
        lost = ", ".join(f"{row['receiver']}/{row['kind']}" for row in void)
        notes = [*notes, f"void, since frames were lost: {lost}"]
    busy = [key for key, f in figures.items() if f["wall_msps"] < BUSY_SHARE * f["msps"]]
    if busy:
        notes = [*notes, f"the core was shared with other work while timing {', '.join(busy)}"]
    report: dict[str, Any] = {
        "decode": {
            "frames": f"{segments['ours', OWN_KIND]['payload_symbols']} uncoded symbols a frame; "
            f"gr-digital: {segments['gr_digital', GR_KIND]['payload_symbols']}, as its examples",
            "msps": own,
            "gr_digital_msps": gnu,
            "liquid_msps": liquid,
            "ratio_to_gr_digital": _ratio(own, gnu),
            "ratio_to_liquid": _ratio(own, liquid),
            "by_frame": rows,
        },
        "search": {
            "msps": search,
            "liquid_msps": liquid_search,
            "ratio_to_liquid": _ratio(search, liquid_search),
        },
        "transmit": {
            "msps": _msps(figures, "ours/transmit"),
            "gr_digital_msps": _msps(figures, "gr_digital/transmit"),
        },
        "stages_us": {name: round(value, 1) for name, value in stages.items()},
        "memory": memory,
        "conditions": facts | own_versions(),
        "notes": notes,
    }
    report["targets"] = _targets(report)
    return report


def _row(segment: dict[str, Any], figures: Figures, segments: Segments) -> dict[str, Any]:
    """Figures of one receiver on one kind of frame, and ours over it at equal payload."""
    figure = figures[f"{segment['waveform']}/{segment['name']}"]
    own = segments.get(("ours", segment["name"]))
    other = segment["waveform"] != "ours" and own is not None
    same = figures[f"ours/{segment['name']}"]["msps"] if other else None
    return {
        "receiver": segment["waveform"],
        "kind": segment["name"],
        "payload_symbols": segment["payload_symbols"],
        "samples_per_frame": segment["count"] // segment["frames"],
        "frames": segment["frames"],
        "frames_right": figure["good"],
        "msps": figure["msps"],
        "wall_msps": figure["wall_msps"],
        "payload_msymps": figure["msps"]
        * segment["frames"]
        * segment["payload_symbols"]
        / segment["count"],
        "ours_at_equal_payload": _ratio(same, figure["msps"]),
    }


def _right(row: dict[str, Any]) -> bool:
    return row["frames_right"] >= RIGHT_SHARE * row["frames"]


def _valid(rows: list[dict[str, Any]], receiver: str, kind: str) -> bool:
    return any(_right(row) for row in rows if (row["receiver"], row["kind"]) == (receiver, kind))


def _msps(figures: Figures, key: str) -> float | None:
    return figures[key]["msps"] if key in figures else None


def _ratio(own: float | None, other: float | None) -> float | None:
    return own / other if own is not None and other else None


def _targets(report: dict[str, Any]) -> list[dict[str, Any]]:
    decode, search, memory = report["decode"], report["search"], report["memory"]
    least = [
        ("decode over gr-digital", DECODE_TO_GR, decode["ratio_to_gr_digital"]),
        ("decode over liquid", DECODE_TO_LIQUID, decode["ratio_to_liquid"]),
        ("search over liquid", SEARCH_TO_LIQUID, search["ratio_to_liquid"]),
        ("transmit MS/s", TRANSMIT_MSPS, report["transmit"]["msps"]),
    ]
    found: list[dict[str, Any]] = [
        {"name": name, "target": f"≥ {limit:g}", "measured": value, "met": _reached(value, limit)}
        for name, limit, value in least
    ]
    if decode["msps"] is None:  # our own frames were lost: worse than not measured
        found = [t | {"met": False} if "decode" in t["name"] else t for t in found]
    grown = memory["growth_bytes"]
    found.append(
        {
            "name": f"memory growth over {memory['samples']:.3g} samples, MB",
            "target": f"≤ {GROWTH_BYTES_MAX / 1e6:g}",
            "measured": grown / 1e6,
            "met": grown <= GROWTH_BYTES_MAX,
        }
    )
    return found


def _reached(value: float | None, limit: float) -> bool | None:
    return None if value is None else value >= limit


def tables(report: dict[str, Any]) -> list[Table]:
    """Targets, frames of every kind, stages."""
    return [_target_table(report), _frame_table(report), _stage_table(report)]


def _figure(value: float | None, digits: int = 2) -> str:
    return "—" if value is None else f"{value:.{digits}f}"


def _target_table(report: dict[str, Any]) -> Table:
    table = Table("target", "at", "measured", "met", title="one core, processor time")
    for target in report["targets"]:
        met = {True: "yes", False: "NO", None: "not measured"}[target["met"]]
        style = "red" if target["met"] is False else None
        figure = _figure(target["measured"])
        table.add_row(target["name"], target["target"], figure, met, style=style)
    return table


def _frame_table(report: dict[str, Any]) -> Table:
    columns = ("receiver", "frame", "symbols", "samples", "right", "MS/s", "Msym/s", "ours/it")
    table = Table(*columns, title="decode, by kind of frame", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in report["decode"]["by_frame"]:
        table.add_row(
            row["receiver"],
            row["kind"],
            str(row["payload_symbols"]),
            str(row["samples_per_frame"]),
            f"{row['frames_right']}/{row['frames']}",
            _figure(row["msps"]),
            _figure(row["payload_msymps"]),
            _figure(row["ours_at_equal_payload"]),
        )
    for name, key in (("ours", "msps"), ("liquid", "liquid_msps")):
        table.add_row(name, "noise", "", "", "", _figure(report["search"][key]))
    for name, key in (("ours", "msps"), ("gr_digital", "gr_digital_msps")):
        table.add_row(name, "transmit", "", "", "", _figure(report["transmit"][key]))
    return table


def _stage_table(report: dict[str, Any]) -> Table:
    table = Table("stage", "µs", title=f"stages of one '{OWN_KIND}' frame")
    for name, spent in report["stages_us"].items():
        table.add_row(name, f"{spent:.0f}")
    return table
