# SPDX-License-Identifier: GPL-3.0-or-later
"""Sender and receiver as commands of their own: over the simulated air, and by a recording."""

import json

import numpy as np
import pytest
from PIL import Image

from host.images import load_image
from host.metrics import psnr_db
from tests.system.conftest import report_of

PROMPT = "a cat, sent by one command and received by another"


def test_over_the_simulated_air(start, semcom, service, ports, tmp_path):
    rx = start("rx", "--radio", "sim", *ports["rx"], "--out", tmp_path / "rx", "--host", service)
    code, text, err = semcom(
        "tx", "chelsea", "--radio", "sim", "--prompt", PROMPT, "--snr-db", 12,
        *ports["tx"], "--host", service, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    sent = json.loads(text)
    assert sent["prompt"]["delivered"] is True
    code, _, err = rx.end()
    assert (code, err) == (0, "")
    received = report_of(tmp_path / "rx")
    assert received["prompt"]["received"] == PROMPT
    assert received["job_id"] == sent["job_id"]
    assert received["link"]["snr_db_est"] == pytest.approx(12, abs=1)
    assert received["link"]["snr_db_set"] is None  # who receives cannot know
    with Image.open(tmp_path / "rx" / "received.png") as picture:
        assert psnr_db(load_image("chelsea").pixels, np.array(picture)) > 25


def test_two_jobs_one_receiver(start, semcom, service, ports, tmp_path):
    rx = start(
        "rx", "--radio", "sim", *ports["rx"], "--count", 2, "--out", tmp_path / "rx",
        "--host", service,
    )  # fmt: skip
    for prompt in ("the first", "the second"):
        code, _, err = semcom("tx", "--prompt", prompt, *ports["tx"], "--host", service)
        assert (code, err) == (0, "")
    assert rx.end()[0] == 0
    prompts = [
        (tmp_path / "rx" / f"job-{n:04d}" / "prompt.txt").read_text(encoding="utf-8")
        for n in (1, 2)
    ]
    assert prompts == ["the first", "the second"]


def test_a_recording(semcom, service, tmp_path):
    recording = tmp_path / "burst"
    code, _, err = semcom(
        "tx", "--radio", f"file:{recording}", "--prompt", PROMPT, "--host", service
    )
    assert (code, err) == (0, "")
    meta = json.loads((tmp_path / "burst.sigmf-meta").read_text())
    assert meta["global"]["core:datatype"] == "cf32_le"
    assert meta["global"]["core:sample_rate"] == 1e6
    samples = np.fromfile(tmp_path / "burst.sigmf-data", "<c8")
    assert np.isfinite(samples).all()
    # Played back as it is, and behind 10 ms of noise at another level, as another program would
    # have recorded it.
    rng = np.random.default_rng(1)
    lead = np.zeros(10_000, np.complex64)
    noise = (rng.standard_normal((len(lead) + len(samples), 2)) @ [1, 1j]).astype(np.complex64)
    (tmp_path / "other.sigmf-meta").write_text(json.dumps(meta))
    other = 0.1 * np.concatenate([lead, samples]) + 0.003 * noise
    other.astype("<c8").tofile(tmp_path / "other.sigmf-data")
    for name in ("burst", "other"):
        out = tmp_path / f"rx-{name}"
        code, _, err = semcom(
            "rx", "--radio", f"file:{tmp_path / name}", "--out", out, "--host", service
        )
        assert (code, err) == (0, "")
        assert (out / "prompt.txt").read_text(encoding="utf-8") == PROMPT
        with Image.open(out / "received.png") as picture:
            assert psnr_db(load_image("chelsea").pixels, np.array(picture)) > 27


def test_a_recording_of_noise_holds_no_job(semcom, service, tmp_path):
    rng = np.random.default_rng(2)
    noise = (rng.standard_normal((500_000, 2)) @ [1, 1j]).astype("<c8")
    noise.tofile(tmp_path / "noise.sigmf-data")
    meta = {
        "global": {"core:datatype": "cf32_le", "core:sample_rate": 1e6, "core:version": "1.0.0"},
        "captures": [{"core:sample_start": 0}],
        "annotations": [],
    }
    (tmp_path / "noise.sigmf-meta").write_text(json.dumps(meta))
    code, _, err = semcom(
        "rx", "--radio", "file:noise", "--out", tmp_path / "out", "--host", service
    )
    assert code == 1
    assert err.count("\n") == 1
    assert "held no whole job" in err
    assert not (tmp_path / "out").exists()


def test_a_recording_that_is_not_there_or_cannot_be_written(semcom, service, tmp_path):
    cases = (
        ["rx", "--radio", "file:absent", "--out", tmp_path / "out"],
        ["tx", "--radio", "file:/proc/nowhere/a"],
    )
    for case in cases:
        code, _, err = semcom(*case, "--host", service)
        assert code == 2
        assert err.startswith("semcom: error: radio ")
        assert err.count("\n") == 1


def test_nobody_receives(semcom, service, ports, tmp_path):
    (tmp_path / "run.toml").write_text("[link.arq]\ngive_up_s = 1.0\n")
    code, _, err = semcom("tx", "--config", "run.toml", *ports["tx"], "--host", service)
    assert code == 1
    assert err.startswith("semcom: error: ArqGaveUp: ")


def test_nobody_sends(semcom, service, ports, tmp_path):
    out = tmp_path / "out"
    code, _, err = semcom("rx", *ports["rx"], "--timeout-s", 1, "--out", out, "--host", service)
    assert code == 1
    assert "nothing received within 1 s" in err
    assert not out.exists()
