# SPDX-License-Identifier: GPL-3.0-or-later
"""``semcom test``: both suites, each under its own interpreter, and one honest total.

Radio and host cannot share an interpreter (GNU Radio and torch need different
NumPy versions), so there are two runs of pytest over the same ``tests/``. What
neither side can import is left out by ``tests/conftest.py``; everything else,
the pure core above all, runs under both.

The runs take place side by side where there are two cores. The first is shown as it
goes; the second writes to a file, which is shown from its beginning when the first has
ended, and as it goes from there. What they share is made for it: sockets are on ports and
loopback addresses drawn anew, files in pytest's numbered folders, each has its own cache.

Only the standard library is used here: ``tests/conftest.py`` imports the table of
suites under the radio's interpreter as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[1]
TESTS = REPO_ROOT / "tests"
RADIO_PYTHON = os.environ.get("SEMCOM_RADIO_PYTHON") or "/usr/bin/python3"

# pytest's exit codes, https://docs.pytest.org/en/stable/reference/exit-codes.html
TESTS_FAILED = 1
NOTHING_COLLECTED = 5

VALUE_OPTIONS = ("-k", "-m", "-p", "-o", "-c", "-W")  # what follows them is no path
DEBUGGING = ("--pdb", "--trace")  # a person types, and can do so into one run only
ASKING = ("--version", "-V", "--markers")  # pytest answers and runs nothing

# Side by side, the pools of the numeric libraries would fight for the same cores. torch follows.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LOOK_S = 0.1
# Fixtures end what they have started, and a radio takes seconds for that.
END_GRACE_S = 20.0

HELP = """\
usage: semcom test [PYTEST ARGUMENT ...]

Runs the tests under the radio's interpreter and under the host's, and sums them up: side
by side where there are two cores, each with one thread unless OMP_NUM_THREADS and the like
say otherwise; in turn with -m, since what is slow measures. Arguments go to pytest, in both:

  tests/semcom_blocks/phy     only the tests in a folder or file
  -k EXPRESSION               only the tests whose names match
  -x                          stop a run at its first failure
  -m slow                     the long sets (default: -m "not slow")

exit codes: 0 every test passed, 1 some failed or a run broke off, 2 nothing to run"""


@dataclass(frozen=True)
class Suite:
    """One interpreter's share of the tests."""

    name: str
    python: str
    core_module: str  # without it this interpreter's tests would mean nothing
    only: tuple[str, ...]  # below tests/: what no other interpreter can import


RADIO = Suite(
    "radio",
    RADIO_PYTHON,
    "gnuradio",
    (
        "semcom_blocks/gr",
        "semcom_blocks/radio",
        "semcom_blocks/bench/test_gr_digital.py",
        "semcom_blocks/air/pluto/test_gr_iio.py",
        "semcom_blocks/air/pluto/test_libiio_tools.py",
        "semcom_blocks/air/usrp/test_clients.py",
        "flowgraphs",
    ),
)
HOST = Suite(
    "host",
    sys.executable,
    "torch",
    (
        "host",
        "models",
        "calibration",
        "system",
        "test_launcher.py",
        "semcom_blocks/air/pluto/test_pyadi.py",
    ),
)
SUITES = (RADIO, HOST)


@dataclass(frozen=True)
class Tally:
    """Outcome counts; what pytest calls an error counts as failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def foreign(suite: Suite) -> list[Path]:
    """Paths below ``tests/`` that belong to the other suites alone."""
    return [TESTS / name for other in SUITES if other is not suite for name in other.only]


def arguments_for(suite: Suite, arguments: Sequence[str]) -> list[str] | None:
    """``arguments`` without test paths foreign to ``suite``; None if that leaves none of them.

    pytest collects a path named on the command line even where it is told to ignore it.
    Paths become absolute, since both runs take place in the repository's root.
    """
    others = foreign(suite)
    kept: list[str] = []
    named = left = 0
    for before, argument in zip(("", *arguments), arguments):  # noqa: B905 - one is longer
        name, separator, node = argument.partition("::")
        path = Path(name).resolve()
        of_tests = path.exists() and (path == TESTS or TESTS in path.parents)
        if before in VALUE_OPTIONS or argument.startswith("-") or not of_tests:
            kept.append(argument)
            continue
        named += 1
        if not any(path == other or other in path.parents for other in others):
            left += 1
            kept.append(f"{path}{separator}{node}")
    return kept if left or not named else None


def tally_of(junit: Path, exit_code: int) -> Tally:
    """Counts in pytest's JUnit file; a run that broke off without one counts as a failure."""
    tally = Tally()
    if junit.exists():
        for suite in ElementTree.parse(junit).iter("testsuite"):
            tests, failures, errors, skipped = (
                int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")
            )
            tally += Tally(tests - failures - errors - skipped, failures + errors, skipped)
    complete = junit.exists() and exit_code in (0, NOTHING_COLLECTED)
    if not complete and not tally.failed:
        tally += Tally(failed=1)
    return tally


class Run:
    """pytest over one suite, in a session of its own: a signal reaches all that it started.

    ``beside`` another one: its output goes to a file in ``folder``, for :meth:`finish` to show.
    """

    def __init__(
        self, suite: Suite, arguments: Sequence[str], folder: Path, beside: bool = False
    ) -> None:
        self.suite = suite
        self.code = TESTS_FAILED
        self.tally = Tally(failed=1)
        self._title: str | None = f"== {suite.name} tests under {suite.python}"
        self._asking = any(argument in ASKING for argument in arguments)
        self._junit = folder / f"{suite.name}.xml"
        self._log = folder / f"{suite.name}.log" if beside else None
        self._shown = 0  # bytes of the log
        self._process: subprocess.Popen[bytes] | None = None
        # The path to the repository comes from pytest's own configuration.
        environment = {
            name: value
            for name, value in ((THREADS if beside else {}) | dict(os.environ)).items()
            if name not in ("PYTHONPATH", "PYTHONSAFEPATH")
        }
        if not beside:
            self._announce()
        probe = [suite.python, "-c", f"import {suite.core_module}"]
        if subprocess.run(probe, cwd=REPO_ROOT, env=environment, check=False).returncode:
            return
        command = [suite.python, "-m", "pytest"]
        if "no:cacheprovider" not in " ".join((os.environ.get("PYTEST_ADDOPTS", ""), *arguments)):
            command += ["-o", f"cache_dir=.pytest_cache/{suite.name}"]  # its own last failures
        if beside and sys.stdout.isatty() and "NO_COLOR" not in os.environ:
            command.append("--color=yes")
        # Last, so that the counts are ours whatever the arguments say.
        command += [*arguments, f"--junit-xml={self._junit}"]
        with self._log.open("wb") if self._log else contextlib.nullcontext() as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if beside else None,
                stdout=output,
                stderr=subprocess.STDOUT if beside else None,
                cwd=REPO_ROOT,
                env=environment,
                start_new_session=True,
            )

    def __str__(self) -> str:
        complete = self.code in (0, TESTS_FAILED, NOTHING_COLLECTED)
        if self._process is None or (complete and (self._junit.exists() or self._asking)):
            return f"{self.suite.name}: {self.tally}"
        how = f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"
        return f"{self.suite.name}: {self.tally}; broke off ({how})"

    def finish(self) -> None:
        """Show what it writes until its end; then ``code`` and ``tally`` are what came out."""
        self._announce()
        if self._process is None:
            core = self.suite.core_module
            print(f"{self.suite.python} cannot import {core}: ./semcom doctor tells more")
            return
        while True:
            ended = self._process.poll() is not None  # before the look: nothing comes after
            if not self._show() and ended:
                break
            time.sleep(0 if ended else LOOK_S)
        self.code = self._process.returncode
        answered = self._asking and not self.code
        self.tally = Tally() if answered else tally_of(self._junit, self.code)

    def signal(self, number: int) -> None:
        """Send ``number`` to it and to all of its session; no error if they are gone."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def wait(self, timeout_s: float) -> None:
        """Wait up to ``timeout_s`` for its end."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.0, timeout_s))

    def _announce(self) -> None:
        if self._title:
            print(self._title, flush=True)
        self._title = None

    def _show(self) -> bool:
        """Print what is new in the log; whether there was any."""
        if self._log is None:
            return False
        with self._log.open("rb") as log:
            log.seek(self._shown)
            new = log.read()
        self._shown += len(new)
        sys.stdout.flush()
        sys.stdout.buffer.write(new)
        sys.stdout.buffer.flush()
        return bool(new)


@contextlib.contextmanager
def ended(runs: list[Run]) -> Iterator[None]:
    """Ctrl-C and the like end all of ``runs``, in order if they can; what they wrote is shown."""
    try:
        yield
    except BaseException:
        try:
            for run in runs:
                run.signal(signal.SIGINT)
            deadline = time.monotonic() + END_GRACE_S
            for run in runs:
                run.wait(deadline - time.monotonic())
        finally:  # after the grace, or at once at the second Ctrl-C
            for run in runs:
                run.signal(signal.SIGKILL)
        for run in runs:
            run.finish()
        raise


def side_by_side(arguments: Sequence[str]) -> bool:
    """Whether the suites share the machine: there are two cores, and nothing is measured."""
    # Joined, "-m slow" and "-mslow" look the same.
    chosen = " ".join(arguments).replace("-m not slow", "")
    measuring = any(word.startswith("-m") for word in chosen.split())
    debugging = any(argument in DEBUGGING for argument in arguments)
    return len(os.sched_getaffinity(0)) > 1 and not measuring and not debugging


def main(arguments: Sequence[str]) -> int:
    """Run both suites; 0 only if every test that ran passed, and some did."""
    if "-h" in arguments or "--help" in arguments:
        print(HELP)
        return 0
    kept = {suite: arguments_for(suite, arguments) for suite in SUITES}
    jobs = [(suite, its) for suite, its in kept.items() if its is not None]
    beside = len(jobs) > 1 and side_by_side(arguments)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="semcom-test-") as folder, ended(runs):
        if beside:
            names = " and ".join(suite.name for suite, _ in jobs)
            print(f"== {names} tests side by side, shown one after the other", flush=True)
        for suite, its in jobs:
            runs.append(Run(suite, its, Path(folder), beside))
            if not beside:
                runs[-1].finish()
        if beside:
            for run in runs:
                run.finish()
        lines = {run.suite: str(run) for run in runs}
    print("\n".join(lines.get(suite, f"{suite.name}: not concerned") for suite in SUITES))
    total = sum((run.tally for run in runs), Tally())
    print(total)
    if total.failed or any(run.code not in (0, NOTHING_COLLECTED) for run in runs):
        return TESTS_FAILED
    return 0 if any(run.code != NOTHING_COLLECTED for run in runs) else 2


def command(arguments: Sequence[str]) -> int | str:
    """:func:`main` for :func:`sys.exit`; what would end it ends its runs first."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C, but for nohup and the like
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        return main(arguments)
    except KeyboardInterrupt:  # pytest has told its part
        return "semcom: tests interrupted"


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
