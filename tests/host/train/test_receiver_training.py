# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers and refiner trained for a few steps: weights that load, runs that resume, refusals."""

import argparse
import json
from dataclasses import asdict

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from PIL import Image  # noqa: E402

from host.train import coarse, receiver, refiner  # noqa: E402
from models.edges.hed import Hed, HedConfig  # noqa: E402
from models.generation.vae import Vae, VaeConfig  # noqa: E402
from models.image_codec import ImageCodec  # noqa: E402
from models.jscc import Jscc, JsccConfig  # noqa: E402
from models.receivers.loading import TRAINED, load_receiver  # noqa: E402
from models.receivers.received import transmit  # noqa: E402
from models.receivers.trunk import TrunkConfig  # noqa: E402
from models.refiner import PhotoRefiner  # noqa: E402
from models.weights_io import save_weights  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402


def stored(folder, name, module, config):
    sha256 = save_weights(folder / f"{name}.safetensors", module.state_dict())
    kind = type(module)
    card = {
        "sha256": sha256,
        "config": asdict(config),
        "architecture": f"{kind.__module__}.{kind.__name__}",
    }
    (folder / f"{name}.json").write_text(json.dumps(card), encoding="utf-8")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    vae = VaeConfig(encoder_width=4, encoder_blocks=0, width=4, blocks=0, fine_blocks=0)
    stored(folder, "vae-v1", Vae(vae), vae)
    hed = HedConfig(widths=(4, 4, 4, 4), blocks=(1, 1, 1, 1), lateral=4)
    stored(folder, "hed-v1", Hed(hed), hed)
    jscc = JsccConfig(width=8, encoder_blocks=1, decoder_blocks=1)
    stored(folder, "jscc-v3", Jscc(jscc), jscc)
    return folder


@pytest.fixture(scope="module", autouse=True)
def few_to_validate():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receiver, "VALIDATION_SCENES", 6)
        patch.setattr(refiner, "HELD_OUT", 2)
        yield


def run(trainer, *words):
    parser = argparse.ArgumentParser()
    trainer.add_arguments(parser)
    shared = ["--steps", "3", "--batch", "4", "--threads", "1", "--seed", "2"]
    return trainer.run(parser.parse_args([*shared, *map(str, words)]))


def card(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", receiver.KINDS)
def test_each_receiver_trains_resumes_and_loads(weights, tmp_path, kind):
    kept = tmp_path / "latents.safetensors"
    words = ("--kind", kind, "--weights", weights, "--scenes", 9, "--width", 8, "--latents", kept)
    assert run(receiver, *words, "--out", tmp_path / "a") == 0
    assert kept.exists()
    name = TRAINED[kind][2]
    first = card(tmp_path / "a", name)
    assert first["training"]["vae_sha256"] == card(weights, "vae-v1")["sha256"]
    assert {"mse_25%_caption", "mse_75%_alone"} <= first["curve"][-1].keys()
    assert run(receiver, *words, "--out", tmp_path / "b") == 0  # with the latents from the file
    assert card(tmp_path / "b", name)["sha256"] == first["sha256"]
    assert run(receiver, *words, "--out", tmp_path / "b", "--resume") == 0  # nothing left to do
    assert card(tmp_path / "b", name)["sha256"] == first["sha256"]
    network = load_receiver(kind, tmp_path / "a")
    latents = torch.randn(1, 4, 16, 16)
    received = transmit(latents, 0.5, 10.0, torch.Generator().manual_seed(0))
    assert torch.isfinite(network.restore(received)).all()


def test_neither_adversary_feels_the_others_loss():
    torch.manual_seed(0)
    _, config_kind, _ = TRAINED["gan"]
    pair = receiver.adversaries(config_kind(TrunkConfig(width=8, blocks=1)))
    latents = torch.randn(2, 4, 16, 16)
    generator = torch.Generator().manual_seed(0)
    received = transmit(latents, 0.5, 10.0, generator)

    def gradients(weight):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(receiver, "ADVERSARIAL_WEIGHT", weight)
            generator.manual_seed(1)
            loss, _ = receiver.adversarial_loss(pair, received, latents, generator)
            pair.zero_grad()
            loss.backward()
        return {k: [p.grad.clone() for p in m.parameters()] for k, m in pair.items()}

    without, with_it = gradients(0.0), gradients(1.0)
    same = [torch.equal(a, b) for a, b in zip(without["critic"], with_it["critic"], strict=True)]
    assert all(same)
    moved = zip(without["receiver"], with_it["receiver"], strict=True)
    assert not all(torch.equal(a, b) for a, b in moved)


def test_latents_of_other_scenes_are_refused(weights, tmp_path):
    kept = tmp_path / "latents.safetensors"
    words = ("--kind", "vae", "--weights", weights, "--width", 8, "--latents", kept)
    assert run(receiver, *words, "--scenes", 9, "--out", tmp_path) == 0
    with pytest.raises(ConfigError, match="permitted: of"):
        run(receiver, *words, "--scenes", 10, "--out", tmp_path)
    kept.write_bytes(b"no tensors")
    with pytest.raises(ConfigError, match="latents is"):
        run(receiver, *words, "--scenes", 9, "--out", tmp_path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split, size in (("train", 100), ("val", 100), ("train", 32), ("train", 32)):
        (folder / split).mkdir(exist_ok=True)
        soft = rng.integers(0, 256, (size // 4, size // 4, 3), dtype=np.uint8)
        name = f"{split}/{size}-{rng.integers(10**6)}.png"
        Image.fromarray(soft).resize((size, size), Image.Resampling.BICUBIC).save(folder / name)
    return folder


def test_the_refiner_trains_on_what_the_codec_gives(weights, photos, tmp_path):
    words = ("--data", photos, "--weights", weights, "--crops", 3, "--small", 2, "--width", 8)
    assert run(refiner, *words, "--out", tmp_path) == 0
    found = card(tmp_path, "refiner-v1")
    assert {"psnr_coarse_db", "hed_refined"} <= found["curve"][-1].keys()
    assert found["training"]["codec_sha256"] == card(weights, "jscc-v3")["sha256"]
    picture = np.zeros((20, 30, 3), np.uint8)
    assert PhotoRefiner.load(directory=tmp_path).refine(picture).shape == picture.shape
    # The adversary stays at home.
    assert found["parameters"] == sum(
        p.numel() for p in PhotoRefiner.load(directory=tmp_path).network.parameters()
    )


def test_coarse_pictures_are_the_same_each_time_and_worse_with_noise(weights):
    codec = ImageCodec.load(directory=weights)
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    first, again = (coarse.drawn(codec, [picture, picture], 5) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(first[0], first[1])  # another noise


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--crops", -1), "crops is -1"),
        (("--small-share", 2), "small-share is 2"),
        (("--crops", 0, "--small", 0), "no picture"),
        (("--width", 0), "width is 0"),
    ],
)
def test_bad_refiner_options_are_refused(weights, photos, tmp_path, words, complaint):
    with pytest.raises(ConfigError, match=complaint):
        run(refiner, "--data", photos, "--weights", weights, "--out", tmp_path, *words)


def test_missing_weights_are_named(photos, tmp_path):
    with pytest.raises(ModelError, match=r"vae-v1\.json"):
        run(receiver, "--kind", "vae", "--weights", tmp_path, "--out", tmp_path)
    with pytest.raises(ModelError, match=r"jscc-v3\.json"):
        run(refiner, "--data", photos, "--weights", tmp_path, "--out", tmp_path)
