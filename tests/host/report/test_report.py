# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of every outcome are strict JSON, drawable, and whole on disk."""

import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from host.config import load_run
from host.report.document import build, plain, to_json
from host.report.drawing import draw
from host.report.files import output_folder, write_all
from host.report.generation import short_name
from host.report.table import rows
from host.report.write import write_report
from semcom_blocks.errors import ArqGaveUp, ConfigError, LinkError

WANTED = {
    "prompt": ("sent", "received", "delivered", "retransmissions"),
    "link": ("snr_db_set", "snr_db_est", "cfo_hz_est", "sro_ppm_est", "evm_db"),
    "quality": ("psnr_db", "ms_ssim", "ideal_psnr_db"),
    "cost": ("symbols_per_pixel",),
    "timing_s": ("total",),
}


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_every_outcome_has_every_field(outcome):
    report = strict(to_json(build(outcome)))
    assert {"frames_sent", "frames_received", "papr_db"} <= set(report["link"])
    for part, names in WANTED.items():
        for name in names:
            assert name in report[part]
    assert {"seed", "versions", "config", "image", "codec"} <= set(report)


def test_a_whole_outcome_knows_them_all(whole):
    report = build(whole())
    assert report["link"]["frames_received"] == 5
    assert report["link"]["cfo_hz_est"] == 3.0
    assert report["cost"]["symbols_per_pixel"] == 0.5
    assert report["quality"]["psnr_db"] is None  # equal pictures: infinite
    assert report["prompt"]["delivered"] is True
    assert whole().failure() is None


@pytest.mark.parametrize(
    ("given", "channel", "snr_db", "cfo_hz"),
    [
        ({}, "awgn", 20.0, 0.0),
        ({"channel.model": "none"}, None, None, None),
        ({"radio.spec": "pluto"}, "awgn", 20.0, None),  # two crystals instead of an offset
        ({"radio.spec": "pluto:ip:192.168.2.1"}, None, None, None),
    ],
    ids=["simulated", "no channel", "virtual radios", "a device"],
)
def test_only_what_was_set_is_told_as_set(whole, given, channel, snr_db, cfo_hz):
    outcome = dataclasses.replace(whole(), run=load_run(overrides=given))
    report = build(outcome)
    link, told = report["link"], dict(rows(report))
    assert (link["channel"], link["snr_db_set"]) == (channel, snr_db)
    assert (link["cfo_hz_set"], link["sro_ppm_set"]) == (cfo_hz, cfo_hz)
    assert ("set" in told["SNR"]) == (snr_db is not None)
    assert ("set" in told["CFO"]) == ("set" in told["SRO"]) == (cfo_hz is not None)
    assert "3.0 Hz" in told["CFO"]


def test_not_finite_is_null():
    values = {"a": np.float32(np.nan), "b": [np.inf, 1.5], "c": np.int64(3), 4: (True, None)}
    assert plain(values) == {"a": None, "b": [None, 1.5], "c": 3, "4": [True, None]}


def test_every_outcome_can_be_drawn_and_shown(outcome):
    report = build(outcome)
    with Image.open(io.BytesIO(draw(outcome, report))) as page:
        assert page.size[0] > 1000
        page.verify()
    assert all(isinstance(value, str) and value for _, value in rows(report))


@pytest.mark.parametrize(
    "prompt", ["", "$x^$ {[red]} \\", "\u202e\x1b[2J", "你好 👩‍🚀", "word " * 3000, "x" * 9000]
)
def test_any_prompt_can_be_drawn_and_shown(whole, prompt):
    outcome = whole(prompt, prompt)
    report = build(outcome)
    assert draw(outcome, report)
    shown = dict(rows(report))["prompt sent"]
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert len(shown) < 400
    assert strict(to_json(report))["prompt"]["sent"] == prompt
    assert to_json(report).isascii()


def test_failures_are_named(whole, failed):
    with pytest.raises(ArqGaveUp, match=r"ArqGaveUp: .*gave up"):
        raise failed.failure()
    with pytest.raises(LinkError, match="differs"):
        raise whole("a cat", "a dog").failure()
    with pytest.raises(LinkError):
        raise whole("a cat", None).failure()


def test_a_folder_holds_one_whole_job(whole, failed, tmp_path):
    write_report(whole("a\r\n\u202ecat", "a\r\n\u202ecat"), tmp_path)
    names = {"report.json", "report.png", "received.png", "prompt.txt"}
    assert {p.name for p in tmp_path.iterdir()} == names
    assert (tmp_path / "prompt.txt").read_bytes() == "a\r\n\u202ecat".encode()
    with Image.open(tmp_path / "received.png") as picture:
        assert picture.size == (36, 24)
    write_report(failed, tmp_path)  # the earlier job's picture must not stay beside this report
    assert {p.name for p in tmp_path.iterdir()} == {"report.json", "report.png"}


def test_a_failed_write_leaves_what_was_there(tmp_path):
    write_all(tmp_path, {"report.json": b"old"})
    with pytest.raises(TypeError):
        write_all(tmp_path, {"a": b"new", "report.json": None})
    assert (tmp_path / "report.json").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_folder_that_cannot_be_written(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    for path in (file, file / "below"):
        refusal = pytest.raises(ConfigError, match="permitted: a writable folder")
        with refusal, output_folder(path):
            raise AssertionError("not reached")
    assert file.read_text() == "x"


def test_a_failure_leaves_no_folder_behind(tmp_path):
    deep = tmp_path / "a" / "b"
    with pytest.raises(KeyError), output_folder(deep):
        raise KeyError
    assert not list(tmp_path.iterdir())
    deep.parent.mkdir()
    with pytest.raises(KeyError), output_folder(deep):
        raise KeyError
    assert deep.parent.exists()
    assert not deep.exists()
    with pytest.raises(KeyError), output_folder(deep) as out:
        (out / "kept").write_text("x")
        raise KeyError
    assert (deep / "kept").exists()


def test_names_of_judges_are_short_for_the_eye():
    assert short_name("1-LPIPS hf:/srv/models/alexnet/") == "1-LPIPS alexnet"
    assert short_name("hf:openai/clip-vit-base-patch32") == "clip-vit-base-patch32"
    assert short_name("contrastive-v1") == "contrastive-v1"
