# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a user runs it: real processes, real GNU Radio, the shipped weights."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zmq

from host.client import HostClient
from host.supervise import Supervisor, free_ports
from host.supervise.environment import child_environment

# Of one command on a machine that does other things too; alone it takes a few seconds.
COMMAND_TIMEOUT_S = 120


def environment(**changes):
    found = child_environment(threads=1)
    return {**found, **changes}


class Command:
    """A running ``semcom`` command."""

    def __init__(self, args, cwd, **changes):
        self.log = cwd / f"stderr-{time.monotonic_ns()}"
        self._err = self.log.open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "host.cli", *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._err,
            cwd=cwd,
            env=environment(**changes),
        )

    def children(self):
        """Process id by the words that tell who it is, of this command's children."""
        found = {}
        words = {"host": "host.service", "tx": "radio\0tx", "rx": "radio\0rx"}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1])
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                if parent == self.process.pid:
                    found |= {name: int(entry.name) for name, word in words.items() if word in line}
        return found

    def end(self, timeout_s=COMMAND_TIMEOUT_S):
        """Wait for the end; returns (exit code, stdout, stderr)."""
        with self.process:
            try:
                out, _ = self.process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self._err.seek(0)
        with self._err:
            return self.process.returncode, out.decode(), self._err.read().decode()


@pytest.fixture
def start(tmp_path):
    """A function that starts a command; what is left at the end of a test is killed."""
    started = []

    def run(*args, **changes):
        started.append(Command(args, tmp_path, **changes))
        return started[-1]

    yield run
    for command in started:
        if command.process.poll() is None:
            command.process.send_signal(signal.SIGKILL)
            command.end(10)


@pytest.fixture
def semcom(start):
    """A function that runs a command to its end: (exit code, stdout, stderr)."""
    return lambda *args, **changes: start(*args, **changes).end()


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    """The endpoint of one model service for many tests: torch is loaded once."""
    yield from serve("host.service", tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="session")
def quick_service(tmp_path_factory):
    """A service whose codec has no weights: large pictures in no time."""
    yield from serve("tests.host.codec_double", tmp_path_factory.mktemp("quick"))


def serve(module, folder):
    endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    argv = [sys.executable, "-m", module, "--bind", endpoint, "--threads", "1"]
    with Supervisor(folder) as crew, zmq.Context() as context:
        crew.start("host", argv, environment())
        client = HostClient(context, endpoint, crew.check)
        deadline = time.monotonic() + 60
        while client.ping(30)["state"] == "warming":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert client.ping(5)["state"] == "ready"
        yield endpoint
        client.close()


@pytest.fixture
def ports():
    """Options that put a pair of radios on free ports of their own."""
    source, sink, feedback, samples = map(str, free_ports(4))
    air = ["--feedback-port", feedback, "--samples-port", samples]
    return {
        "tx": ["--source-port", source, *air],
        "rx": ["--sink-port", sink, *air],
        "source": source,
        "sink": sink,
        "feedback": feedback,
        "samples": samples,
    }


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


def is_gone(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(") ", 1)[1][0] == "Z"
    except OSError:
        return True


def until(condition, timeout_s=60.0):
    """Wait for ``condition()`` to be true and return what it gave."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return found
