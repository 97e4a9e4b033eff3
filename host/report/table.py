# SPDX-License-Identifier: GPL-3.0-or-later
"""A short table for the terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from host.prompts import for_display
from host.report.allocation import rows as allocation_rows
from host.report.generation import rows as generation_rows

REPLAY_ROWS_MAX = 40  # a terminal's height; report.json has them all
PROMPT_CHARS_MAX = 300  # a terminal is no place for a 64 KiB prompt


def figure(value: Any, digits: int, unit: str = "") -> str:
    """``12.3 dB``, or a dash for what is not known."""
    return "—" if value is None else f"{value:.{digits}f}{unit}"


def shortened(text: str | None) -> str:
    """A prompt for display: controls escaped, long ones cut."""
    if text is None:
        return "—"
    shown = for_display(text)
    if len(shown) <= PROMPT_CHARS_MAX:
        return shown
    return f"{shown[:PROMPT_CHARS_MAX]}… ({len(text)} characters)"


def rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures of ``report`` as (label, value) pairs, unknown ones left out."""
    prompt, link, quality = report["prompt"], report["link"], report["quality"]
    cost, timing = report["cost"], report["timing_s"]
    found = [("prompt sent", shortened(prompt["sent"]))]
    found.append(("prompt received", _received(prompt)))
    if prompt["packets_sent"] is not None:
        counts = f"{prompt['packets_sent']} sent, {prompt['retransmissions']} again"
        found.append(("packets", counts))
    found.append(("acknowledged", _feedback(link)))
    found.append(("SNR", _pair(link["snr_db_set"], link["snr_db_est"], 1, " dB")))
    found.append(("CFO", _pair(link["cfo_hz_set"], link["cfo_hz_est"], 1, " Hz")))
    found.append(("SRO", _pair(link["sro_ppm_set"], link["sro_ppm_est"], 2, " ppm")))
    found.append(("frames", _frames(link)))
    found.append(("devices", _devices(link.get("devices") or {})))
    found.append(("channel estimates", _estimates(link)))
    found.append(("EVM", figure(link["evm_db"], 1, " dB")))
    found.append(("PAPR", figure(link["papr_db"], 1, " dB")))
    found.append(("PSNR", _psnr(quality)))
    found.append(("MS-SSIM", _ms_ssim(quality)))
    found.extend(allocation_rows(report))
    found.extend(generation_rows(report))
    found.append(("cost", figure(cost["symbols_per_pixel"], 3, " symbols/pixel")))
    stages = [name for name in ("setup", "encode", "air", "decode") if name in timing]
    spent = ", ".join(f"{name} {timing[name]:.1f}" for name in stages)
    found.append(("time", f"{spent}; {timing['total']:.1f} s in all"))
    return [(label, value) for label, value in found if value != "—"]


def _estimates(link: dict[str, Any]) -> str:
    """Frames by estimator, where one of them asks the model service."""
    counters = link.get("estimator_counters")
    if not counters:
        return "—"
    frames = ", ".join(f"{count} {name}" for name, count in link["estimators"].items())
    asked = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counters.items())
    return f"{frames} ({asked})"


def make_table(report: dict[str, Any]) -> Table:
    """The rows as a table; nothing in them is taken for markup."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in rows(report):
        table.add_row(Text(label), Text(value))
    return table


def replay_table(replay: dict[str, Any]) -> Table:
    """Recorded against replayed, a row a frame."""
    table = Table("frame", "at sample", "SNR recorded", "replayed", "CFO recorded", "replayed")
    for row in replay["frames"][:REPLAY_ROWS_MAX]:
        sides = [row["recorded"], row["replayed"]]
        cells = [
            figure(side[name], 1, unit) if side else "absent"
            for name, unit in (("snr_db", " dB"), ("cfo_hz", " Hz"))
            for side in sides
        ]
        table.add_row(str(row["seq"]), str(row["sample_start"]), *cells)
    return table


def replay_summary(replay: dict[str, Any]) -> str:
    """A line under the table."""
    rows, lost, new = len(replay["frames"]), replay["lost"], replay["new"]
    text = f"{replay['matched']} of {rows} frames in both, {lost} lost, {new} new"
    for name, label, unit in (("snr_db", "SNR", "dB"), ("cfo_hz", "CFO", "Hz")):
        apart = replay["difference"][name]
        if apart is not None:
            text += f"; {label} {apart['mean']:+.2f} {unit} (at most {apart['max_abs']:.2f})"
    if rows > REPLAY_ROWS_MAX:
        text += f"; {rows - REPLAY_ROWS_MAX} more frames in report.json"
    return text


def _received(prompt: dict[str, Any]) -> str:
    if prompt["received"] is None:
        return {True: "yes, acknowledged", False: "no", None: "—"}[prompt["delivered"]]
    if prompt["sent"] is None:
        return shortened(prompt["received"])
    return "exactly as sent" if prompt["received"] == prompt["sent"] else "DIFFERS"


def _pair(wanted: float | None, measured: float | None, digits: int, unit: str) -> str:
    if wanted is None:
        return figure(measured, digits, unit)
    if measured is None:
        return f"{figure(wanted, digits, unit)} set"
    return f"{figure(wanted, digits, unit)} set, {figure(measured, digits, unit)} measured"


def _feedback(link: dict[str, Any]) -> str:
    if link["round_trip_s"] is None:
        return "—"
    ways = {"air": "over the air", "zmq": "beside the air"}
    way = ways.get(link["feedback"], link["feedback"])
    return f"{way}, round trip {1e3 * link['round_trip_s']:.0f} ms"


def _frames(link: dict[str, Any]) -> str:
    sent = link["frames_sent"] if link["frames_sent"] is not None else link["frames_expected"]
    received = link["frames_received"]
    if received is None:
        return "—" if sent is None else f"{sent} sent"
    text = f"{received} received" if sent is None else f"{received} of {sent} received"
    erased = link["symbols_erased"]
    return f"{text}, {erased} symbols erased" if erased else text


#: Counters of a device that a table names, and their words.
DEVICE_EVENTS = {
    "overflows": "overflows",
    "underflows": "underflows",
    "late": "late",
    "restarts": "restarts",
}


def _devices(devices: dict[str, dict[str, int]]) -> str:
    """What the devices of both radios counted together; a dash where there are none."""
    if not devices:
        return "—"
    totals = {
        word: sum(counters.get(name, 0) for counters in devices.values())
        for name, word in DEVICE_EVENTS.items()
    }
    return ", ".join(f"{count} {word}" for word, count in totals.items())


def _psnr(quality: dict[str, Any]) -> str:
    if quality["psnr_db"] is None:
        return "—"
    text = figure(quality["psnr_db"], 2, " dB")
    ideal = quality["ideal_psnr_db"]
    return text if ideal is None else f"{text} ({ideal:.2f} dB over ideal AWGN)"


def _ms_ssim(quality: dict[str, Any]) -> str:
    text = figure(quality["ms_ssim"], 4)
    scales = quality["ms_ssim_scales"]
    return text if scales in (None, 5) else f"{text} ({scales} of 5 scales: small picture)"
