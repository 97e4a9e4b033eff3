# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of planning: a job of the running link, and many operating points at once.

Goals: a link's next job planned within 1 ms, report of the channel included; 10⁴ operating points
within 2 s.  Medians over the rounds, single core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from host.allocation.controller import Controller, JobNeed, StreamNeed
from host.allocation.paper import EDGES, PROMPT, snr_full_of
from host.allocation.plan import plan
from host.cli.parser import positive
from host.report.document import to_json
from models.weights_io import write_atomic
from semcom_blocks.phy.numerology import Numerology

REPLAN_GOAL_S, POINTS_GOAL_S = 1e-3, 2.0
POINTS = 10_000
ROUNDS = 200
PACKET_BYTES = 110  # a caption, its streams' descriptors, header and CRC
STREAMS = (
    StreamNeed(1, "edges", 528, 1e-2),
    StreamNeed(2, "depth", 2000, 1e-3),
    StreamNeed(3, "mask", 1000, 1e-3),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``bench allocation``."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--rounds", type=positive(1, 10**6, int), default=ROUNDS, metavar="N", help="of each figure"
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print; 0 if both goals are met."""
    rows = measure(args.rounds)
    table = Table("figure", "median ms", "90 % ms", "goal ms")
    for row in rows:
        goal = "" if row["goal_ms"] is None else f"{row['goal_ms']:g}"
        table.add_row(row["figure"], f"{row['median_ms']:.3f}", f"{row['most_ms']:.3f}", goal)
    Console().print(table)
    if args.json:
        write_atomic(args.json, to_json({"rows": rows}).encode())
    missed = [row for row in rows if row["goal_ms"] and row["median_ms"] > row["goal_ms"]]
    return 1 if missed else 0


def measure(rounds: int) -> list[dict[str, Any]]:
    """One row a figure."""
    numerology = Numerology()
    rng = np.random.default_rng(1)
    found = []
    for count in range(1, len(STREAMS) + 1):
        controller = Controller(
            numerology.n_data, numerology.symbol_len / numerology.sample_rate_hz
        )
        job = JobNeed((PACKET_BYTES,), STREAMS[:count])

        def replan(controller: Controller = controller, job: JobNeed = job) -> None:
            controller.view.observe_carriers(30 * rng.exponential(size=numerology.n_data))
            controller.plan(job)

        goal_s = REPLAN_GOAL_S if count == 1 else None
        found.append(_row(f"replan, {count} beside the prompt", replan, rounds, goal_s))

    full = snr_full_of(np.linspace(0, 30, POINTS))

    def points() -> None:
        plan(PROMPT, [EDGES], [1e-5], full, (4, 16, 64))

    found.append(_row(f"plan of {POINTS} points", points, max(3, rounds // 50), POINTS_GOAL_S))
    return found


def _row(
    name: str, action: Callable[[], None], rounds: int, goal_s: float | None
) -> dict[str, Any]:
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        spent.append(time.perf_counter() - began)
    return {
        "figure": name,
        "median_ms": 1e3 * float(np.median(spent)),
        "most_ms": 1e3 * float(np.quantile(spent, 0.9)),
        "goal_ms": None if goal_s is None else 1e3 * goal_s,
    }
