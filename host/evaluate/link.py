# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole testbed at its operating points: ``./semcom eval link --json F``.

Photos times channels, each run being a ``./semcom demo`` with both radio processes and
the software channel between them.  For each: whether the prompt arrived exactly, the
PSNR through the radio chain, and that of the same latents over an ideal AWGN channel of
the same SNR.  In AWGN at 10 dB and above the two may differ by 0.5 dB; an inexact prompt
or a larger loss there ends the command with status 1.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from host.config import load_run
from host.config.generation import ModelsConfig
from host.images import load_image
from host.pipeline.demo import run_demo
from host.pipeline.processes import start_host
from host.pipeline.progress import Unwatched
from host.prompts import caption_for
from host.report.document import build, to_json
from host.service.__main__ import default_threads
from host.supervise import Supervisor, free_ports
from models.weights_io import write_atomic

#: Channels of the acceptance runs.
POINTS: tuple[dict[str, Any], ...] = (
    {"model": "awgn", "snr_db": 20.0},
    {"model": "awgn", "snr_db": 10.0},
    {"model": "awgn", "snr_db": 5.0},
    {"model": "rayleigh", "snr_db": 15.0, "cfo_hz": 5000.0, "sro_ppm": 20.0},
)
IMAGES = ("chelsea", "astronaut", "coffee")
#: Largest loss against the ideal channel in AWGN from this SNR on.
LOSS_LIMIT_DB, LOSS_FROM_DB = 0.5, 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval link``."""
    parser.add_argument(
        "--image",
        action="append",
        metavar="IMAGE",
        help=f"photo, may be repeated (default: {', '.join(IMAGES)})",
    )
    parser.add_argument("--seed", type=int, default=1, help="of every run (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all reports there as well")


def run(args: argparse.Namespace) -> int:
    """Run every point, print the table; 0 if every requirement is met."""
    reports = list(measure(tuple(args.image or IMAGES), args.seed))
    Console().print(table(reports))
    if args.json:
        write_atomic(args.json, to_json({"runs": reports}).encode())
    return 0 if all(met(report) for report in reports) else 1


def measure(
    images: tuple[str, ...], seed: int, points: tuple[dict[str, Any], ...] = POINTS
) -> Iterator[dict[str, Any]]:
    """The report of every photo over every channel; one model service serves them all."""
    runs = [
        load_run(None, {"image": image, "seed": seed, "channel": point})
        for point in points
        for image in images
    ]
    with host_service() as endpoint:
        for one in track(runs, description="runs"):
            picture, prompt = load_image(one.image), caption_for(one.image)
            yield build(run_demo(one, picture, prompt, Unwatched(), host_endpoint=endpoint))


@contextlib.contextmanager
def host_service() -> Iterator[str]:
    """A model service for the time of the block; gives its endpoint."""
    with tempfile.TemporaryDirectory(prefix="semcom-") as logs, Supervisor(Path(logs)) as crew:
        endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        start_host(crew, endpoint, default_threads(), ModelsConfig())
        yield endpoint


def loss_db(report: dict[str, Any]) -> float:
    """PSNR lost against the ideal channel, in dB; infinite if no picture came."""
    quality = report["quality"]
    if quality["psnr_db"] is None or quality["ideal_psnr_db"] is None:
        return float("inf")
    return quality["ideal_psnr_db"] - quality["psnr_db"]


def met(report: dict[str, Any]) -> bool:
    """Whether the run meets what is asked of it."""
    link, prompt = report["link"], report["prompt"]
    exact = prompt["received"] == prompt["sent"] and prompt["delivered"] is True
    limited = link["channel"] == "awgn" and link["snr_db_set"] >= LOSS_FROM_DB
    return exact and (not limited or loss_db(report) <= LOSS_LIMIT_DB)


def table(reports: list[dict[str, Any]]) -> Table:
    """One row a run."""
    result = Table(
        "channel", "photo", "prompt", "again", "frames", "SNR", "PSNR", "ideal", "MS-SSIM"
    )
    for report in reports:
        link, prompt, quality = report["link"], report["prompt"], report["quality"]
        frames = f"{link['frames_received']}/{link['frames_sent']}"
        result.add_row(
            f"{link['channel']} {link['snr_db_set']:g} dB",
            report["image"]["name"],
            "exact" if prompt["received"] == prompt["sent"] else "lost",
            str(prompt["retransmissions"]),
            frames,
            f"{link['snr_db_est']:.1f}",
            *(f"{quality[key]:.2f}" for key in ("psnr_db", "ideal_psnr_db", "ms_ssim")),
            style=None if met(report) else "red",
        )
    return result
