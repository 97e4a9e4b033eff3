# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation table: its measures, its channel, and a run on two synthetic pictures."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
from host.evaluate import jscc  # noqa: E402
from models.weights_io import WEIGHTS_DIR  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402


def options(*words):
    parser = argparse.ArgumentParser()
    jscc.add_arguments(parser)
    return parser.parse_args(list(words))


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data" / "test"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for i in range(3):
        coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((24, 24)).save(folder / f"{i}.png")
    return folder.parent


def test_psnr_of_known_errors():
    grey = np.full((4, 4, 3), 100, np.uint8)
    assert jscc.psnr_db(grey, grey) == pytest.approx(100)
    assert jscc.psnr_db(grey, grey + 1) == pytest.approx(20 * np.log10(255))
    assert jscc.psnr_db(grey * 0, grey * 0 + 255) == pytest.approx(0)


def test_ms_ssim_needs_a_large_picture():
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (176, 180, 3), dtype=np.uint8)
    assert jscc.ms_ssim(photo[:175], photo[:175]) is None
    assert jscc.ms_ssim(photo, photo) == pytest.approx(1, abs=1e-5)
    assert jscc.ms_ssim(photo, 255 - photo) < 0.5


def test_without_data_bundled_photos_are_taken():
    pytest.importorskip("skimage")
    args = options("--photos", "3")
    found = jscc._limit(args, jscc.BUNDLED)
    assert args.data is None
    assert len(found.pictures) == 3
    assert all(min(p.shape[:2]) >= jscc.MS_SSIM_SIDE for p in found.pictures)


def test_noise_has_the_variance_it_reports():
    symbols = np.ones(200_000, np.complex64)
    received, variance = jscc.awgn(symbols, 7.0, np.random.default_rng(2))
    noise = received - symbols
    assert variance[0] == pytest.approx(10**-0.7)
    assert np.mean(np.abs(noise) ** 2) == pytest.approx(variance[0], rel=0.02)
    assert np.var(noise.real) == pytest.approx(variance[0] / 2, rel=0.02)
    assert abs(np.mean(noise.real * noise.imag)) < 0.01 * variance[0]


def test_a_run_prints_and_stores_a_repeatable_table(data, tmp_path, capsys):
    file = tmp_path / "table.json"
    words = ["--data", str(data), "--json", str(file), "--rates", "1/6", "1/24", "--pictures", "2"]
    assert jscc.run(options(*words)) == 0
    first = file.read_text(encoding="utf-8")
    table = json.loads(first)["sources"][0]
    assert (table["pictures"], table["split"], table["skipped"]) == (2, "test", 0)
    rows = {(r["rate"], r["snr_db"]): r["psnr_db"] for r in table["rows"]}
    assert len(rows) == 2 * len(jscc.SNRS_DB)
    assert rows["1/6", 19.0] > rows["1/6", 1.0]
    assert rows["1/6", 19.0] > rows["1/24", 19.0]
    assert f"{rows['1/6', 13.0]:.2f}" in capsys.readouterr().out
    assert jscc.run(options(*words)) == 0
    assert file.read_text(encoding="utf-8") == first


def test_several_models_are_compared_and_drawn(data, tmp_path, capsys):
    file, plot = tmp_path / "table.json", tmp_path / "curves.png"
    renamed = data.rename(data.parent / "cifar10")
    for suffix in ("json", "safetensors"):
        content = (WEIGHTS_DIR / f"jscc-v3.{suffix}").read_bytes()
        for name in "ab":
            (tmp_path / f"{name}.{suffix}").write_bytes(content)
    words = ["--data", str(renamed), "--name", "a", "b", "--weights", str(tmp_path)]
    words += ["--rates", "1/6", "--json", str(file), "--plot", str(plot)]
    assert jscc.run(options(*words)) == 0
    result = json.loads(file.read_text(encoding="utf-8"))
    assert [model["model"] for model in result["models"]] == ["a", "b"]
    rows = result["sources"][0]["rows"]
    half = len(jscc.SNRS_DB)
    assert [r["psnr_db"] for r in rows[:half]] == [r["psnr_db"] for r in rows[half:]]
    printed = capsys.readouterr().out
    assert "0.00" in printed  # the second over the first
    margin = rows[0]["psnr_db"] - jscc.PEERS["1/6"][0]
    assert f"{margin:.2f}" in printed
    with Image.open(plot) as page:
        assert page.width > 400


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (["--rates", "1/7"], ConfigError, "'1/7'"),
        (["--pictures", "0"], ConfigError, "pictures is 0"),
        (["--json", "/nowhere/at/all.json"], ConfigError, "all.json"),
        (["--plot", "/nowhere/at/all.png"], ConfigError, "all.png"),
        (["--name", "nobody"], ModelError, r"nobody\.json"),
        (["--name", "jscc-v3", "jscc-v3"], ConfigError, "each once"),
    ],
)
def test_refusals(data, words, error, named):
    with pytest.raises(error, match=named):
        jscc.run(options("--data", str(data), *words))
