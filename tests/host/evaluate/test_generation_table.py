# SPDX-License-Identifier: GPL-3.0-or-later
"""``eval generation`` with tiny random networks: the rows are there, repeatable, and counted."""

import argparse
import json
from dataclasses import asdict

import pytest

torch = pytest.importorskip("torch")
from PIL import Image  # noqa: E402

from host.evaluate import generation, generation_bench  # noqa: E402
from models.generation.control import Control, ControlConfig  # noqa: E402
from models.generation.flow import Flow, FlowConfig  # noqa: E402
from models.generation.vae import Vae, VaeConfig  # noqa: E402
from models.scene_judge import JudgeConfig, JudgeNetwork  # noqa: E402
from models.weights_io import save_weights  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402

FLOW = FlowConfig(width=8, heads=1, blocks=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    vae = Vae(VaeConfig(encoder_width=4, encoder_blocks=0, width=4, blocks=0, fine_blocks=0))
    networks = {
        "vae-v1": vae,
        "flow-v1": Flow(FLOW),
        "control-v1": Control(ControlConfig.of(FLOW, 1)),
        "scene-judge-v1": JudgeNetwork(JudgeConfig()),
    }
    for name, network in networks.items():
        config = getattr(network, "config", None) or JudgeConfig()
        sha256 = save_weights(folder / f"{name}.safetensors", network.state_dict())
        kind = type(network)
        architecture = f"{kind.__module__}.{kind.__name__}"
        card = {"sha256": sha256, "config": asdict(config), "architecture": architecture}
        (folder / f"{name}.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def run(weights, out, *words):
    parser = argparse.ArgumentParser()
    generation.add_arguments(parser)
    shared = ["--weights", str(weights), "--scenes", "3", "--json", str(out)]
    return generation.run(parser.parse_args([*shared, *words]))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    pytest.importorskip("diffusers")
    from tests.models.foundation.tiny import save_clip

    folder = tmp_path_factory.mktemp("hub") / "c"
    folder.mkdir()
    save_clip(folder)
    return f"hf:{folder / 'clip'}"


def test_the_table_can_be_repeated_but_for_the_time(weights, clip, tmp_path):
    tables = []
    for name in ("a", "b"):
        words = ["--sheet", str(tmp_path / f"{name}.png"), "--judges", clip]
        assert run(weights, tmp_path / name, *words) == 0
        tables.append(json.loads((tmp_path / name).read_text(encoding="utf-8")))
        assert {row["steps"] for row in tables[-1].pop("time")} == {1, 2, 4, 8}
    assert tables[0] == tables[1]
    table = tables[0]
    with Image.open(tmp_path / "a.png") as sheet:
        # the scenes and 14 conditions, at twice the size
        assert sheet.size == (3 * 128, 15 * 128)
    assert [row["pictures"] for row in table["bounds"]] == ["of the scenes", "autoencoder's copies"]
    assert table["bounds"][0]["ms_ssim"] == 1.0
    assert table["bounds"][0][clip] == 1.0
    for row in table["conditions"]:
        assert 0 <= row[clip] <= 1 and 0 <= row[f"{clip}, text"] <= 1
        assert row[f"Frechet {clip}"] >= 0
    assert len(table["steps"]) == 3 * len(generation_bench.STEPS)
    assert len(table["guidance"]) == 3 * len(generation.GUIDANCES)
    assert {"text", "text + edges", "edges", "text + wrong edges"} <= {
        row["condition"] for row in table["conditions"]
    }
    assert table["weights"]["flow-v1"]


def test_bad_input_is_refused(weights, tmp_path):
    with pytest.raises(ConfigError, match="scenes is 1"):
        run(weights, tmp_path / "x", "--scenes", "1")
    with pytest.raises(ConfigError, match="existing folder"):
        run(weights, tmp_path / "no" / "x")
    with pytest.raises(ModelError, match="cannot be read"):
        run(tmp_path, tmp_path / "x")
