# SPDX-License-Identifier: GPL-3.0-or-later
"""``semcom bench link`` as a user meets it."""

import json
import subprocess
import sys

import pytest


def bench(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "host.cli", "bench", "link", *arguments],
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
def test_bad_options_are_one_line(arguments, word, tmp_path):
    done = bench("--quick", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert word in done.stderr


def test_help_names_the_keys():
    done = bench("--help")
    assert done.returncode == 0
    for word in ("--quick", "amplitude_bias_percent", "frames_per_1e8_bound"):
        assert word in done.stdout
