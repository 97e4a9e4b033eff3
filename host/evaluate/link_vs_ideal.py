# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNR through the whole radio chain beside the ideal channel: ``./semcom eval link-vs-ideal``.

``eval link`` over a sweep of the SNR, without requirements. For each photo, channel and SNR one
``./semcom demo``, both radio processes and the software channel between them; beside its PSNR that
of the same latents over an ideal channel: white noise of the same SNR, known to the decoder. The
difference is what synchronisation, channel estimate, equaliser and, in fading, the fade cost.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from host.evaluate.link import loss_db, measure
from host.images import load_image
from models.weights_io import write_atomic
from semcom_blocks.channel.config import CHANNEL_MODELS
from semcom_blocks.errors import ConfigError, require_choice, require_range

Record = dict[str, Any]

SNRS_DB = (0.0, 5.0, 10.0, 15.0, 20.0)
SNR_RANGE_DB = (-10.0, 40.0)  # of a sweep; the channel takes more, no receiver would
IMAGES = ("chelsea", "astronaut")
QUALITY = ("psnr_db", "ideal_psnr_db", "ms_ssim", "ideal_ms_ssim")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval link-vs-ideal``."""
    add = parser.add_argument
    add("--image", action="append", metavar="IMAGE",
        help=f"photo, may be repeated (default: {', '.join(IMAGES)})")  # fmt: skip
    add("--channel", default="awgn", metavar="LIST",
        help=f"of {', '.join(CHANNEL_MODELS)} (default: %(default)s)")  # fmt: skip
    add("--snr-db", default=",".join(f"{x:g}" for x in SNRS_DB), metavar="LIST",
        help="Es/N0 per complex symbol (default: %(default)s)")  # fmt: skip
    add("--seed", type=int, default=1, help="of every run (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the rows there (default: not written)")
    add("--plot", type=Path, metavar="FILE", help="draw them there as PNG (default: not drawn)")


def points_of(channels: str, snrs_db: str) -> tuple[Record, ...]:
    """Channels of the runs, from two lists with commas."""
    points = []
    for channel in channels.split(","):
        require_choice("channel", channel.strip(), CHANNEL_MODELS)
        for text in snrs_db.split(","):
            try:
                snr_db = float(text)
            except ValueError:
                raise ConfigError(f"snr-db has {text!r}, permitted: numbers") from None
            require_range("snr-db", snr_db, *SNR_RANGE_DB)
            points.append({"model": channel.strip(), "snr_db": snr_db})
    return tuple(points)


def row_of(report: Record) -> Record:
    """What is kept of a run's report; PSNR is ``None`` where no picture came."""
    link, quality = report["link"], report["quality"]
    lost = loss_db(report)
    return {
        "image": report["image"]["name"],
        "channel": link["channel"],
        "snr_db": link["snr_db_set"],
        "snr_db_est": _rounded(link["snr_db_est"]),
        "frames": f"{link['frames_received']}/{link['frames_sent']}",
        "exact": report["prompt"]["received"] == report["prompt"]["sent"],
        **{key: _rounded(quality[key]) for key in QUALITY},
        "loss_db": _rounded(lost) if np.isfinite(lost) else None,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def run(args: argparse.Namespace) -> int:
    """Run every point, print, draw and store; returns the exit code. Raises SemcomError."""
    points = points_of(args.channel, args.snr_db)
    require_range("seed", args.seed, 0, 2**63 - 1)
    for name in ("json", "plot"):
        path = getattr(args, name)
        if path and not path.absolute().parent.is_dir():
            raise ConfigError(f"{name} is {str(path)!r}, permitted: a file in an existing folder")
    images = tuple(args.image or IMAGES)
    for image in images:
        load_image(image)  # refused before the first run, not after an hour
    rows = [row_of(report) for report in measure(images, args.seed, points)]
    Console().print(table(rows))
    if args.json:
        text = ",\n".join("  " + json.dumps(row) for row in rows)
        head = json.dumps({"seed": args.seed, "snr": "Es/N0 per complex symbol"})
        write_atomic(args.json, f'{head[:-1]}, "rows": [\n{text}\n]}}\n'.encode())
    if args.plot:
        write_atomic(args.plot, curves(rows))
    return 0


def table(rows: list[Record]) -> Table:
    """One row a run."""
    shown = Table("channel", "photo", "prompt", "frames", "SNR", "PSNR", "ideal", "loss")
    for row in rows:
        values = (row[key] for key in ("snr_db_est", "psnr_db", "ideal_psnr_db", "loss_db"))
        shown.add_row(
            f"{row['channel']} {row['snr_db']:g} dB", row["image"],
            "exact" if row["exact"] else "lost", row["frames"],
            *("-" if value is None else f"{value:.2f}" for value in values),
        )  # fmt: skip
    return shown


def curves(rows: list[Record]) -> bytes:
    """PNG: a panel a channel, chain and ideal over the SNR, a colour a photo."""
    from host.bench.link.figures.style import PALETTE, legend, page, png, style

    channels = list(dict.fromkeys(row["channel"] for row in rows))
    images = list(dict.fromkeys(row["image"] for row in rows))
    figure, axes = page(len(channels))
    for panel, channel in zip(axes, channels, strict=True):
        style(panel, f"{channel}: radio chain and ideal channel", "SNR of a symbol in dB",
              "PSNR in dB")  # fmt: skip
        for image, colour in zip(images, PALETTE * len(images), strict=False):
            own = [r for r in rows if (r["channel"], r["image"]) == (channel, image)]
            own.sort(key=lambda row: row["snr_db"])
            at = [row["snr_db"] for row in own]
            for key, line, label in (("psnr_db", "-o", "chain"), ("ideal_psnr_db", "--", "ideal")):
                value = [np.nan if row[key] is None else row[key] for row in own]
                panel.plot(at, value, line, color=colour, markersize=3.5, linewidth=1.3,
                           label=f"{image}, {label}")  # fmt: skip
        legend(panel, loc="lower right")
    return png(figure)
