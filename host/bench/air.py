# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of the virtual air with real drivers: full duplex on two radios at a time.

Each row starts an air of two radios, +10 and -10 ppm, and a client on each that sends and
receives at once: a libiio program for the Pluto, UHD's own benchmark_rate for the USRP. The
virtual clock runs as fast as it can; in real time nothing may be lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from host.bench.air_client import MARGIN_S
from host.cli.parser import positive
from host.config.air import Clock, Kind, check_air, pair
from host.report.document import to_json
from host.supervise import Supervisor, host_python
from host.supervise.air import AirControl, start_air
from host.supervise.environment import REPO_ROOT, child_environment
from host.versions import own_versions
from models.weights_io import write_atomic
from semcom_blocks.errors import PeerError

SECONDS = 5.0
#: Load per processor before the start above which figures say little.
BUSY_SHARE = 0.5
#: Where distributions put UHD's examples.
BENCHMARK_RATE = [
    Path(folder) / "benchmark_rate"
    for folder in (
        "/usr/libexec/uhd/examples",
        "/usr/lib/uhd/examples",
        "/usr/local/lib/uhd/examples",
    )
]
# A client needs seconds for its driver's start; one that takes longer hangs.
START_TIMEOUT_S = 30.0
#: What benchmark_rate says, and what it means for us.
_RECEIVED = re.compile(r"Num received samples:\s+(\d+)")
_SENT = re.compile(r"Num transmitted samples:\s+(\d+)")
_LOST = re.compile(
    r"Num (?:dropped samples|overruns detected|underruns detected|sequence errors \(.x\)"
    r"|late commands|timeouts \(.x\)):\s+(\d+)"
)


@dataclass(frozen=True)
class Case:
    """One row; ``target_msps`` is per direction and radio."""

    kind: Kind
    clock: Clock
    rate_hz: float
    target_msps: float

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.clock} clock, {self.rate_hz / 1e6:g} MS/s"


CASES = (
    Case("pluto", "virtual", 10e6, 10.0),
    # Real time is kept or it is not: a thousandth is for the ends of the window.
    Case("pluto", "real", 2.5e6, 2.5 * 0.99),
    Case("usrp", "real", 2e6, 2.0 * 0.99),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``bench air``."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--seconds",
        type=positive(1, 3600),
        default=SECONDS,
        metavar="S",
        help="of streaming in each row",
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print; 0 if every target that could be measured is met."""
    notes: list[str] = []
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    if load > BUSY_SHARE * cpus:
        notes.append(f"other work keeps this machine busy (load {load:.1f} on {cpus} processors)")
    rows = [row for case in CASES if (row := _measured(case, args.seconds, notes)) is not None]
    report = {"rows": rows, "notes": notes, "cpus": cpus, "versions": own_versions()}
    console = Console()
    console.print(table(rows))
    for note in notes:
        console.print(f"semcom: {note}", soft_wrap=True)
    if args.json:
        write_atomic(args.json, to_json(report).encode())
    return 0 if all(row["met"] for row in rows) else 1


def _measured(case: Case, seconds: float, notes: list[str]) -> dict[str, Any] | None:
    if case.kind == "usrp" and not any(path.exists() for path in BENCHMARK_RATE):
        notes.append(f"{case.name} skipped: UHD's benchmark_rate is not installed")
        return None
    with tempfile.TemporaryDirectory(prefix="semcom-bench-") as folder:
        return measure(case, seconds, Path(folder))


def measure(case: Case, seconds: float, folder: Path) -> dict[str, Any]:
    """One row: rates of the slowest direction, what was lost, and the air's own work."""
    # Two neighbours somewhere in loopback's upper half, where nobody else's radios are.
    address = f"127.{random.randint(128, 254)}.{random.randint(0, 255)}.{random.randint(1, 250)}"
    devices = pair(case.kind, address)
    document = check_air({"devices": devices, "clock": case.clock}).document()
    with Supervisor(folder) as crew:
        child, endpoint = start_air(crew, document, folder)
        clients = [_Client(case, device["address"], seconds) for device in devices]
        try:
            for client in clients:
                client.wait_ready()
            with AirControl(str(endpoint)) as control:
                for client in clients:
                    client.go()
                _wait_streaming(control)
                time.sleep(MARGIN_S)
                before = _Mark(control, child.pid)
                time.sleep(seconds)
                after = _Mark(control, child.pid)
            found = [client.result() for client in clients]
        finally:
            for client in clients:
                client.kill()
    samples = after.samples - before.samples
    lost = after.lost - before.lost + sum(result["lost"] for result in found)
    msps = min(min(result["tx"], result["rx"]) for result in found)
    return {
        "name": case.name,
        "msps": msps,
        "lost": lost,
        "air_ns_per_sample": 1e9 * (after.cpu_s - before.cpu_s) / max(samples, 1),
        "air_cpu_share": (after.cpu_s - before.cpu_s) / (after.wall_s - before.wall_s),
        "target_msps": case.target_msps,
        "met": msps >= case.target_msps and lost == 0,
    }


def _wait_streaming(control: AirControl) -> None:
    """Until every device sends and receives."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        devices = control.state()["devices"].values()
        if all(device[way][0]["streaming"] for device in devices for way in ("tx", "rx")):
            return
        if time.monotonic() > deadline:
            raise PeerError(f"clients do not stream within {START_TIMEOUT_S:g} s")
        time.sleep(0.02)


class _Mark:
    """State of an air and its process at one moment."""

    def __init__(self, control: AirControl, pid: int) -> None:
        state = control.state()
        self.wall_s = time.monotonic()
        devices = state["devices"].values()
        self.samples = min(device["count"] for device in devices)
        counters = [device["counters"] for device in devices]
        # Also seconds that the clock gave up: nobody else would notice them.
        self.lost = state["slips"] + sum(
            value for row in counters for name, value in row.items() if "flows" in name
        )
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        self.cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Client:
    """One radio's client process."""

    def __init__(self, case: Case, address: str, seconds: float) -> None:
        self._pluto = case.kind == "pluto"
        if self._pluto:
            argv = [host_python(), "-m", "host.bench.air_client", f"ip:{address}"]
            argv += [f"{case.rate_hz:.0f}", str(seconds)]
        else:
            tool = next(path for path in BENCHMARK_RATE if path.exists())
            rate = f"{case.rate_hz:.0f}"
            argv = [str(tool), "--args", f"addr={address},master_clock_rate={rate}"]
            argv += ["--rx_rate", rate, "--tx_rate", rate]
            argv += ["--duration", f"{seconds + 2 * MARGIN_S:.0f}"]
        self._seconds = seconds
        self._process = subprocess.Popen(
            argv,
            cwd=REPO_ROOT,
            env=child_environment(threads=1),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if not self._pluto else None,
            text=True,
        )
        # A client that hangs before it streams ends here, and its pipes with it.
        limit_s = START_TIMEOUT_S + seconds + 2 * MARGIN_S
        self._limit = threading.Timer(limit_s, self._process.kill)
        self._limit.daemon = True
        self._limit.start()

    def wait_ready(self) -> None:
        """Until it may go: the Pluto's waits, the USRP's begins by itself."""
        assert self._process.stdout is not None
        if not self._pluto or self._process.stdout.readline().strip() == "ready":
            return
        raise PeerError(f"client ended with {self._process.wait()} before it streamed")

    def go(self) -> None:
        """Start streaming."""
        if self._pluto:
            assert self._process.stdin is not None
            self._process.stdin.write("go\n")
            self._process.stdin.flush()

    def result(self) -> dict[str, float]:
        """MS/s each way, and what its driver lost."""
        assert self._process.stdout is not None
        text = self._process.stdout.read()
        if self._process.wait() != 0:
            raise PeerError(f"client ended with {self._process.returncode}: see above")
        if self._pluto:
            return {"lost": 0, **json.loads(text.splitlines()[-1])}
        return benchmark_rate_told(text, round(self._seconds + 2 * MARGIN_S))

    def kill(self) -> None:
        """End it, if it has not ended."""
        self._limit.cancel()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def benchmark_rate_told(text: str, seconds: float) -> dict[str, float]:
    """MS/s each way and everything lost, from the summary of UHD's benchmark_rate."""
    received, sent = _RECEIVED.search(text), _SENT.search(text)
    if received is None or sent is None:
        raise PeerError("benchmark_rate has told no figures")
    return {
        "tx": int(sent[1]) / seconds / 1e6,
        "rx": int(received[1]) / seconds / 1e6,
        "lost": sum(int(number) for number in _LOST.findall(text)),
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """The rows for a terminal."""
    made = Table(box=SIMPLE_HEAD, title="virtual air, two radios, both ways at once")
    made.add_column("air")
    for name in ("MS/s each way", "target", "lost", "air ns/sample", "air's share of a core"):
        made.add_column(name, justify="right")
    for row in rows:
        made.add_row(
            row["name"],
            f"{row['msps']:.2f}",
            f"{row['target_msps']:.2f} {'met' if row['met'] else 'MISSED'}",
            str(row["lost"]),
            f"{row['air_ns_per_sample']:.0f}",
            f"{row['air_cpu_share']:.2f}",
        )
    return made
