# SPDX-License-Identifier: GPL-3.0-or-later
"""Qiao et al., latency-aware generative semantic communications: every figure, made again.

Each figure is written as JSON and PNG, ``latency-aware-NAME``, into the folder of the results.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from host.bench.link.document import to_json
from host.cli.parser import positive
from host.experiment import (
    bits,
    packet_plots,
    packets,
    paper_figures,
    paper_plots,
    quality_figures,
    scheme_plots,
    schemes,
    telemetry,
    telemetry_plots,
)
from host.experiment.settings import Document, Page, Settings
from host.report.files import output_folder, write_file
from host.supervise.environment import REPO_ROOT
from host.versions import own_versions
from semcom_blocks.errors import ConfigError

PAGES: dict[str, Page] = {
    "table-two": Page(
        "modulation over average SNR, Table II beside the paper's",
        paper_figures.table_two_document,
        paper_plots.table_two,
        paper_figures.table_two_lines,
    ),
    "fig-two": Page(
        "quality over the edge stream's bit errors, Fig. 2, measured",
        quality_figures.fig_two_document,
        quality_figures.fig_two,
        quality_figures.fig_two_lines,
    ),
    "fig-three": Page(
        "pictures at some bit error rates, Fig. 3",
        quality_figures.fig_three_document,
        quality_figures.fig_three,
        quality_figures.fig_three_lines,
    ),
    "fig-four": Page(
        "power, latency, modulation, sends over average SNR, Fig. 4",
        paper_figures.fig_four_document,
        paper_plots.fig_four,
        paper_figures.fig_four_lines,
    ),
    "packets": Page(
        "packet errors of this code beside (2), constants fitted",
        packets.document,
        packet_plots.packets,
        packets.lines,
    ),
    "bits": Page(
        "bit errors of uncoded QAM beside theory and the bound of (4)",
        bits.document,
        packet_plots.bits,
        bits.lines,
    ),
    "schemes": Page(
        "adaptive, fixed and single-stream links over block Rayleigh",
        schemes.document,
        scheme_plots.schemes,
        schemes.lines,
    ),
    "telemetry": Page(
        "packet errors, sends and latency of the running link beside (2) and (3)",
        telemetry.document,
        telemetry_plots.telemetry,
        telemetry.lines,
    ),
}
RESULTS = REPO_ROOT / "docs" / "results"
SEED_MAX = 2**31 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``experiment latency-aware``."""
    names = "; ".join(f"{name}: {page.about}" for name, page in PAGES.items())
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        default=None,
        help=f"these figures alone, of {names} (default: all)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="folder for latency-aware-NAME.json and .png (default: docs/results)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer packets, jobs and pictures: a look in a minute"
    )
    parser.add_argument(
        "--seed",
        type=positive(0, SEED_MAX, int),
        default=1,
        metavar="N",
        help="of all that is drawn (default: 1)",
    )


def chosen(names: list[str] | None) -> list[str]:
    """The figures asked for, in order; :class:`ConfigError` for one that there is not."""
    for name in names or ():
        if name not in PAGES:
            raise ConfigError(f"figure {name!a} is unknown, permitted: {', '.join(PAGES)}")
    return [name for name in PAGES if names is None or name in names]


def run(args: argparse.Namespace) -> int:
    """Make the figures; 0 if every goal among them is met."""
    names = chosen(args.only)
    console = Console()
    good = True
    with output_folder(args.out) as out, _bar() as bar:
        for name in names:
            task = bar.add_task(name, total=1.0)
            settings = Settings(out, args.quick, args.seed, _teller(bar, task))
            began = time.monotonic()
            document = make(name, settings)
            document["elapsed_s"] = round(time.monotonic() - began, 1)
            write_file(out / f"latency-aware-{name}.json", to_json(document))
            write_file(out / f"latency-aware-{name}.png", PAGES[name].draw(document))
            bar.remove_task(task)
            console.print(Text(f"{name}: {PAGES[name].about}", style="bold"))
            for line in PAGES[name].lines(document):
                console.print(Text(f"  {line}"), soft_wrap=True)
            good &= document.get("met") is not False
    return 0 if good else 1


def make(name: str, settings: Settings) -> Document:
    """The document of one figure."""
    command = f"semcom experiment latency-aware --only {name}"
    head = {
        "experiment": "latency-aware",
        "figure": name,
        "command": command + (" --quick" if settings.quick else ""),
        "quick": settings.quick,
        "seed": settings.seed,
        "versions": own_versions(),
    }
    return {**head, **PAGES[name].compute(settings)}


def _teller(bar: Progress, task: object) -> Callable[[float], None]:
    return lambda share: bar.update(task, completed=share)  # type: ignore[arg-type]


def _bar() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
