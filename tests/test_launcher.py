# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher in a small tree of its own, with no network: what is set up, when, and what leaks.

The tree's lock is empty, so its set-up is real but short. Programs that would change
the machine (``apt-get``, ``sudo``) are replaced by ones that write down their call.
"""

import json
import os
import resource
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LATER_CALL_LIMIT_S = 1.0  # a set-up takes several

# What the launcher, and Python's venv, need from a system without a package manager.
TOOLS = (
    *("sh", "env", "cat", "cksum", "dirname", "flock", "grep", "head", "id", "mkdir", "mv"),
    *("python3", "readlink", "rm", "sed", "tail"),
)
ECHO_CLI = """\
import json, os, sys
names = ("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "PIP_TARGET")
print(json.dumps({
    "arguments": sys.argv[1:], "prefix": sys.prefix, "cwd": os.getcwd(), "path": sys.path,
    "environment": {name: os.environ.get(name) for name in names},
}))
"""


class Tree:
    """A copy of the launcher in a folder, with programs that stand before the system's."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a b's test$bed"  # what shells trip over
        self.programs = folder / "bin"
        self.calls = folder / "calls"
        (self.root / "host").mkdir(parents=True)
        self.programs.mkdir()
        shutil.copy(ROOT / "semcom", self.root)
        shutil.copy(ROOT / "host" / "doctor.py", self.root / "host")
        (self.root / "host" / "__init__.py").touch()
        (self.root / "host" / "cli.py").write_text(ECHO_CLI)
        self.write("requirements.lock", "# nothing\n")
        self.write("packages.debian", "# nothing\n")
        for tool in TOOLS:
            found = shutil.which(tool, path="/usr/bin:/bin")
            assert found, f"{tool} is not on this system"
            (self.programs / tool).symlink_to(found)

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def fake(self, name: str, body: str = "") -> None:
        """A program ``name`` that writes its call into ``calls``, then runs ``body``."""
        program = self.programs / name
        program.unlink(missing_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{body}\n')
        program.chmod(0o755)

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SEMCOM", "PIP"))
        }
        return {**kept, "PATH": str(self.programs), **extra}

    def run(self, *arguments: str, program: Path | None = None, cwd: Path | None = None, **extra):
        return subprocess.run(
            [program or self.root / "semcom", *arguments],
            env=self.environment(**extra),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture(scope="module")
def first_calls(tmp_path_factory):
    """A tree that was set up by the first of two commands at once, and what they said."""
    tree = Tree(tmp_path_factory.mktemp("ready"))
    with ThreadPoolExecutor() as both:
        done = both.map(tree.run, ("demo", "replay"), ("--snr-db", "--out"), ("10", "a"))
        return tree, list(done)


@pytest.fixture
def ready(first_calls):
    return first_calls[0]


@pytest.fixture
def furnished(tree, ready):
    """A tree of the test's own with a complete environment, as an older lock left it."""
    shutil.copytree(ready.root / ".venv", tree.root / ".venv", symlinks=True)
    (tree.root / ".venv" / "stamp").write_text("older\n")
    return tree


def said(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def computed_s() -> float:
    """Seconds of a core that ended children have had: waiting for other work does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_two_first_calls_set_up_once(first_calls):
    _, (first, other) = first_calls
    assert said(first)["arguments"] == ["demo", "--snr-db", "10"]
    assert said(other)["arguments"] == ["replay", "--out", "a"]
    assert sum(call.stderr.count("set-up complete") for call in (first, other)) == 1


def test_a_later_call_starts_at_once(ready):
    before_s = computed_s()
    later = ready.run("demo", "a b", "*")
    assert computed_s() - before_s < LATER_CALL_LIMIT_S
    assert said(later)["arguments"] == ["demo", "a b", "*"]
    assert later.stderr == ""


def test_command_runs_in_the_trees_own_environment(ready):
    assert Path(said(ready.run("demo"))["prefix"]) == ready.root / ".venv"


def test_python_settings_of_the_user_do_not_leak(ready, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')\n")
    done = ready.run(
        "demo", PYTHONPATH=str(tmp_path), PYTHONHOME=str(tmp_path), PIP_TARGET=str(tmp_path)
    )
    assert said(done)["environment"] == {
        "PYTHONPATH": str(ready.root),
        "PYTHONHOME": None,
        "PYTHONNOUSERSITE": "1",
        "PIP_TARGET": None,
    }
    assert str(tmp_path) not in said(done)["path"]


def test_works_from_another_folder_through_a_symlink(ready, tmp_path):
    link = tmp_path / "bin" / "link"
    link.parent.mkdir()
    link.symlink_to(ready.root / "semcom")
    done = said(ready.run("demo", program=link, cwd=tmp_path))
    assert Path(done["prefix"]) == ready.root / ".venv"
    assert done["cwd"] == str(tmp_path)


def test_interrupted_set_up_starts_afresh(furnished):
    leftover = furnished.root / ".venv" / "lib" / "leftover"
    leftover.touch()
    (furnished.root / ".venv" / "installing").touch()
    (furnished.root / ".venv" / "stamp").unlink()
    said(furnished.run("demo"))
    assert not leftover.exists()
    assert not (furnished.root / ".venv" / "installing").exists()


def test_failed_set_up_is_told_and_tried_again(furnished):
    furnished.write("requirements.lock", "./nowhere\n")
    failed = furnished.run("demo")
    assert failed.returncode == 2
    assert failed.stdout == ""
    assert "nowhere" in failed.stderr
    assert "requirements.lock" in failed.stderr
    furnished.write("requirements.lock", "# nothing\n")
    assert said(furnished.run("demo"))["arguments"] == ["demo"]


def test_changed_lock_is_installed(furnished):
    furnished.write("requirements.lock", "# another nothing\n")
    again = furnished.run("demo")
    said(again)
    assert "installing the host's" in again.stderr
    assert furnished.run("demo").stderr == ""


def test_without_apt_names_what_is_missing(tree):
    rows = ("there command:cat", "missing-a command:no-such-a", "missing-b python:no_such_b")
    tree.write("packages.debian", "".join(f"{row} why\n" for row in rows))
    done = tree.run("demo")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "missing: missing-a missing-b;" in done.stderr
    assert "there " not in done.stderr.split(";")[0]
    assert not (tree.root / ".venv" / "bin").exists()


def test_missing_packages_are_installed_through_sudo(furnished):
    furnished.write("packages.debian", "wanted command:no-such why\n")
    furnished.fake("id", "echo 1000")
    furnished.fake("sudo", 'exec "$@"')
    furnished.fake("apt-get")
    furnished.fake("dpkg-query", "exit 1")
    done = furnished.run("demo")
    said(done)
    assert "sudo apt-get: wanted" in done.stderr
    sudo = [call for call in furnished.called() if call.startswith("sudo")]
    assert len(sudo) == 1
    assert "DEBIAN_FRONTEND=noninteractive apt-get" in sudo[0]
    assert sudo[0].endswith("install --no-install-recommends wanted")


def test_package_lists_are_updated_only_when_they_do_not_know_a_package(furnished):
    furnished.write("packages.debian", "wanted command:no-such why\n")
    furnished.fake("id", "echo 0")
    furnished.fake("apt-get", "case $* in *--simulate*) exit 100 ;; esac")
    furnished.fake("dpkg-query", "exit 1")
    said(furnished.run("demo"))
    verbs = [
        word
        for call in furnished.called()
        for word in call.split()
        if word in ("update", "install")
    ]
    assert verbs == ["install", "update", "install"]  # the first is the simulation


@pytest.mark.parametrize(
    ("fakes", "words"),
    [
        ({"id": "echo 1000"}, "neither root nor sudo"),
        ({"id": "echo 0", "apt-get": "echo E: broken >&2; exit 100"}, "E: broken"),
    ],
)
def test_apt_that_cannot_install_is_told(tree, fakes, words):
    tree.write("packages.debian", "wanted command:no-such why\n")
    for name, body in {"apt-get": "", "dpkg-query": "exit 1", **fakes}.items():
        tree.fake(name, body)
    done = tree.run("demo")
    assert done.returncode == 2
    assert words in done.stderr
    assert "wanted" in done.stderr
    assert not (tree.root / ".venv" / "bin").exists()


def test_companion_finds_the_blocks_and_the_package(ready):
    ready.fake("gnuradio-companion", 'echo "$GRC_BLOCKS_PATH|$PYTHONPATH|$*"')
    done = ready.run("grc", "my flow.grc", GRC_BLOCKS_PATH="/mine")
    assert done.returncode == 0, done.stderr
    blocks = f"{ready.root}/semcom_blocks/grc:/mine"
    assert done.stdout.strip() == f"{blocks}|{ready.root}|my flow.grc"


def test_help_does_not_wait_for_the_set_up(tree):
    assert said(tree.run("--help"))["arguments"] == ["--help"]
    assert not (tree.root / ".venv").exists()


def test_doctor_tells_before_the_set_up_and_changes_nothing(tree):
    tree.write("packages.debian", "there command:cat why\nmissing-a command:no-such-a why\n")
    done = tree.run("doctor", "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    states = {finding["name"]: finding["state"] for finding in answer["findings"]}
    assert states["there"] == "ok"
    assert states["missing-a"] == states["host environment"] == states["weights"] == "missing"
    assert answer["complete"] is False
    assert all(row["remedy"] for row in answer["findings"] if row["state"] == "missing")
    assert not (tree.root / ".venv").exists()
