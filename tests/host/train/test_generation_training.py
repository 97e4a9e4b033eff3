# SPDX-License-Identifier: GPL-3.0-or-later
"""Autoencoder, flow and edge branch trained for a few steps on each other's weights, end to end."""

import argparse
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from PIL import Image  # noqa: E402

from host.train import control, flow, vae  # noqa: E402
from models.generation.flow import Flow, FlowConfig  # noqa: E402
from models.generation.loading import load_network  # noqa: E402
from models.generation.pipeline import EmbeddedGenerator  # noqa: E402
from models.generation.vae import Vae, VaeConfig  # noqa: E402
from models.roles import Request  # noqa: E402
from models.scenes.boundaries import boundaries  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402


def run(trainer, *words):
    parser = argparse.ArgumentParser()
    trainer.add_arguments(parser)
    shared = ["--steps", "3", "--batch", "4", "--threads", "1", "--seed", "2"]
    return trainer.run(parser.parse_args([*shared, *map(str, words)]))


@pytest.fixture(scope="module", autouse=True)
def few_to_validate():
    with pytest.MonkeyPatch.context() as patch:
        for trainer in (vae, flow, control):
            patch.setattr(trainer, "VALIDATION_SCENES", 8)
        yield


TINY_FLOW = ("--scenes", 12, "--width", 16, "--heads", 2, "--blocks", 2)


@pytest.fixture(scope="module")
def weights(few_to_validate, tmp_path_factory):
    """All three networks, trained for three steps each."""
    folder = tmp_path_factory.mktemp("weights")
    pictures = folder / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for i in range(25):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(pictures / f"{i:02}.png")
    out = ("--out", folder)
    assert run(vae, *out, "--data", pictures, "--natural-share", 0.5) == 0
    large = ("--large-scenes", 4, "--large-share", 0.5)
    assert run(flow, *out, "--weights", folder, *TINY_FLOW, *large) == 0
    assert run(control, *out, "--weights", folder, "--scenes", 12, "--blocks", 1) == 0
    return folder


def card(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def test_the_three_fit_together(weights):
    generator = EmbeddedGenerator.load(weights)
    edges = np.zeros((64, 64), np.uint8)
    made = generator.generate(Request("a red circle", edges=edges, steps=1))
    assert made.picture.shape == (64, 64, 3)


def test_cards_say_what_the_weights_were_trained_on(weights):
    assert card(weights, "flow-v1")["training"]["vae_sha256"] == card(weights, "vae-v1")["sha256"]
    assert (
        card(weights, "control-v1")["training"]["flow_sha256"] == card(weights, "flow-v1")["sha256"]
    )
    assert "`pictures`, split `train`: 22 pictures" in card(weights, "vae-v1")["data"][1]
    assert card(weights, "vae-v1")["curve"][-1]["psnr_pictures_db"] > 0


def test_a_flow_that_goes_on_is_the_flow_that_never_stopped(weights, tmp_path):
    """The pools are drawn again from the seed, the batches from the checkpoint's generator."""
    words = ("--weights", weights, *TINY_FLOW)
    assert run(flow, *words, "--out", tmp_path / "a") == 0
    whole = card(tmp_path / "a", "flow-v1")
    assert run(flow, *words, "--out", tmp_path / "b") == 0
    assert card(tmp_path / "b", "flow-v1")["sha256"] == whole["sha256"]
    assert run(flow, *words, "--out", tmp_path / "b", "--resume") == 0  # nothing left to do
    assert card(tmp_path / "b", "flow-v1")["sha256"] == whole["sha256"]


def test_a_flow_may_start_from_another(weights, tmp_path):
    words = ("--weights", weights, "--out", tmp_path, *TINY_FLOW)
    assert run(flow, *words, "--start", "flow-v1", "--lr", 1e-7) == 0
    a, b = (load_network(Flow, FlowConfig, "flow-v1", folder) for folder in (weights, tmp_path))
    for own, other in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(own, other, atol=1e-3, rtol=0)
    with pytest.raises(ModelError, match="blocks 2, permitted to start from: blocks 3"):
        run(flow, *words, "--start", "flow-v1", "--blocks", 3)


def test_a_decoder_alone_is_trained_for_the_same_latents(weights, tmp_path):
    start = ("--weights", weights, "--start", "vae-v1", "--decoder-only")
    assert run(vae, "--out", tmp_path, *start) == 0
    a, b = (load_network(Vae, VaeConfig, "vae-v1", folder) for folder in (weights, tmp_path))
    picture = torch.rand(1, 3, 16, 16)
    latents = a.encode(picture)
    assert torch.equal(b.encode(picture), latents)
    assert not torch.equal(b.decode(latents), a.decode(latents))


def test_spoilt_edges_are_edges_and_some_stay_clean():
    batch = sample(200, torch.Generator().manual_seed(1))
    edges = boundaries(batch)[:, None].float()
    spoilt = control.spoil(edges, torch.Generator().manual_seed(2))
    assert spoilt.shape == edges.shape
    assert spoilt.min() >= 0 and spoilt.max() <= 1
    clean = (spoilt == edges).flatten(1).all(1).float().mean()
    assert clean == pytest.approx(control.CLEAN_SHARE, abs=0.1)
    assert torch.equal(spoilt, control.spoil(edges, torch.Generator().manual_seed(2)))


def test_the_outline_weighs_in_the_autoencoders_loss():
    flat = torch.full((1, 3, 8, 8), 0.5)
    step = flat.clone()
    step[..., 4:] = -0.5  # the same mean square
    assert float(vae.edge_error(flat)) == 0
    assert float(vae.edge_error(step)) > 0.1


@pytest.mark.parametrize(
    ("trainer", "words", "complaint"),
    [
        (vae, ("--natural-share", 2), "natural-share is 2"),
        (vae, ("--decoder-only",), "permitted with a start only"),
        (flow, ("--scenes", 0), "scenes is 0"),
        (flow, ("--large-share", 0.5), "large-scenes"),
        (flow, ("--width", 30, "--heads", 4), "width is 30"),
        (control, ("--blocks", 9), "blocks is 9"),
    ],
)
def test_bad_options_are_refused(weights, tmp_path, trainer, words, complaint):
    source = () if trainer is vae else ("--weights", weights)
    with pytest.raises(ConfigError, match=complaint):
        run(trainer, "--out", tmp_path, *source, *words)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"vae-v1\.json: cannot be read"):
        run(flow, "--out", tmp_path, "--weights", tmp_path)
