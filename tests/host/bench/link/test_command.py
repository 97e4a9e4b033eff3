# SPDX-License-Identifier: GPL-3.0-or-later
"""``semcom bench link`` as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from host.bench.link import add_arguments, run
from host.cli.parser import OneLineParser
from semcom_blocks.errors import ConfigError

COMMAND = [sys.executable, "-m", "host.cli", "bench", "link"]
#: Longer than the machine needs to start two processes while it does other work.
PATIENCE_S = 60.0
#: A worker that has had a core for so long has done with its imports, and measures.
IMPORTED_S = 2.0


def bench(*arguments, **options):
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def test_a_small_quick_run_prints_targets_and_writes_the_figures(tmp_path):
    file = tmp_path / "link.json"
    done = bench("--quick", "--share", "0.002", "--workers", "2", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "found at 0 dB, awgn" in done.stdout
    found = json.loads(file.read_text())
    assert found["bench"] == "link"
    assert found["quick"] is True
    assert found["run"]["workers"] == 2
    assert {target["number"] for target in found["targets"]} == {2, 3, 4, 5, 6, 7, 10}
    for name, records in found["curves"].items():
        assert records, name
    # No result of the full set is touched.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--share", "0"), "share"),
        (("--share", "many"), "share"),
        (("--workers", "0"), "workers"),
        (("--seed", "-1"), "seed"),
        (("--json", "no/such/folder/link.json"), "--json"),
        (("--fast",), "--fast"),
    ],
)
def test_bad_options_are_refused(arguments, word):
    parser = OneLineParser()
    add_arguments(parser)
    with pytest.raises(ConfigError, match=word) as refused:
        run(parser.parse_args(["--quick", *arguments]))
    assert len(str(refused.value).splitlines()) == 1


def test_help_names_the_keys():
    done = bench("--help")
    assert done.returncode == 0
    for word in ("--quick", "amplitude_bias_percent", "frames_per_1e8_bound"):
        assert word in done.stdout


@pytest.fixture
def running():
    """A run of both workers that would last for long, as one group of processes."""
    process = subprocess.Popen(
        [*COMMAND, "--quick", "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def measuring(process):
    """Process ids of the run's workers, once there are two (a third child counts references)."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        found = [int(word) for word in children.read_text().split()]
        found = [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        if len(found) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{found} are running, not two")


def computed_s(pid):
    """Seconds of a core that process ``pid`` has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("begun", [False, True], ids=["starting", "measuring"])
def test_ctrl_c_ends_it_at_once_with_a_line(running, begun):
    """While the workers start, and while they measure."""
    workers = measuring(running)
    deadline = time.monotonic() + PATIENCE_S
    while begun and max(map(computed_s, workers)) < IMPORTED_S:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, out, err) == (130, "", "semcom: interrupted\n")


def test_a_killed_worker_is_told_in_a_line(running):
    os.kill(measuring(running)[0], signal.SIGKILL)
    out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, out) == (1, "")
    assert err.startswith("semcom: error: a measuring process died")
    assert len(err.splitlines()) == 1
