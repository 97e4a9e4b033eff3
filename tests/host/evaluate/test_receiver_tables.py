# SPDX-License-Identifier: GPL-3.0-or-later
"""``eval receivers``, ``refiner`` and ``edges-vs-jpeg`` with tiny random networks."""

import argparse
import json
import random
from dataclasses import asdict

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from PIL import Image  # noqa: E402

from host.evaluate import edges_vs_jpeg, receivers, refiner, texture  # noqa: E402
from models.edges.hed import Hed, HedConfig  # noqa: E402
from models.edges.transform import EdgeCodecNetworks, TransformConfig  # noqa: E402
from models.generation.control import Control, ControlConfig  # noqa: E402
from models.generation.flow import Flow, FlowConfig  # noqa: E402
from models.generation.vae import Vae, VaeConfig  # noqa: E402
from models.jscc import Jscc, JsccConfig  # noqa: E402
from models.receivers.gaussian import GaussianConfig, GaussianReceiver  # noqa: E402
from models.receivers.trunk import TrunkConfig  # noqa: E402
from models.refiner import Refiner, RefinerConfig  # noqa: E402
from models.scene_judge import JudgeConfig, JudgeNetwork  # noqa: E402
from models.scenes.fidelity import compare  # noqa: E402
from models.scenes.grammar import write  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from models.weights_io import save_weights  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402

FLOW = FlowConfig(width=8, heads=1, blocks=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    trunk = TrunkConfig(width=8, blocks=0)
    networks = {
        "vae-v1": Vae(
            VaeConfig(encoder_width=4, encoder_blocks=0, width=4, blocks=0, fine_blocks=0)
        ),
        "flow-v1": Flow(FLOW),
        "control-v1": Control(ControlConfig.of(FLOW, 1)),
        "scene-judge-v1": JudgeNetwork(JudgeConfig()),
        "receiver-vae-v1": GaussianReceiver(GaussianConfig(trunk)),
        "edge-codec-v1": EdgeCodecNetworks(TransformConfig()),
        "hed-v1": Hed(HedConfig(widths=(4, 4, 4, 4), blocks=(1, 1, 1, 1), lateral=4)),
        "jscc-v3": Jscc(JsccConfig(width=8, encoder_blocks=1, decoder_blocks=1)),
        "refiner-v1": Refiner(RefinerConfig(fine=4, fine_blocks=0, width=4, blocks=0)),
    }
    for name, network in networks.items():
        config = getattr(network, "config", None)
        if config is None:
            config = TransformConfig() if name == "edge-codec-v1" else JudgeConfig()
        sha256 = save_weights(folder / f"{name}.safetensors", network.state_dict())
        kind = type(network)
        architecture = f"{kind.__module__}.{kind.__name__}"
        card = {"sha256": sha256, "config": asdict(config), "architecture": architecture}
        (folder / f"{name}.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def run(module, weights, *words):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.run(parser.parse_args(["--weights", str(weights), *map(str, words)]))


def pages(folder):
    return [w for k in ("json", "plot", "pictures") for w in (f"--{k}", folder / k)]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


PNG = b"\x89PNG\r\n"


def test_receivers_side_by_side(weights, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        words = pages(tmp_path / name) if name == "a" else ["--json", tmp_path / name / "json"]
        assert run(receivers, weights, "--scenes", 2, *words) == 0
    first, again = (read(tmp_path / name / "json") for name in ("a", "b"))
    assert [row["receiver"] for row in first.pop("time")] == ["plain", "vae", "diffusion"]
    again.pop("time")
    assert first == again
    assert len(first["loss"]) == 3 * 2 * len(receivers.LOST)
    assert "receiver-gan-v1" not in first["weights"]  # not there, so left out
    told = {row["told"] for row in first["conditioning"]}
    assert told == {"caption", "alone", "one word wrong", "another scene's"}
    for name in ("plot", "pictures"):
        assert (tmp_path / "a" / name).read_bytes().startswith(PNG)


def test_receivers_that_are_asked_for_must_be_there(weights, tmp_path):
    with pytest.raises(ModelError, match="receiver-gan-v1"):
        run(receivers, weights, "--kinds", "vae,gan")
    with pytest.raises(ConfigError, match="receiver is 'gpt'"):
        run(receivers, weights, "--kinds", "gpt")
    with pytest.raises(ConfigError, match="snr-db is 100"):
        run(receivers, weights, "--snr-db", 100)
    with pytest.raises(ConfigError, match="existing folder"):
        run(receivers, weights, "--plot", tmp_path / "no" / "x")


def test_one_wrong_word_is_one_attribute():
    rng = random.Random(3)
    for scene in sample(40, torch.Generator().manual_seed(1)).scenes():
        wrong = receivers.one_word_wrong(scene, rng)
        fidelity = compare(scene, wrong)
        assert fidelity.said.total() - fidelity.right.total() == 1
        assert fidelity.relations in (None, 1.0)


def test_captions_travel_packed_and_whole():
    scenes = sample(60, torch.Generator().manual_seed(2)).scenes()
    sizes = {kind: 0 for kind in edges_vs_jpeg.PROMPTS}
    for text in map(write, scenes):
        for kind in sizes:
            data = edges_vs_jpeg.pack(text, kind)
            sizes[kind] += len(data)
            assert edges_vs_jpeg.unpack(data) == text
            wrong = bytes([data[0] ^ 4]) + data[1:]
            assert edges_vs_jpeg.unpack(wrong) is None
    assert sizes["packed"] < 0.4 * sizes["utf-8"]


def test_edges_against_jpeg(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(edges_vs_jpeg, "SNRS_DB", (0.0, 10.0))
    assert run(edges_vs_jpeg, weights, "--scenes", 2, *pages(tmp_path)) == 0
    table = read(tmp_path / "json")
    by_system = {(r["prompt"], r["system"], r["times"]): r for r in table["bits"]}
    for prompt in edges_vs_jpeg.PROMPTS:
        budget = by_system[prompt, "edges + text", 1]["bits"]
        for kind in ("jpeg", "webp"):
            assert by_system[prompt, kind, 1]["bits"] <= budget
            assert by_system[prompt, kind, 8]["psnr_db"] >= by_system[prompt, kind, 1]["psnr_db"]
        assert by_system[prompt, "edges", 1]["bits"] == 7 * 16
    lost = {(r["prompt"], r["system"], r["snr_db"]): r["lost"] for r in table["noise"]}
    assert lost["utf-8", "edges + text", 0.0] == 1
    assert lost["utf-8", "edges + text", 10.0] == 0
    for name in ("plot", "pictures"):
        assert (tmp_path / name).read_bytes().startswith(PNG)


def test_edges_need_their_branch(weights, tmp_path):
    for path in weights.iterdir():
        if "control" not in path.name:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(ModelError, match="control-v1"):
        run(edges_vs_jpeg, tmp_path, "--scenes", 1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos") / "test"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        soft = rng.integers(0, 256, (40, 42, 3), dtype=np.uint8)
        Image.fromarray(soft).resize((168, 160), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder.parent


def test_the_refiners_table(weights, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(refiner, "SNRS_DB", (1.0, 15.0))
    assert run(refiner, weights, "--data", photos, *pages(tmp_path)) == 0
    table = read(tmp_path / "json")
    assert table["photos"] == 2
    assert len(table["records"]) == 2 * 2 * len(refiner.STRENGTHS)
    for row in table["records"]:  # fresh: strengths make no difference
        twin = next(
            r for r in table["records"]
            if (r["rate"], r["snr_db"], r["strength"]) == (row["rate"], row["snr_db"], 0.0)
        )  # fmt: skip
        assert {k: row[k] for k in refiner.MEASURES} == {k: twin[k] for k in refiner.MEASURES}
    for name in ("plot", "pictures"):
        assert (tmp_path / name).read_bytes().startswith(PNG)


def test_small_photos_are_said_to_be(weights, tmp_path):
    folder = tmp_path / "test"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "a.png")
    with pytest.raises(ConfigError, match="no photo of 160x160"):
        run(refiner, weights, "--data", tmp_path)


def test_frechet_distance_of_gaussians_is_the_closed_form():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((200_000, 3))
    b = rng.standard_normal((200_000, 3)) * [1, 2, 3] + [0, 0, 1]
    assert texture.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    # 1 of the means, (1-2)² + (1-3)² of the deviations
    assert texture.frechet_distance(a, b) == pytest.approx(6, rel=0.02)


def test_gradients_and_their_distance():
    ramp = np.tile(np.arange(0, 200, 4, dtype=np.uint8)[None, :, None], (50, 1, 3))
    found = texture.gradients(ramp)
    assert found == pytest.approx(np.full(49 * 49, 4.0))
    assert texture.wasserstein(found, 2 * found) == pytest.approx(4.0)
    unit = np.random.default_rng(0).standard_normal((10, 4))
    assert texture.feature_distance(unit, 3 * unit) == pytest.approx(0, abs=1e-12)
    assert texture.feature_distance(unit, -unit) == pytest.approx(4)
