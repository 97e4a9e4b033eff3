# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual Plutos and USRPs against the simulated link: ``./semcom eval radios --json F``.

For each kind and seed a ``./semcom demo --radio KIND`` through the real drivers, then the same
photo over ``--radio sim`` at the SNR that the first one measured.  The prompt has to arrive
exactly and the PSNR within 0.5 dB of the simulated link's; otherwise the status is 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from host.cli.parser import positive
from host.config import load_run
from host.evaluate.link import host_service
from host.images import load_image
from host.pipeline.demo import run_demo
from host.pipeline.progress import Unwatched
from host.prompts import caption_for
from host.report.document import build, to_json
from models.weights_io import write_atomic

KINDS = ("pluto", "usrp")
SEEDS = (1, 2, 3)
#: Largest difference to the simulated link.
LIMIT_DB = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval radios``."""
    parser.add_argument("--kind", choices=KINDS, action="append", help="of radio (default: both)")
    parser.add_argument("--image", default="chelsea", help="photo (default: %(default)s)")
    parser.add_argument(
        "--snr-db", type=positive(-5, 40), default=20.0, metavar="DB", help="asked of the air"
    )
    parser.add_argument(
        "--seeds", type=positive(1, 1000, int), default=len(SEEDS), metavar="N", help="how many"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all reports there as well")


def run(args: argparse.Namespace) -> int:
    """Run every case, print the table; 0 if every requirement is met."""
    rows = list(measure(args.kind or KINDS, args.image, args.snr_db, args.seeds))
    Console().print(table(rows))
    if args.json:
        write_atomic(args.json, to_json({"limit_db": LIMIT_DB, "runs": rows}).encode())
    return 0 if all(row["met"] for row in rows) else 1


def measure(
    kinds: tuple[str, ...], image: str, snr_db: float, seeds: int
) -> Iterator[dict[str, Any]]:
    """One row per case."""
    cases = [(kind, seed) for kind in kinds for seed in range(1, seeds + 1)]
    with host_service() as endpoint:
        for kind, seed in track(cases, description="runs"):
            given = {"image": image, "seed": seed, "channel": {"snr_db": snr_db}}
            radio = _demo({**given, "radio": {"spec": kind}}, endpoint)
            measured_db = radio["link"]["snr_db_est"]
            sim = _demo({**given, "channel": {"snr_db": measured_db}}, endpoint)
            yield _row(kind, seed, radio, sim)


def _demo(given: dict[str, Any], endpoint: str) -> dict[str, Any]:
    one = load_run(None, given)
    picture, prompt = load_image(one.image), caption_for(one.image)
    return build(run_demo(one, picture, prompt, Unwatched(), host_endpoint=endpoint))


def _row(kind: str, seed: int, radio: dict[str, Any], sim: dict[str, Any]) -> dict[str, Any]:
    found = radio["quality"]["psnr_db"], sim["quality"]["psnr_db"]
    difference_db = None if None in found else found[0] - found[1]
    exact = radio["prompt"]["sent"] == radio["prompt"]["received"]
    return {
        "radio": kind,
        "seed": seed,
        "prompt_exact": exact,
        "snr_db": radio["link"]["snr_db_est"],
        "cfo_hz": radio["link"]["cfo_hz_est"],
        "sro_ppm": radio["link"]["sro_ppm_est"],
        "psnr_db": found[0],
        "sim_psnr_db": found[1],
        "difference_db": difference_db,
        "round_trip_s": radio["link"]["round_trip_s"],
        "frames_received": radio["link"]["frames_received"],
        "frames_sent": radio["link"]["frames_sent"],
        "met": exact and difference_db is not None and abs(difference_db) <= LIMIT_DB,
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """The rows for the terminal."""
    shown = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("radio", "seed", "prompt", "SNR dB", "CFO Hz", "SRO ppm", "PSNR", "sim", "Δ dB"):
        shown.add_column(name, justify="left" if name in ("radio", "prompt") else "right")
    for row in rows:
        values = [row[key] for key in ("snr_db", "cfo_hz", "sro_ppm", "psnr_db", "sim_psnr_db")]
        texts = ["—" if value is None else f"{value:.2f}" for value in values]
        difference_db = row["difference_db"]
        last = "—" if difference_db is None else f"{difference_db:+.2f}"
        word = "exact" if row["prompt_exact"] else "WRONG"
        shown.add_row(row["radio"], str(row["seed"]), word, *texts, last)
    return shown
