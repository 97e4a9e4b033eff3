# SPDX-License-Identifier: GPL-3.0-or-later
"""``report.png``: the pictures and what the receiver saw, on one page.

┌──────────┬──────────┬───────────────┐
│ original │ received │ constellation │
├──────────┴─┬────────┴──┬────────────┤
│ channel    │ spectrum  │ frames     │
├────────────┴───────────┴────────────┤
│ prompt sent / received, figures     │
└─────────────────────────────────────┘

With generation the upper half is a strip of pictures, see :mod:`host.report.strip`.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from host.pipeline.adaptation import numerology_of
from host.pipeline.outcome import Outcome
from host.report.allocation import headline, modulation
from host.report.allocation import rows as allocation_rows
from host.report.generation import rows as generation_rows
from host.report.strip import costs_and_scores, strip
from host.report.style import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PAGE, RED, picture, style
from host.report.table import rows, shortened

DOTS_PER_INCH = 110
CAPTION_CHARS = 175  # of a row of figures; of a row of the prompt:
PROMPT_CHARS = 140
CHANNEL_SPAN_DB = 6.0  # a flat channel shall look flat
FRAMES_SPAN_DB = 4.0
NAMES_ROOM = 0.3  # of the channel's panel
BAND_COLOURS = (ORANGE, GREEN, BLUE, RED)
CONSTELLATION_LIMIT = 3.2  # analog symbols are about Gaussian: 3 sigma and a margin


def draw(outcome: Outcome, report: dict[str, Any]) -> bytes:
    """The page as a PNG file."""
    page = Figure(figsize=(14, 9.4), dpi=DOTS_PER_INCH, facecolor=PAGE)
    canvas = FigureCanvasAgg(page)
    bottom = page.add_gridspec(1, 3, left=0.05, right=0.975, top=0.47, bottom=0.235, wspace=0.36)
    _title(page, outcome, report)
    if outcome.synthesis is not None:
        strip(page, outcome, report)
        _constellation(page.add_subplot(bottom[0]), outcome)
        _channel(page.add_subplot(bottom[1]), outcome)
        costs_and_scores(page.add_subplot(bottom[2]), report)
    else:
        _pictures(page, outcome, report)
        _channel(page.add_subplot(bottom[0]), outcome)
        _spectrum(page.add_subplot(bottom[1]), outcome)
        _frames(page.add_subplot(bottom[2]), outcome)
    _caption(page, report)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A prompt may hold any script; what the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        canvas.print_png(buffer)
    return buffer.getvalue()


def _pictures(page: Figure, outcome: Outcome, report: dict[str, Any]) -> None:
    top = page.add_gridspec(
        1, 3, left=0.05, right=0.975, top=0.905, bottom=0.545, wspace=0.17, width_ratios=(5, 5, 3.6)
    )
    picture(page.add_subplot(top[0]), _original(outcome), "original", "")
    picture(page.add_subplot(top[1]), outcome.picture, "received", _verdict(report))
    _constellation(page.add_subplot(top[2]), outcome)


def _title(page: Figure, outcome: Outcome, report: dict[str, Any]) -> None:
    link = report["link"]
    words = ["Semantic link", link["radio"].partition(":")[0]]
    if link["channel"]:
        words += [link["channel"], f"{link['snr_db_set']:g} dB"]
        if link["cfo_hz_set"]:
            words.append(f"CFO {link['cfo_hz_set']:g} Hz")
        if link["sro_ppm_set"]:
            words.append(f"SRO {link['sro_ppm_set']:g} ppm")
    page.text(0.05, 0.965, "  ·  ".join(words), size=15, weight="bold", color=INK, va="center")
    version = outcome.versions.get("semcom", "")
    note = f"semcom {version}   seed {report['seed']}   job {report['job_id']}"
    page.text(0.975, 0.965, note, size=9, color=MUTED, ha="right", va="center")


def _original(outcome: Outcome) -> np.ndarray | None:
    return outcome.original.pixels if outcome.original is not None else None


def _verdict(report: dict[str, Any]) -> str:
    quality = report["quality"]
    if quality["psnr_db"] is None:
        return ""
    text = f"{quality['psnr_db']:.2f} dB"
    if quality["ms_ssim"] is not None:
        text += f", MS-SSIM {quality['ms_ssim']:.3f}"
    return text


def _legend(axes: Axes) -> None:
    """Beside the title, where it covers nothing."""
    axes.legend(
        fontsize=8, frameon=False, labelcolor=MUTED, ncols=3, borderpad=0,
        loc="lower right", bbox_to_anchor=(1.0, 1.015), handletextpad=0.4, columnspacing=1.2,
    )  # fmt: skip


def _absent(axes: Axes) -> None:
    axes.text(0.5, 0.5, "nothing received", transform=axes.transAxes, ha="center", color=MUTED)


def _constellation(axes: Axes, outcome: Outcome) -> None:
    style(axes, "constellation", "in phase", "quadrature")
    axes.set_anchor("N")
    reception = outcome.reception
    if reception is None or not (reception.constellation.size or reception.digital.size):
        return _absent(axes)
    reach = 1.5
    for points, colour, name in (
        (reception.constellation, BLUE, "analog"),
        (reception.digital, ORANGE, "digital"),
    ):
        points = points[np.isfinite(points)]
        if not points.size:
            continue
        # Dots that lie on each other darken: the density shows without binning.
        alpha = float(np.clip(500 / points.size, 0.15, 0.7))
        axes.plot(points.real, points.imag, ".", ms=3.5, mew=0, color=colour, alpha=alpha)
        axes.plot([], [], ".", ms=8, color=colour, label=name)  # for the legend, not faint
        reach = max(reach, 1.15 * float(np.percentile(np.abs(points), 99.5)))
    _legend(axes)
    limit = min(reach, CONSTELLATION_LIMIT)
    axes.set_ylim(-limit, limit)
    if outcome.synthesis is None:
        axes.set_xlim(-limit, limit)
        axes.set_aspect("equal", adjustable="box")
    else:  # wide slots show more of the plane rather than leave the legend no room
        box = axes.get_window_extent()
        axes.set_xlim(-limit * box.width / box.height, limit * box.width / box.height)
    return None


def _channel(axes: Axes, outcome: Outcome) -> None:
    style(axes, "channel estimate", "subcarrier", "|H| in dB")
    channel = outcome.reception.channel if outcome.reception else np.zeros(0)
    if not channel.size and outcome.frames.channel is not None:
        channel = outcome.frames.channel
    if not channel.size or not np.isfinite(channel).all():
        return _absent(axes)
    half = channel.size // 2  # the used carriers lie around an unused one at 0 Hz
    carriers = np.concatenate([np.arange(-half, 0), np.arange(1, channel.size - half + 1)])
    power_db = 20 * np.log10(np.maximum(np.abs(channel), 1e-6))
    axes.plot(carriers, power_db, color=BLUE, lw=1.8)
    _bands(axes, outcome, carriers)
    _reach(axes, power_db, CHANNEL_SPAN_DB)
    axes.yaxis.label.set_color(BLUE)
    phase = axes.twinx()
    # Where the receiver cut the symbol is a common delay, a steep line that hides the channel.
    turn = np.angle(np.vdot(channel[:-1], channel[1:]))
    degrees = np.degrees(np.unwrap(np.angle(channel * np.exp(-1j * turn * carriers))))
    degrees -= 360 * np.round(np.median(degrees) / 360)
    phase.plot(carriers, degrees, color=ORANGE, lw=1.3, ls="--")
    _reach(phase, degrees, 90)
    if outcome.adaptation is not None:  # room for the names of the bands
        for one in (axes, phase):
            low, high = one.get_ylim()
            one.set_ylim(low, high + NAMES_ROOM * (high - low))
    phase.tick_params(colors=MUTED, labelsize=8)
    phase.set_ylabel("phase in degrees, delay removed", size=9, color=ORANGE, labelpad=1)
    for spine in phase.spines.values():
        spine.set_color(GRID)
    return None


def _bands(axes: Axes, outcome: Outcome, carriers: np.ndarray) -> None:
    """Carriers of each band as a coloured field with its name."""
    decided = outcome.adaptation
    if decided is None:
        return
    axes.set_title(headline(decided.plan), loc="left", size=9.5, color=INK)
    data = np.delete(carriers, numerology_of(outcome.run).comb_index)
    first = 0
    for band, colour in zip(
        (b for b in (decided.plan.prompt, *decided.plan.streams) if b.order), BAND_COLOURS,
        strict=False,
    ):  # fmt: skip
        span = data[first : first + band.carriers]
        first += band.carriers
        axes.axvspan(span[0] - 0.5, span[-1] + 0.5, color=colour, alpha=0.10, lw=0)
        axes.text(
            span.mean(), 0.97, f"{band.name}\n{modulation(band.order)}\n{band.power:.1%}",
            transform=axes.get_xaxis_transform(), size=7.5, color=colour, ha="center", va="top",
        )  # fmt: skip


def _reach(axes: Axes, values: np.ndarray, span_min: float) -> None:
    """Limits around ``values``, never so narrow that measurement noise looks like a signal."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return
    middle = (finite.min() + finite.max()) / 2
    reach = max(finite.max() - finite.min(), span_min) * 0.6
    axes.set_ylim(middle - reach, middle + reach)


def _spectrum(axes: Axes, outcome: Outcome) -> None:
    style(axes, "received spectrum", "frequency in kHz", "power density in dB")
    reception = outcome.reception
    if reception is None or not reception.psd_db.size:
        return _absent(axes)
    if reception.psd_db.shape != reception.psd_freq_hz.shape:
        return _absent(axes)
    order = np.argsort(reception.psd_freq_hz)
    frequency, power_db = reception.psd_freq_hz[order] / 1e3, reception.psd_db[order]
    axes.plot(frequency, power_db, color=GREEN, lw=1.2)
    finite = power_db[np.isfinite(power_db)]
    if finite.size:
        floor = finite.min() - 3
        axes.fill_between(frequency, power_db, floor, color=GREEN, alpha=0.12)
        axes.set_ylim(floor, finite.max() + 3)
    axes.set_xlim(frequency[0], frequency[-1])
    return None


def _frames(axes: Axes, outcome: Outcome) -> None:
    style(axes, "frames", "frame", "dB")
    frames = outcome.frames
    if not len(frames):
        return _absent(axes)
    number = np.arange(1, len(frames) + 1)
    marker = "o" if len(frames) <= 60 else ""
    series = {"SNR": (np.array(frames.snr_db), BLUE), "-EVM": (-np.array(frames.evm_db), RED)}
    for name, (values, colour) in series.items():
        axes.plot(number, values, marker=marker, ms=3.5, lw=1.3, color=colour, label=name)
    shown = [values for values, _ in series.values()]
    channel = outcome.run.known_channel
    if outcome.transmission and channel is not None:
        set_db = channel.snr_db
        axes.axhline(set_db, color=MUTED, lw=1, ls=":", label="SNR set")
        shown.append(np.array([set_db]))
    _reach(axes, np.concatenate(shown), FRAMES_SPAN_DB)
    _legend(axes)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return None


def _rows_of(parts: list[str], width: int) -> list[str]:
    """``parts`` joined into rows of at most ``width`` characters, never broken inside."""
    lines = [""]
    for part in parts:
        joined = f"{lines[-1]}    |    {part}" if lines[-1] else part
        if lines[-1] and len(joined) > width:
            lines.append(part)
        else:
            lines[-1] = joined
    return lines


def _caption(page: Figure, report: dict[str, Any]) -> None:
    prompt = report["prompt"]
    exact = prompt["sent"] is not None and prompt["sent"] == prompt["received"]
    lines = []
    if prompt["sent"] is not None:
        lines.append(("sent", prompt["sent"], INK))
    arrived = prompt["received"] if prompt["received"] is not None else "(nothing)"
    good = exact or (prompt["sent"] is None and prompt["delivered"])
    lines.append(("received, exact" if exact else "received", arrived, GREEN if good else RED))
    top = 0.163
    for label, text, colour in lines:
        shown = textwrap.wrap(shortened(text), PROMPT_CHARS, max_lines=2, placeholder=" …") or [""]
        page.text(0.05, top, f"prompt {label}", size=10, color=MUTED, va="top")
        page.text(
            0.19, top, "\n".join(shown), size=10, color=colour, va="top",
            parse_math=False, linespacing=1.35,
        )  # fmt: skip
        top -= 0.019 * (len(shown) + 0.3)
    shown_above = {label for label, _ in (*generation_rows(report), *allocation_rows(report))}
    figures = [
        f"{label} {value}"
        for label, value in rows(report)
        if not label.startswith("prompt") and label not in shown_above
    ]
    page.text(
        0.05, 0.072, "\n".join(_rows_of(figures, CAPTION_CHARS)), size=9, color=MUTED, va="top",
        parse_math=False, linespacing=1.5,
    )  # fmt: skip
