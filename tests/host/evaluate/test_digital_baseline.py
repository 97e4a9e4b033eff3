# SPDX-License-Identifier: GPL-3.0-or-later
"""JSCC against the digital chain: a whole run on two small pictures, its curves, its refusals."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
from host.evaluate import digital_baseline, digital_bler, digital_curves  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402


def options(*words, module=digital_baseline):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(list(words))


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "small" / "test"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for i in range(2):
        coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder.parent


def test_a_run_stores_curves_crossovers_and_a_page(data, tmp_path, capsys):
    file, page = tmp_path / "table.json", tmp_path / "page.png"
    words = ["--dataset", "cifar10", "--data", str(data), "--rate", "1/6", "--fades", "1"]
    words += ["--json", str(file), "--plot", str(page), "--fixed", "64-QAM 3/4"]
    assert digital_baseline.run(options(*words)) == 0
    result = json.loads(file.read_text(encoding="utf-8"))
    assert (result["pictures"], result["source"], result["fades"]) == (2, "small", 1)
    curves = {(c["channel"], c["system"], c.get("choice")): c for c in result["curves"]}
    assert len(curves) == 2 * (1 + 3 * 3) + 3
    for name in ("jpeg", "webp", "avif"):
        best, fixed = (curves["awgn", name, choice] for choice in ("best", "64-QAM 3/4"))
        # What is lost but a tenth is allowed; a fixed rate has its cliff within a few dB.
        sent = [at for at, bler in zip(best["snr_db"], best["bler"], strict=True) if bler <= 0.1]
        assert min(sent) < 0
        assert max(np.diff(fixed["psnr_db"])) > 3
        free = curves["awgn", name, "any BLER"]["psnr_db"]
        assert (np.array(free) >= np.array(best["psnr_db"]) - 1e-6).all()
        fading = curves["rayleigh", name, "best"]["psnr_db"]
        assert np.mean(fading) < np.mean(best["psnr_db"])
        assert np.mean(curves["rayleigh", name, "fade known"]["psnr_db"]) > np.mean(fading)
    jscc = curves["awgn", "jscc", None]["psnr_db"]
    assert jscc == sorted(jscc)
    assert {(r["channel"], r["choice"]) for r in result["crossovers"]} == {
        (channel, choice) for channel in ("awgn", "rayleigh") for choice in ("best", "any BLER")
    }
    said = capsys.readouterr().out
    assert "awgn, 1/6, avif best: JSCC" in said
    with Image.open(page) as drawn:
        assert drawn.width > 400


def test_flat_fades_of_all_pictures_together_fill_the_distribution():
    fades = digital_curves.fades_of("rayleigh", 10, 4, 1)
    assert [f.shape for f in fades] == [(4, 1)] * 10
    together = np.sort(np.concatenate(fades)[:, 0])
    assert together.mean() == pytest.approx(1, abs=0.05)
    edges = -np.log([0.75, 0.5, 0.25])  # of the quarters: each picture meets each of them
    assert all(np.searchsorted(edges, f[:, 0]).tolist() == [0, 1, 2, 3] for f in fades)
    assert len(digital_curves.fades_of("awgn", 3, 4, 1)) == 3


def test_symbols_are_spread_over_all_carriers():
    powers = np.arange(48.0)
    found = digital_curves.spread(powers, 480)
    assert np.bincount(found.astype(int)).tolist() == [10] * 48
    assert len(np.unique(found[:24])) > 20


def test_crossovers_say_who_is_ahead_where():
    at = {"snr_db": [1.0, 22.0], "ms_ssim": None, "channel": "awgn", "rate": "1/6"}
    curves = [
        {"system": "jscc", "psnr_db": [20.0, 30.0], **at},
        {"system": "jpeg", "choice": "best", "psnr_db": [15.0, 35.0], **at},
    ]
    row = digital_curves.crossovers(curves)[0]
    assert row["crossings_db"] == [pytest.approx(11.5, abs=0.01)]
    assert row["jscc_ahead_at_low_end"] == 5.0
    assert row["jscc_ahead_at_high_end"] == -5.0


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (["--dataset", "kodak"], ConfigError, "dataset is 'kodak'"),
        (["--dataset", "cifar10"], ConfigError, "data is not given"),
        (["--rate", "1/7"], ConfigError, "rate is '1/7'"),
        (["--channel", "awgn,uma"], ConfigError, "channel is 'uma'"),
        (["--fixed", "QPSK 9/10"], ConfigError, "fixed is 'QPSK 9/10'"),
        (["--pictures", "0"], ConfigError, "pictures is 0"),
        (["--json", "/nowhere/at/all.json"], ConfigError, "all.json"),
        (["--bler", "/nowhere.json"], ConfigError, "nowhere.json is not a table"),
        (["--name", "nobody"], ModelError, r"nobody\.json"),
    ],
)
def test_refusals(words, error, named):
    with pytest.raises(error, match=named):
        digital_baseline.run(options(*words))


def test_a_table_of_another_measurement_is_not_gone_on_with(tmp_path):
    pytest.importorskip("sionna")
    for name, text in (("a.json", "no"), ("b.json", '{"seed": 2}')):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match="another measurement"):
            digital_bler.run(options("--json", str(tmp_path / name), module=digital_bler))
    with pytest.raises(ConfigError, match="words is 1"):
        digital_bler.run(options("--json", "x.json", "--words", "1", module=digital_bler))


def test_a_waterfall_is_found_from_a_first_guess():
    pytest.importorskip("sionna")
    from host.baseline.bler import BlerTable
    from host.baseline.ldpc import CodeWord
    from host.baseline.mcs import Mcs
    from host.baseline.simulate import measure

    mcs = Mcs.parse("QPSK 1/2")
    row = next(measure([(CodeWord(mcs, 128), 30)], 5))
    expected = BlerTable.load().curve(mcs, 128)
    assert row["threshold_db"] == pytest.approx(expected.threshold_db, abs=0.4)
    assert 0.3 < row["spread_db"] / expected.spread_db < 3
