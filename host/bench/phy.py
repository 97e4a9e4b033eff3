# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of the physical layer beside GNU Radio's own OFDM and liquid-dsp's.

Writes one IQ file with frames of every waveform (64-point FFT, prefix 16, uncoded QPSK payload,
the same noise and CFO) and a stretch of noise, then times each receiver on its own frames, in
turns, on one pinned core.  Figures are medians over the rounds, in processor time; a receiver
counts only if it got the frames right.  liquid-dsp is left out where its headers are missing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from host.bench.phy_report import document, tables
from host.cli.parser import positive
from host.report.document import to_json
from host.supervise.radio_task import radio_task
from models.weights_io import write_atomic
from semcom_blocks.bench import liquid
from semcom_blocks.bench.recording import PAYLOADS, Segment

#: Kinds of frame that GNU Radio's receiver takes with its default buffers.
GR_KINDS = ("short", "medium")
ROUNDS = 5
#: Samples for the memory check: seconds rather than the minutes of the full 1e9.
MEMORY_SAMPLES = 1e8
#: A task that takes longer hangs: 1e9 samples of memory check take some three minutes.
TIMEOUT_S = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``bench phy``."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--samples",
        type=positive(1e6, 1e11),
        default=MEMORY_SAMPLES,
        metavar="N",
        help="samples of the stream over which memory is watched; the full claim is 1e9",
    )
    parser.add_argument(
        "--rounds",
        type=positive(1, 100, int),
        default=ROUNDS,
        metavar="N",
        help="turns of each receiver; medians are reported",
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print; 0 if every target that could be measured is met."""
    report = measure(args.rounds, int(args.samples))
    console = Console()
    for table in tables(report):
        console.print(table)
    for note in report["notes"]:
        console.print(f"semcom: {note}", soft_wrap=True)
    if args.json:
        write_atomic(args.json, to_json(report).encode())
    return 0 if all(target["met"] is not False for target in report["targets"]) else 1


def measure(rounds: int, samples: int) -> dict[str, Any]:
    """The report: recording made, receivers timed in turns, memory watched."""
    with tempfile.TemporaryDirectory(prefix="semcom-bench-") as folder, pinned() as core:
        bench = _Bench(Path(folder))
        results = [bench.turn() for _ in track(range(rounds), description="rounds")]
        stages = bench.task("stages", segments=[bench.segments["ours", "default"]])
        watched = [bench.segments[key] for key in (("noise", "noise"), ("ours", "default"))]
        memory = bench.task("memory", segments=watched, samples=samples)
    facts = {"core": core, "rounds": rounds, "liquid": bench.driver is not None}
    return document(bench.segments, _medians(results), stages, memory, facts, bench.notes)


@contextlib.contextmanager
def pinned() -> Iterator[int | None]:
    """Keep this process, and so its children, on its last core; gives its number."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield max(allowed)
    finally:
        os.sched_setaffinity(0, allowed)


class _Bench:
    """The recording and the tasks on it; everything runs in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "phy.cf32"
        self.notes: list[str] = []
        self.segments: dict[tuple[str, str], dict[str, Any]] = {}
        for segment in self.task("make")["segments"]:
            self._add(segment)
        self._gr_transmit = [self._make_gr(kind) for kind in GR_KINDS]
        self.driver, reason = liquid.build(folder)
        if self.driver is None:
            self.notes.append(f"liquid-dsp skipped: {reason}")
            return
        for kind in PAYLOADS:
            target = folder / "liquid.cf32"
            frames = liquid.make(self.driver, kind, target)
            names = {"waveform": liquid.WAVEFORM, "name": kind, "frames": frames}
            self._add(self.task("adopt", source=str(target), **names)["segment"])

    def task(self, task: str, **request: Any) -> dict[str, Any]:
        """Run ``semcom_blocks.bench`` under the radio's interpreter."""
        request["path"] = str(self._path)
        return json.loads(radio_task(task, request, TIMEOUT_S).splitlines()[-1])

    def turn(self) -> dict[str, dict[str, Any]]:
        """Time every receiver once on each of its segments: results by ``receiver/segment``."""
        own = self.task("decode", segments=self._of("ours"))
        result = {f"ours/{kind}": spent for kind, spent in own.items()}
        noise = self.segments["noise", "noise"]
        result["ours/noise"] = self.task("search", segments=[noise])
        result["ours/transmit"] = self.task("transmit")
        gnu = self.task("decode_gr", segments=self._of("gr_digital"))
        result |= {f"gr_digital/{kind}": spent for kind, spent in gnu.items()}
        result["gr_digital/transmit"] = self._gr_transmit[-1]
        if self.driver is not None:
            for segment in [noise, *self._of(liquid.WAVEFORM)]:
                spent = liquid.decode(self.driver, self._path, Segment(**segment))
                result[f"liquid/{segment['name']}"] = spent
        return result

    def _add(self, segment: dict[str, Any]) -> None:
        self.segments[segment["waveform"], segment["name"]] = segment

    def _make_gr(self, kind: str) -> dict[str, Any]:
        made = self.task("make_gr", name=kind)
        self._add(made["segment"])
        return made["transmit"]

    def _of(self, waveform: str) -> list[dict[str, Any]]:
        return [segment for (owner, _), segment in self.segments.items() if owner == waveform]


def _medians(results: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """MS/s by processor and wall time of each measurement, and the fewest frames right."""
    found = {}
    for key in results[0]:
        turns = [result[key] for result in results]
        found[key] = {
            "msps": statistics.median(t["samples"] / t["cpu_s"] for t in turns) / 1e6,
            "wall_msps": statistics.median(t["samples"] / t["wall_s"] for t in turns) / 1e6,
        }
        if "good" in turns[0]:
            found[key]["good"] = min(t["good"] for t in turns)
    return found
