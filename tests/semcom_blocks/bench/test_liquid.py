# SPDX-License-Identifier: GPL-3.0-or-later
"""liquid-dsp gets all of its frames right, or its figures would be void; tasks answer in JSON."""

import json
import subprocess
import sys

import numpy as np
import pytest

from semcom_blocks.bench import liquid, recording


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    built, reason = liquid.build(tmp_path_factory.mktemp("liquid"))
    if built is None:
        assert "apt-get install" in reason
        pytest.skip(reason)
    return built


@pytest.mark.parametrize("kind", ["short", "default"])
def test_liquid_gets_its_frames_right(driver, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(liquid, "SEGMENT_SAMPLES", 100_000)
    frames = liquid.make(driver, kind, tmp_path / "clean.cf32")
    path = tmp_path / "iq.cf32"
    np.zeros(1000, np.complex64).tofile(path)  # segments may begin anywhere
    segment = recording.adopt(path, "liquid", kind, frames, tmp_path / "clean.cf32")
    answer = liquid.decode(driver, path, segment)
    assert answer["good"] == frames > 3
    assert answer["samples"] % segment.count == 0
    assert answer["cpu_s"] > 0


def test_liquid_finds_nothing_in_noise(driver, tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "NOISE_SAMPLES", 50_000)
    segment = recording.append_noise(tmp_path / "iq.cf32")
    assert liquid.decode(driver, tmp_path / "iq.cf32", segment)["good"] == 0


@pytest.mark.parametrize("program", [None, "false"])
def test_without_compiler_or_headers_liquid_is_skipped_with_a_word(tmp_path, monkeypatch, program):
    which = {"cc": None if program is None else f"/bin/{program}"}
    monkeypatch.setattr(liquid.shutil, "which", which.get)
    built, reason = liquid.build(tmp_path)
    assert built is None
    assert "libliquid-dev" in reason


def ask(task, request):
    command = [sys.executable, "-m", "semcom_blocks.bench", task, json.dumps(request)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_task_answers_in_json():
    done = ask("transmit", {"path": "-"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"] > 1e6


def test_an_unknown_task_is_refused_in_one_line():
    done = ask("dance", {"path": "-"})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "'dance'" in done.stderr
