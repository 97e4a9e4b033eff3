# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job: a photo and its prompt through both processes and back."""

import json

import numpy as np
import pytest
from PIL import Image

from host.images import load_image
from tests.system.conftest import report_of


def test_a_clean_channel_costs_nothing_against_the_ideal_one(semcom, tmp_path):
    """Everything started by the command itself, models included."""
    out = tmp_path / "out"
    code, text, err = semcom("demo", "--snr-db", 20, "--seed", 5, "--out", out)
    assert (code, err) == (0, "")
    assert {p.name for p in out.iterdir()} == {
        "report.json",
        "report.png",
        "received.png",
        "prompt.txt",
    }
    report = report_of(out)
    prompt, link, quality = report["prompt"], report["link"], report["quality"]
    assert prompt["sent"] == prompt["received"] == (out / "prompt.txt").read_text(encoding="utf-8")
    assert prompt["delivered"] is True
    assert link["frames_received"] == link["frames_sent"] - prompt["retransmissions"] > 1
    assert link["snr_db_est"] == pytest.approx(20, abs=1)
    assert abs(link["cfo_hz_est"]) < 50
    assert link["evm_db"] == pytest.approx(-20, abs=1)
    assert 5 < link["papr_db"] < 16
    assert quality["psnr_db"] > 28
    assert quality["psnr_db"] > quality["ideal_psnr_db"] - 0.5
    assert 0.9 < quality["ms_ssim"] <= 1
    assert report["cost"]["symbols_per_pixel"] == pytest.approx(0.5, rel=0.03)
    assert set(report["timing_s"]) >= {"setup", "encode", "air", "decode", "total"}
    assert report["seed"] == 5
    assert report["versions"]["host"]["torch"]
    with Image.open(out / "received.png") as picture:
        received = np.array(picture)
    original = load_image("chelsea").pixels
    assert received.shape == original.shape
    mse = np.mean((received.astype(float) - original) ** 2)
    assert 10 * np.log10(255**2 / mse) == pytest.approx(quality["psnr_db"], abs=1e-3)
    with Image.open(out / "report.png") as page:
        assert page.size[0] > 1000
    assert "exactly as sent" in text


def test_fading_with_frequency_and_clock_offset(semcom, service, tmp_path):
    code, text, err = semcom(
        "demo", "coffee", "--channel", "rayleigh", "--snr-db", 15, "--cfo-hz", 5000,
        "--sro-ppm", 20, "--seed", 3, "--out", tmp_path / "out", "--host", service, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    report = json.loads(text)
    assert report == report_of(tmp_path / "out")
    assert report["prompt"]["received"] == report["prompt"]["sent"]
    assert report["link"]["cfo_hz_est"] == pytest.approx(5000, abs=100)
    assert report["link"]["sro_ppm_est"] == pytest.approx(20, abs=3)
    assert report["link"]["snr_db_est"] == pytest.approx(15, abs=5)
    assert report["quality"]["psnr_db"] > 18


@pytest.mark.parametrize("rate", ["1/12"])
def test_lower_rates_cost_less(semcom, service, tmp_path, rate):
    code, text, _ = semcom(
        "demo",
        "--rate",
        rate,
        "--snr-db",
        10,
        "--out",
        tmp_path / "out",
        "--host",
        service,
        "--json",
    )
    assert code == 0
    report = json.loads(text)
    over = int(rate.split("/")[1])
    assert report["cost"]["symbols_per_pixel"] == pytest.approx(3 / over, rel=0.03)
    assert report["quality"]["psnr_db"] > 20


def test_a_converted_picture_gets_a_word(semcom, service, tmp_path):
    Image.fromarray(load_image("chelsea").pixels).convert("CMYK").save(tmp_path / "print.jpg")
    code, _, err = semcom("demo", "print.jpg", "--out", tmp_path / "out", "--host", service)
    assert code == 0
    assert err.startswith("semcom: print: CMYK")
    assert report_of(tmp_path / "out")["image"]["notes"]


@pytest.mark.parametrize("size", [(1, 1), (65, 33)])
def test_tiny_pictures(semcom, service, tmp_path, size):
    Image.new("RGB", size, (200, 30, 60)).save(tmp_path / "tiny.png")
    code, _, err = semcom("demo", "tiny.png", "--out", tmp_path / "out", "--host", service)
    assert (code, err) == (0, "")
    with Image.open(tmp_path / "out" / "received.png") as picture:
        assert picture.size == size


def test_the_prompt_is_exact_whatever_it_holds(semcom, service, tmp_path):
    prompt = "\x1b[31mred\r\n\u202eevil\u202c 你好 👩‍🚀\t$x$ [bold] \\ " + "long " * 400
    code, text, err = semcom(
        "demo", "--prompt", prompt, "--snr-db", 5, "--out", tmp_path / "out", "--host", service
    )
    assert (code, err) == (0, "")
    assert (tmp_path / "out" / "prompt.txt").read_bytes() == prompt.encode()
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_hopeless_channel_gives_up_in_bounded_time_and_never_lies(semcom, service, tmp_path):
    (tmp_path / "run.toml").write_text("[link.arq]\ngive_up_s = 2.0\n")
    code, _, err = semcom(
        "demo", "--snr-db", -10, "--config", "run.toml", "--out", tmp_path / "out",
        "--host", service,
    )  # fmt: skip
    assert code == 1
    assert err.startswith("semcom: error: ArqGaveUp: ")
    assert err.count("\n") == 1
    report = report_of(tmp_path / "out")
    assert report["prompt"]["delivered"] is False
    assert report["prompt"]["received"] is None
    assert not (tmp_path / "out" / "prompt.txt").exists()


def test_a_large_picture_is_seen_to_its_last_frame(semcom, quick_service, tmp_path):
    code, text, err = semcom(
        "demo", "retina", "--out", tmp_path / "out", "--host", quick_service, "--json"
    )
    assert (code, err) == (0, "")
    report = json.loads(text)
    assert report["link"]["frames_received"] == report["link"]["frames_sent"] > 100
    assert report["link"]["symbols_erased"] == 0
