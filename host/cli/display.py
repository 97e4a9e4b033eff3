# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows: a progress bar while it works, a table when it is done."""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from host.config import RunConfig
from host.pipeline.recordings import ended_early, written
from host.report.document import to_json
from host.report.table import make_table, replay_summary, replay_table

_log = logging.getLogger(__name__)

STAGES = {
    "set-up": "starting radios and models",
    "encode": "encoding",
    "air": "on the air",
    "decode": "decoding",
    "generate": "generating",
    "report": "drawing",
}


class Display:
    """A watcher for pipelines. Silent where stderr is no terminal; notes are always told."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, count="")

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def stage(self, name: str) -> None:
        """Show that a new stage began."""
        _log.info("stage: %s", name)
        # A new task, since a bar that once had a length cannot pulse again.
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(STAGES.get(name, name), total=None, count="")

    def frames(self, done: int, total: int) -> None:
        """Move the bar."""
        _log.debug("frames: %d of %d", done, total)
        count = f"{done}/{total} frames" if total else f"{done} frames"
        # One short of full: a full bar would stand still while the last samples still fly.
        self._progress.update(
            self._task, completed=done, total=total + 1 if total else None, count=count
        )

    def steps(self, done: int, total: int) -> None:
        """Move the bar by the generator's steps."""
        count = f"{done}/{total} steps"
        self._progress.update(self._task, completed=done, total=total, count=count)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(Text(f"semcom: {text}"), soft_wrap=True)


def show_report(report: dict[str, Any], as_json: bool) -> None:
    """The report on stdout."""
    if as_json:
        sys.stdout.write(to_json(report))
    else:
        Console().print(make_table(report))


def show_replay(replay: dict[str, Any]) -> None:
    """Recorded against replayed frames on stdout."""
    console = Console()
    console.print(replay_table(replay))
    console.print(Text(replay_summary(replay)), soft_wrap=True)


def show_recordings(run: RunConfig) -> None:
    """Name the recordings of a run that is over, and those that ended before it did."""
    for pair in written(run):
        say(f"recording: {pair.meta}")
        if (why := ended_early(pair)) is not None:
            Console(stderr=True).print(
                Text(f"semcom: recording {pair.data} ended early: {why}"), soft_wrap=True
            )


def say(text: str) -> None:
    """A line on stdout, as it is."""
    Console().print(Text(text), soft_wrap=True)
