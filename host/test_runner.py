# SPDX-License-Identifier: GPL-3.0-or-later
"""``semcom test``: both suites, each under its own interpreter, and one honest total.

Radio and host cannot share an interpreter (GNU Radio and torch need different
NumPy versions), so there are two runs of pytest over the same ``tests/``. What
neither side can import is left out by ``tests/conftest.py``; everything else,
the pure core above all, runs under both.

Only the standard library is used here: ``tests/conftest.py`` imports the table of
suites under the radio's interpreter as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[1]
TESTS = REPO_ROOT / "tests"
RADIO_PYTHON = os.environ.get("SEMCOM_RADIO_PYTHON") or "/usr/bin/python3"

# pytest's exit codes, https://docs.pytest.org/en/stable/reference/exit-codes.html
TESTS_FAILED = 1
NOTHING_COLLECTED = 5

VALUE_OPTIONS = ("-k", "-m", "-p", "-o", "-c", "-W")  # what follows them is no path

HELP = """\
usage: semcom test [PYTEST ARGUMENT ...]

Runs the tests under the radio's interpreter, then under the host's, and sums them up.
Arguments go to pytest, in both runs:

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
    if exit_code not in (0, NOTHING_COLLECTED) and not tally.failed:
        tally += Tally(failed=1)
    return tally


def run_suite(suite: Suite, arguments: Sequence[str]) -> tuple[int, Tally]:
    """Run one suite; return pytest's exit code and the counts."""
    # The path to the repository comes from pytest's own configuration.
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    probe = [suite.python, "-c", f"import {suite.core_module}"]
    if subprocess.run(probe, cwd=REPO_ROOT, env=environment, check=False).returncode:
        print(f"{suite.python} cannot import {suite.core_module}: ./semcom doctor tells more")
        return TESTS_FAILED, Tally(failed=1)
    with tempfile.TemporaryDirectory(prefix="semcom-test-") as folder:
        junit = Path(folder) / "junit.xml"
        # Last, so that the counts are ours whatever the arguments say.
        command = [suite.python, "-m", "pytest", *arguments, f"--junit-xml={junit}"]
        done = subprocess.run(command, cwd=REPO_ROOT, env=environment, check=False)
        return done.returncode, tally_of(junit, done.returncode)


def main(arguments: Sequence[str]) -> int:
    """Run both suites; 0 only if every test that ran passed, and some did."""
    if "-h" in arguments or "--help" in arguments:
        print(HELP)
        return 0
    total, broken, ran = Tally(), False, False
    summary = []
    for suite in SUITES:
        kept = arguments_for(suite, arguments)
        if kept is None:
            summary.append(f"{suite.name}: not concerned")
            continue
        print(f"== {suite.name} tests under {suite.python}", flush=True)
        exit_code, tally = run_suite(suite, kept)
        total += tally
        broken |= exit_code not in (0, NOTHING_COLLECTED)
        ran |= exit_code != NOTHING_COLLECTED
        summary.append(f"{suite.name}: {tally}")
    print("\n".join(summary))
    print(total)
    if broken or total.failed:
        return TESTS_FAILED
    return 0 if ran else 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # pytest has told its part
        sys.exit("semcom: tests interrupted")
