# SPDX-License-Identifier: GPL-3.0-or-later
"""Training end to end on a few synthetic pictures: files, resuming after a kill, refusals."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
from host.train import jscc, loop  # noqa: E402
from models.image_codec import ImageCodec  # noqa: E402
from models.weights_io import load_state, read_card  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402

TINY = ["--steps=6", "--batch=4", "--width=8", "--encoder-blocks=1", "--decoder-blocks=1"]
TINY += ["--threads=1", "--photo-share=0.5", "--seed=3"]
NAME = "jscc-v3.safetensors"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Ten small pictures and two photos."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for i in range(12):
        side = 120 if i > 9 else 16
        coarse = rng.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side)).save(folder / f"{i:02}.png")
    return folder


def options(data, out, *more):
    parser = argparse.ArgumentParser()
    jscc.add_arguments(parser)
    return parser.parse_args(["--data", str(data), "--out", str(out), *TINY, *more])


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    assert jscc.run(options(data, out)) == 0
    return out


def test_it_leaves_a_codec_with_its_card(uninterrupted):
    card = json.loads((uninterrupted / "jscc-v3.json").read_text(encoding="utf-8"))
    assert card["training"]["steps_done"] == 6
    assert card["training"]["seed"] == 3
    assert card["curve"][-1]["step"] == 6
    assert {"psnr_1_12_at_7dB", "psnr_1_6_at_7dB"} < card["curve"][-1].keys()
    assert card["data"] == [
        f"`{card['training']['data_names'][0]}`, split `train`: 10 pictures, 0 skipped"
    ]  # 1 val, 1 test
    assert card["sha256"] in (uninterrupted / "jscc-v3.card.md").read_text(encoding="utf-8")
    codec = ImageCodec.load(directory=uninterrupted)
    symbols, descriptor = codec.encode(np.zeros((9, 9, 3), np.uint8), "1/6", 5.0)
    noise_var = np.full(symbols.size, 0.3, np.float32)
    assert codec.decode(symbols, noise_var, descriptor).shape == (9, 9, 3)


def test_stopped_and_resumed_equals_uninterrupted(data, uninterrupted, tmp_path, monkeypatch):
    """The kill itself: tests/host/train/test_processes.py."""
    step = loop.Loop.step

    def stopping(self):
        if self.progress.step == 3:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", -1.0)  # after every step
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop.Loop, "step", stopping)
        jscc.run(options(data, tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert jscc.run(options(data, tmp_path, "--resume")) == 0
    assert (tmp_path / NAME).read_bytes() == (uninterrupted / NAME).read_bytes()


def test_it_goes_on_from_other_weights_through_the_ofdm_link(data, uninterrupted, tmp_path):
    start = ["--start", str(uninterrupted / NAME), "--constellation", "16", "--lr", "1e-7"]
    link = ["--link", "ofdm", "--name", "jscc-ofdm-v1", "--tensorboard", str(tmp_path / "curves")]
    assert jscc.run(options(data, tmp_path, *start, *link, "--steps", "1", "--ema", "0")) == 0
    card, parent = (read_card(*x) for x in (("jscc-ofdm-v1", tmp_path), ("jscc-v3", uninterrupted)))
    assert card["training"]["link"] == "ofdm"
    assert card["training"]["start"] == "jscc-v3"
    assert card["training"]["start_sha256"] == parent["sha256"]
    before, after = (
        load_state(folder / f"{c['name']}.safetensors", c["sha256"])
        for folder, c in ((uninterrupted, parent), (tmp_path, card))
    )
    for key, value in before.items():
        torch.testing.assert_close(after[key], value, atol=1e-3, rtol=1e-3)  # float16
    (events,) = (tmp_path / "curves").iterdir()
    assert b"psnr_1_6_at_7dB" in events.read_bytes()


def test_with_fixed_convolutions_only_the_rest_is_stored(data, uninterrupted, tmp_path):
    more = ["--start", str(uninterrupted / NAME), "--fixed-convolutions", "--constellation", "64"]
    out = tmp_path / "out"
    assert jscc.run(options(data, out, *more, "--name", "fine", "--steps", "2")) == 0
    card = read_card("fine", out)
    stored = load_state(out / "fine.safetensors", card["sha256"])
    whole = load_state(uninterrupted / NAME, card["base"]["sha256"])
    assert whole.keys() - stored.keys() == {key for key in whole if ".wide." in key}
    assert any(not torch.equal(stored[key], whole[key]) for key in stored)
    for suffix in ("json", "safetensors"):
        (out / f"jscc-v3.{suffix}").write_bytes((uninterrupted / f"jscc-v3.{suffix}").read_bytes())
    codec = ImageCodec.load("fine", directory=out, bfloat16=False)
    assert codec.bits_per_symbol == 6
    state = codec.model.state_dict()
    assert all(torch.equal(state[key], (whole | stored)[key]) for key in whole)


def test_fixed_convolutions_need_a_start(data, tmp_path):
    with pytest.raises(ConfigError, match="with a start"):
        jscc.run(options(data, tmp_path, "--fixed-convolutions"))


def test_trunks_of_other_weights_stand_in_a_code_solved_anew(data, uninterrupted, tmp_path):
    words = ["--trunks", str(uninterrupted / NAME), "--lr", "1e-7", "--steps", "1", "--ema", "0"]
    assert jscc.run(options(data, tmp_path, *words, "--seed", "5")) == 0
    card = read_card("jscc-v3", tmp_path)
    assert card["training"]["trunks_name"] == NAME
    given = read_card("jscc-v3", uninterrupted)
    before = load_state(uninterrupted / NAME, given["sha256"])
    after = load_state(tmp_path / NAME, card["sha256"])
    for key, value in after.items():
        if ".trunk." in key:
            torch.testing.assert_close(value, before[key], atol=1e-3, rtol=1e-3)  # float16
    assert not torch.equal(after["decoder.log_spread"], before["decoder.log_spread"])


def test_trunks_are_refused_beside_a_start_and_of_another_size(data, uninterrupted, tmp_path):
    given = str(uninterrupted / NAME)
    with pytest.raises(ConfigError, match="without a start"):
        jscc.run(options(data, tmp_path, "--trunks", given, "--start", given))
    with pytest.raises(ModelError, match=r"tensor '.*' has shape .*permitted"):
        jscc.run(options(data, tmp_path, "--trunks", given, "--width", "10"))


def test_other_weights_of_another_size_are_refused(data, uninterrupted, tmp_path):
    with pytest.raises(ModelError, match="width 8, permitted to start from: width 10"):
        jscc.run(options(data, tmp_path, "--start", str(uninterrupted / NAME), "--width", "10"))


def test_another_seed_gives_other_weights(data, uninterrupted, tmp_path):
    jscc.run(options(data, tmp_path, "--seed", "4"))
    assert (tmp_path / NAME).read_bytes() != (uninterrupted / NAME).read_bytes()


def test_resuming_with_other_settings_is_refused(data, uninterrupted):
    with pytest.raises(ModelError, match="lr"):
        jscc.run(options(data, uninterrupted, "--resume", "--lr", "0.1"))


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"x" * 100])
def test_a_damaged_checkpoint_is_refused(data, tmp_path, content):
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"checkpoint\.safetensors"):
        jscc.run(options(data, tmp_path, "--resume"))
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--steps", "0"], "steps is 0"),
        (["--batch", "0"], "batch is 0"),
        (["--lr", "nan"], "lr is nan"),
        (["--photo-share", "1.5"], "photo-share is 1.5"),
        (["--latents", "5"], "latents"),
        (["--threads", "-1"], "threads is -1"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_options_out_of_range(data, tmp_path, more, named):
    with pytest.raises(ConfigError, match=named):
        jscc.run(options(data, tmp_path, *more))


def test_pictures_that_no_batch_can_hold(tmp_path):
    (tmp_path / "train").mkdir()
    for i, side in enumerate((16, 16, 20, 70)):
        Image.new("RGB", (side, side)).save(tmp_path / "train" / f"{i}.png")
    with pytest.raises(ConfigError, match="small pictures have sizes"):
        jscc.run(options(tmp_path, tmp_path / "out"))


def test_a_constellation_is_trained_in_and_sent(data, tmp_path):
    assert jscc.run(options(data, tmp_path, "--constellation", "64", "--steps", "2")) == 0
    card = json.loads((tmp_path / "jscc-v3.json").read_text(encoding="utf-8"))
    assert card["config"]["bits_per_symbol"] == 6
    codec = ImageCodec.load("jscc-v3", directory=tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    symbols, descriptor = codec.encode(picture, "1/6", 10.0)
    assert len(np.unique(symbols.real.round(4))) <= 8
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1, abs=1e-4)
    shown = codec.decode(symbols, np.full(symbols.size, 0.1, np.float32), descriptor)
    assert shown.shape == picture.shape
    with pytest.raises(ModelError, match="constellation"):  # not as analog symbols
        jscc.run(options(data, tmp_path, "--resume", "--steps", "2"))
