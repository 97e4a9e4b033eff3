# SPDX-License-Identifier: GPL-3.0-or-later
"""The command: run a plan, print the table of targets, write the figures."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from host.bench.link import plan
from host.bench.link.document import build, curves_of, to_json, write
from host.bench.link.runner import measure, n_tasks
from host.report.files import output_folder
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.numerology import Numerology

RESULTS = Path(__file__).resolve().parents[3] / "docs" / "results"
DOCUMENT = "link.json"
WORKERS_MAX = 256
LEGEND = (
    "known: a receiver that is told channel, timing and CFO; "
    "yes: the 95 % interval lies within the limit at every point"
)
MET = {True: "yes", False: "[bold red]no[/]", None: "[yellow]too few to say[/]"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``bench link``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--quick", action="store_true", help="the targets' points alone, within three minutes")
    add("--json", type=Path, metavar="FILE", help="write all figures there as well")
    add(
        "--out",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="folder for link.json and link-*.png of the full set (default: docs/results)",
    )
    add("--seed", type=_whole("seed", 0, 2**63 - 1), default=1, help="(default: %(default)s)")
    add(
        "--workers",
        type=_whole("workers", 1, WORKERS_MAX),
        default=min(len(os.sched_getaffinity(0)), WORKERS_MAX),
        help="processes; the figures do not depend on it (default: all cores, here %(default)s)",
    )
    add(
        "--share",
        type=_share,
        default=1.0,
        help="share of the frames to measure, for a look (default: %(default)s)",
    )


def _whole(name: str, low: int, high: int) -> Any:
    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{name} is {text!a}, permitted: {low} to {high}")
        return value

    return convert


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 100.0:
        raise argparse.ArgumentTypeError(f"share is {text!a}, permitted: above 0, to 100")
    return value


def run(args: argparse.Namespace) -> int:
    """Measure, print, write; 1 if a limit is violated."""
    if args.json and not args.json.parent.is_dir():
        where = str(args.json)
        raise ConfigError(f"--json is {where!a}, permitted: a file in a folder that exists")
    numerology = Numerology()
    points = plan.scaled(plan.quick() if args.quick else plan.full(), args.share)
    started = time.monotonic()
    figures = _measure(points, numerology, args.seed, args.workers)
    document = build(curves_of(points, figures), numerology, args.seed, args.quick)
    document["run"] = {
        "workers": args.workers,
        "share": args.share,
        "elapsed_s": round(time.monotonic() - started, 1),
    }
    _show(document)
    if args.json:
        write(args.json, to_json(document))
    if not args.quick:
        _write(args.out, document)
    return exit_code(document)


def exit_code(document: dict[str, Any]) -> int:
    """1 if a limit is violated beyond doubt, else 0."""
    return 1 if any(target["met"] is False for target in document["targets"]) else 0


def _measure(
    points: list[plan.Point], numerology: Numerology, seed: int, workers: int
) -> list[dict[str, Any]]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("measuring the link", total=n_tasks(points))
        return measure(points, numerology, seed, workers, lambda: bar.advance(task))


def _show(document: dict[str, Any]) -> None:
    table = Table("", "target", "limit", "measured", "met", box=None, pad_edge=False)
    for target in document["targets"]:
        words = (str(target["number"]), target["target"], target["limit"], target["measured"])
        table.add_row(*map(Text, words), MET[target["met"]])
    console = Console()
    console.print(table)
    for line in document["remarks"]:
        console.print(Text(f"   {line}"), soft_wrap=True)
    console.print(Text(LEGEND), soft_wrap=True)
    run_info = document["run"]
    console.print(Text(f"{run_info['elapsed_s']:g} s, {run_info['workers']} processes"))


def _write(out: Path, document: dict[str, Any]) -> None:
    # matplotlib takes a second to load, which the quick set has no use for.
    from host.bench.link.figures import draw_all

    with output_folder(out) as folder:
        for name, page in draw_all(document["curves"]).items():
            write(folder / name, page)
        write(folder / DOCUMENT, to_json(document))
    Console().print(Text(f"figures: {out / DOCUMENT}, {out}/link-*.png"), soft_wrap=True)
