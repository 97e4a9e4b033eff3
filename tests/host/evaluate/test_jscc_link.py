# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights side by side over the radio chain: a whole run on tiny networks, its rows, refusals."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
from host.evaluate import jscc_link  # noqa: E402
from host.evaluate.jscc_link_plots import page_of  # noqa: E402
from models.jscc import Jscc, JsccConfig  # noqa: E402
from models.weights_io import save_weights  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402


def options(*words):
    parser = argparse.ArgumentParser()
    jscc_link.add_arguments(parser)
    return parser.parse_args(list(words))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """``fair``: a linear code; ``poor``: the same whose decoder expects other colours."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(2)
    model = Jscc(JsccConfig(32, 8, 0, 0))
    coarse = torch.rand(30, 3, 6, 6)
    smooth = torch.nn.functional.interpolate(coarse, 32, mode="bicubic")
    model.init_code((smooth + 0.03 * torch.randn(30, 3, 32, 32)).clamp(0, 1))
    for name in ("fair", "poor"):
        path = folder / f"{name}.safetensors"
        card = {"sha256": save_weights(path, model.state_dict()), "config": vars(model.config)}
        (folder / f"{name}.json").write_text(json.dumps(card), encoding="utf-8")
        model.decoder.mean.data += 0.3
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures") / "test"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i in range(3):
        coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((70, 60), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder.parent


def test_a_run_stores_means_gains_and_a_page(weights, data, tmp_path, capsys):
    file, page = tmp_path / "table.json", tmp_path / "page.png"
    words = ["--names", "fair", "fair", "poor", "--weights", str(weights), "--data", str(data)]
    words += ["--pictures", "2", "--side", "48", "--case", "awgn", "radio", "--snr-db", "5", "20"]
    words += ["--seeds", "2", "--json", str(file), "--plot", str(page)]
    assert jscc_link.run(options(*words)) == 0
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["weights"] == ["fair", "fair", "poor"]
    assert result["sha256"][0] == result["sha256"][1] != result["sha256"][2]
    assert list(result["photos"].values()) == [[48, 48]] * 2
    rows = {(row["case"], row["snr_db"]): row for row in result["rows"]}
    assert set(rows) == {(case, snr) for case in ("awgn", "radio") for snr in (5, 20, None)}
    for (_, snr_db), row in rows.items():
        assert row["runs"] == (8 if snr_db is None else 4)
        # Equal weights meet equal channels: their gain is nothing, with certainty.
        assert (row["gain_db"][0], row["gain_db_ci"][0]) == (0, [0, 0])
        low, high = row["gain_db_ci"][1]
        assert low < row["gain_db"][1] < high < 0
        assert row["gain_db"][1] == pytest.approx(row["psnr_db"][2] - row["psnr_db"][0], abs=1e-3)
    assert rows["awgn", 20]["psnr_db"][0] > rows["awgn", 5]["psnr_db"][0] + 3
    assert "gain over fair" in capsys.readouterr().out
    with Image.open(page) as drawn:
        assert drawn.width > 2 * drawn.height


def test_one_run_has_no_interval_and_a_page_all_the_same():
    found = [{"case": "awgn", "snr_db": 5.0, "psnr_db": [30.0, 31.0], "lost": [0.0, 0.0]}]
    rows = jscc_link.rows_of(found, 2)
    assert rows[0]["gain_db"] == [1.0] and rows[0]["gain_db_ci"] == [[None, None]]
    json.dumps(rows, allow_nan=False)
    result = {"rows": rows, "weights": ["a", "b"], "cases": {"awgn": "white noise"},
              "rate": "1/6", "photos": {"a": [4, 4]}, "seeds": [1]}  # fmt: skip
    assert page_of(result).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (["--case", "uma"], ConfigError, "case is 'uma'"),
        (["--snr-db", "99"], ConfigError, "snr-db is 99"),
        (["--side", "8"], ConfigError, "side is 8"),
        (["--seeds", "0"], ConfigError, "seeds is 0"),
        (["--rate", "1/5"], ConfigError, "rate is '1/5'"),
        (["--names", "fair", "nobody"], ModelError, "nobody"),
        (["--image", "chelsea"], ConfigError, "image and data"),
        (["--json", "/nowhere/at/all.json"], ConfigError, "all.json"),
    ],
)
def test_refusals(words, error, named, weights, data):
    given = ["--names", "fair", "--weights", str(weights), "--data", str(data), *words]
    with pytest.raises(error, match=named):
        jscc_link.run(options(*given))
