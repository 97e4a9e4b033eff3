# SPDX-License-Identifier: GPL-3.0-or-later
"""Run points of curves on several processes, with the same result on any number of them.

A point is cut into tasks of fixed size.  Each task draws from a child of the seed that is
named by its curve, its parameters and its number, and tasks are joined in their order: who
ran what, when, and which other points were asked for, changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from typing import Any

import numpy as np

from host.bench.link.curves import CURVES
from semcom_blocks.errors import PeerError
from semcom_blocks.phy.numerology import Numerology

#: Two workers with a thread for every core each would slow one another down.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Point:
    """One point of a curve: its parameters, and over how many frames it is measured."""

    curve: str
    n_frames: int
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> int:
        """A number that only this point has (CRC-32 of its name and parameters)."""
        text = json.dumps([self.curve, dict(self.parameters)], sort_keys=True)
        return zlib.crc32(text.encode())

    def chunks(self) -> list[int]:
        """Frames of each task."""
        size = CURVES[self.curve].CHUNK
        whole, rest = divmod(self.n_frames, size)
        return [size] * whole + [rest] * (rest > 0)


def run_task(
    point: Point, chunk: int, n_frames: int, numerology: Numerology, seed: int
) -> dict[str, np.ndarray]:
    """Measure one task's frames."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(point.key, chunk)))
    return CURVES[point.curve].measure(numerology, rng, n_frames, **point.parameters)


def measure(
    points: Sequence[Point],
    numerology: Numerology,
    seed: int,
    workers: int,
    advance: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Measure all points on ``workers`` processes; figures of each, in their order.

    ``advance`` is called when a task is done.  Raises :class:`PeerError` if a process dies.
    """
    tasks = [(p, c, n) for p, point in enumerate(points) for c, n in enumerate(point.chunks())]
    raw: list[dict[int, dict[str, np.ndarray]]] = [{} for _ in points]
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context)
    try:
        with _for_workers():  # they are started by the first tasks
            futures = {
                pool.submit(run_task, points[p], chunk, n, numerology, seed): (p, chunk)
                for p, chunk, n in tasks
            }
        for future in as_completed(futures):
            p, chunk = futures[future]
            raw[p][chunk] = future.result()
            advance()
    except BrokenProcessPool:
        text = "a measuring process died: killed, or out of memory; try fewer --workers"
        raise PeerError(text) from None
    finally:
        # As a context manager the pool would first finish what nobody waits for any more.
        pool.shutdown(wait=True, cancel_futures=True)
    return [
        CURVES[point.curve].summarise(joined(chunks))
        for point, chunks in zip(points, raw, strict=True)
    ]


def n_tasks(points: Sequence[Point]) -> int:
    """How often :func:`measure` will call ``advance``."""
    return sum(len(point.chunks()) for point in points)


def joined(chunks: Mapping[int, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays of all tasks end to end, in the tasks' order."""
    ordered = [chunks[number] for number in sorted(chunks)]
    return {name: np.concatenate([chunk[name] for chunk in ordered]) for name in ordered[0]}


@contextlib.contextmanager
def _for_workers() -> Iterator[None]:
    """Processes started within compute on one thread each, and leave Ctrl-C to this one.

    A terminal sends it to all of them, and each would tell of it at length. They inherit that it is
    held back; here it is delivered at the end, so that none is lost.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    resource_tracker.ensure_running()  # started within, it would end the block
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
