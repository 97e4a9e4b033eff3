# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of ``eval cgan``: NMSE over LS on every channel, bit errors, pictures."""

from __future__ import annotations

from typing import Any

from host.bench.link.figures.style import PALETTE, legend, limit, page, png, style

Record = dict[str, Any]
NAMES = {
    "ls": "LS",
    "lmmse": "robust LMMSE",
    "l2": "L2 only",
    "cgan": "CGAN",
    "genie": "genie LMMSE",
    "known": "channel known",
}
COLOURS = dict(zip(NAMES, ("#55606e", PALETTE[0], PALETTE[2], PALETTE[1], "black", "black")))  # noqa: B905
LINES = {"genie": "--", "known": ":", "l2": "--"}
FAMILIES = {"a": "as in training", "b": "3GPP TR 38.901, never seen", "c": "GNU Radio, never seen"}


METHODS = ("ls", "lmmse", "l2", "cgan", "genie")


def _curve(axes: Any, rows: list[Record], values: list[float], name: str) -> None:
    axes.plot(
        [r["snr_db"] for r in rows],
        values,
        LINES.get(name, "-"),
        color=COLOURS[name],
        marker=None if name in ("genie", "known") else "o",
        markersize=3.2,
        linewidth=1.3,
        label=NAMES[name],
    )


def _of(rows: list[Record], names: tuple[str, ...]) -> list[str]:
    """Those of ``names`` that every row has."""
    return [name for name in names if all(name in row["nmse_db"] for row in rows)]


def curves(records: list[Record]) -> bytes:
    """PNG: a panel a channel with the NMSE relative to LS, then bit errors and PSNR."""
    cases = list(dict.fromkeys(r["case"] for r in records))
    pictured = [c for c in cases if any("psnr_db" in r for r in records if r["case"] == c)]
    spare = -(len(cases) + 2 * len(pictured)) % 4
    figure, axes = page(len(cases) + 2 * len(pictured) + spare, 4)
    panels = iter(axes)
    by_case = {case: [r for r in records if r["case"] == case] for case in cases}
    for number, (case, rows) in enumerate(by_case.items()):
        panel = next(panels)
        title = f"{case} ({FAMILIES[rows[0]['family']]})"
        style(panel, title, "SNR in dB", "NMSE over that of LS in dB")
        for name in _of(rows, METHODS[1:]):
            over = [r["nmse_db"][name] - r["nmse_db"]["ls"] for r in rows]
            _curve(panel, rows, over, name)
        limit(panel, -3.0, "goal up to 15 dB")
        panel.axhline(0.0, color=COLOURS["ls"], linewidth=0.8)
        if number == 0:
            legend(panel, loc="upper left")
    for case in pictured:
        panel, rows = next(panels), by_case[case]
        style(panel, f"{case}: 16-QAM, uncoded", "SNR in dB", "bit errors over channel known")
        for name in _of(rows, METHODS):
            ratio = [
                r["ber"]["16-QAM"][name] / max(r["ber"]["16-QAM"]["known"], 1e-9) for r in rows
            ]
            _curve(panel, rows, ratio, name)
        legend(panel, loc="upper left")
    for case in pictured:
        panel, rows = next(panels), by_case[case]
        style(panel, f"{case}: JSCC picture", "SNR in dB", "PSNR lost to channel known in dB")
        for name in _of(rows, METHODS):
            lost = [r["psnr_db"]["known"] - r["psnr_db"][name] for r in rows]
            _curve(panel, rows, lost, name)
        legend(panel, loc="upper right")
    for panel in panels:
        panel.set_axis_off()
    return png(figure)
