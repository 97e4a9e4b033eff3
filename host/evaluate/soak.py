# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs without end over two virtual radios that keep failing: ``./semcom eval soak``.

Prompts and symbols drawn from the seed travel one after another while, at a steady pace, the air
lets one of its radios lose samples, stall, starve, drop its connections or go away for some
seconds.  A job that is lost may be given up; what must not happen is a prompt that differs from the
one sent, a hang, or memory and descriptors that grow.  Status 1 if any of it does.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from host.cli.display import Display
from host.cli.parser import positive
from host.config import RunConfig, load_run
from host.pipeline.demo import on_free_ports
from host.pipeline.exchange import JOB_IDS, Exchange, carry
from host.pipeline.ports import wait_ready
from host.pipeline.progress import Unwatched
from host.pipeline.session import READY_TIMEOUT_S, Session
from host.report.document import to_json
from host.supervise.air import AirControl
from models.weights_io import write_atomic
from semcom_blocks.errors import LinkError

KINDS = ("pluto", "usrp")
#: Fault and its length in seconds; a device that is unplugged comes back after that time.
FAULTS = (
    ("overflow", 1.0),
    ("stall", 2.0),
    ("underflow", 1.0),
    ("drop", 0.0),
    ("unplug", 5.0),
)
PROMPT_WORDS = (1, 200)
STREAM_SYMBOLS = (500, 20_000)
#: A job that takes longer hangs: it spans the absence of a device and the ARQ's own limit.
JOB_MAX_S = 120.0
#: Growth of memory and descriptors that is none: caches fill for a while.
GROWTH_MAX = 0.05
SETTLED_SHARE = 0.2  # of the run, after which memory counts
WORDS = ("cat", "röntgen", "red", "a", "of", "猫", "the", "sees", "e\u0301", "🚀", "moon", "under")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval soak``."""
    parser.add_argument("--radio", choices=KINDS, default="pluto", help="(default: %(default)s)")
    parser.add_argument(
        "--minutes", type=positive(0.1, 1440), default=30.0, metavar="M", help="(default: 30)"
    )
    parser.add_argument(
        "--fault-every-s",
        type=positive(1, 3600),
        default=60.0,
        metavar="S",
        help="(default: 60)",
    )
    parser.add_argument("--feedback", choices=("zmq", "air"), default="zmq", help="way of the ACKs")
    parser.add_argument("--clock", choices=("real", "virtual"), default="real", help="of the air")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there as well")


def run(args: argparse.Namespace) -> int:
    """Soak; 0 if no prompt was wrong, nothing hung and nothing grew."""
    given = {
        "seed": args.seed,
        "radio": {"spec": args.radio, "air_clock": args.clock},
        "link": {"feedback": args.feedback},
    }
    told = soak(load_run(None, given), 60 * args.minutes, args.fault_every_s)
    Console().print(summary(told))
    if args.json:
        write_atomic(args.json, to_json(told).encode())
    return 0 if told["met"] else 1


class Faults:
    """Injects the next fault when it is due, on either radio by turns."""

    def __init__(self, control: AirControl, every_s: float) -> None:
        self.done: Counter[str] = Counter()
        self._control, self._every_s = control, every_s
        self._next_at = time.monotonic() + every_s
        self._order = itertools.cycle([(f, d) for f in FAULTS for d in ("b", "a")])

    def turn(self) -> None:
        """To be called often."""
        if time.monotonic() >= self._next_at:
            (kind, seconds), device = next(self._order)
            self._control.fault(device, kind, seconds)
            self.done[kind] += 1
            self._next_at += self._every_s


def soak(run_config: RunConfig, seconds: float, every_s: float) -> dict[str, Any]:
    """Carry jobs for ``seconds``; what happened, as plain values."""
    rng = np.random.default_rng(run_config.seed)
    counts: Counter[str] = Counter()
    slowest_s, sizes = 0.0, []
    with Session(on_free_ports(run_config)) as session, Display() as display:
        endpoint = session.open_air()
        assert endpoint is not None  # its radios are virtual ones
        sink, source = session.open_receiver(), session.open_sender()
        wait_ready(source, sink, session.alive, READY_TIMEOUT_S)
        began = time.monotonic()
        with AirControl(endpoint) as control:
            faults = Faults(control, every_s)

            def alive() -> None:
                faults.turn()
                session.alive()

            display.stage("air")
            for number in itertools.count():
                at = time.monotonic()
                display.frames(int(at - began), int(seconds))
                if at - began > seconds:
                    break
                outcome = _job(session, source, sink, alive, number, rng)
                counts[outcome] += 1
                slowest_s = max(slowest_s, time.monotonic() - at)
                sizes.append((at - began, *_size(session)))
        devices = session.device_counters()
    growth = _growth(sizes, seconds)
    hung = slowest_s > JOB_MAX_S
    settled = all(share is None or share <= GROWTH_MAX for share in growth.values())
    return {
        "radio": run_config.radio.spec,
        "clock": run_config.radio.air_clock,
        "feedback": run_config.link.feedback,
        "seconds": round(time.monotonic() - began, 1),
        "faults": dict(faults.done),
        "jobs": counts.total(),
        "exact": counts["exact"],
        "wrong": counts["wrong"],
        "lost": counts["lost"],
        "slowest_job_s": round(slowest_s, 1),
        "growth": growth,
        "devices": devices,
        "met": not counts["wrong"] and not hung and settled and counts["exact"] > 0,
    }


def _job(session: Session, source, sink, alive, number: int, rng: np.random.Generator) -> str:
    """Carry one job: ``exact``, ``wrong``, or ``lost`` where the link said that it failed."""
    prompt = " ".join(rng.choice(WORDS, rng.integers(*PROMPT_WORDS)))
    count = int(rng.integers(*STREAM_SYMBOLS))
    parts = rng.standard_normal((count, 2)) / np.sqrt(2)
    symbols = (parts @ [1, 1j]).astype(np.complex64)
    exchange = Exchange(number % JOB_IDS)

    def submit(job_id: int) -> None:
        source.transmit(job_id, prompt, {0: (symbols, {"n": count})})

    try:
        session.wait_devices()
        submit(exchange.job_id)
        carry(exchange, source, sink, alive, Unwatched(), session.keepers, submit)
    except LinkError:  # said, and survived; anything else ends the soak
        return "lost"
    received = exchange.reception.prompt if exchange.reception is not None else None
    if received is None:
        return "lost"
    return "exact" if received == prompt else "wrong"


def _size(session: Session) -> tuple[float, float]:
    """Resident memory in MiB and descriptors of all processes that live through the run."""
    pages = descriptors = 0
    for pid in (os.getpid(), *session.crew.pids()):
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:  # it was started anew this moment
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, float(descriptors)


def _growth(sizes: list[tuple[float, float, float]], seconds: float) -> dict[str, float | None]:
    """Growth from the settled part's first half to its second, by median, as a share."""
    settled = [size for size in sizes if size[0] > SETTLED_SHARE * seconds]
    half = len(settled) // 2
    if half < 2:
        return {"memory": None, "descriptors": None}
    first, second = np.median(settled[:half], axis=0), np.median(settled[half:], axis=0)
    return {
        "memory": round(float(second[1] / first[1] - 1), 4),
        "descriptors": round(float(second[2] / first[2] - 1), 4),
    }


def summary(told: dict[str, Any]) -> str:
    """A few lines for the terminal."""
    faults = ", ".join(f"{count} {name}" for name, count in told["faults"].items()) or "none"
    lines = [
        f"{told['radio']}, {told['clock']} clock, {told['seconds'] / 60:.1f} minutes",
        f"faults   {faults}",
        f"jobs     {told['jobs']}: {told['exact']} exact, {told['wrong']} wrong, "
        f"{told['lost']} given up; the slowest took {told['slowest_job_s']} s",
    ]
    for name, share in told["growth"].items():
        if share is not None:
            lines.append(f"growth   {name} {100 * share:+.1f} %")
    for role, counters in told["devices"].items():
        lines.append(f"{role:<8} " + ", ".join(f"{n} {name}" for name, n in counters.items()))
    return "\n".join(lines)
