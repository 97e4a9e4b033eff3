# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge network: outlines of scenes, flat pictures, odd sizes, foreign input."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from host.evaluate.edge_scores import near_f  # noqa: E402
from models.edges.hed import CentralDifference, HedExtractor  # noqa: E402
from models.roles import EdgeExtractor  # noqa: E402
from models.scenes.boundaries import boundaries  # noqa: E402
from models.scenes.render import render, to_uint8  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from models.weights_io import WEIGHTS_DIR  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402


@pytest.fixture(scope="module")
def extractor():
    return HedExtractor.load()


def test_fills_the_role(extractor):
    assert isinstance(extractor, EdgeExtractor)


@pytest.mark.parametrize("side", [64, 128])
def test_finds_the_outlines_of_scenes_and_not_their_textures(extractor, side):
    scenes = sample(12, torch.Generator().manual_seed(4711))
    truth = boundaries(scenes, side).numpy().astype(np.uint8) * 255
    found = [extractor.edges(picture) for picture in to_uint8(render(scenes, side)).numpy()]
    scores = [near_f(a, b, 1.0) for a, b in zip(truth, found, strict=True)]
    assert np.mean(scores) > 0.93


def test_a_flat_picture_has_no_edges(extractor):
    assert extractor.edges(np.full((48, 80, 3), 130, np.uint8)).max() < 40


@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (64, 30)])
def test_any_size_gives_a_map_of_that_size(extractor, shape):
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.uint8)
    found = extractor.edges(picture)
    assert found.shape == shape and found.dtype == np.uint8


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((8, 8), np.uint8),
        np.full((8, 8, 3), np.nan),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((3000, 3000, 3), np.uint8),
    ],
    ids=["grey", "floats", "empty", "alpha", "huge"],
)
def test_refuses_what_is_no_picture(extractor, picture):
    with pytest.raises(ConfigError, match="permitted"):
        extractor.edges(picture)


def test_central_differences_see_no_brightness():
    torch.manual_seed(1)
    layer = CentralDifference(2, 3, 3)
    flat = torch.rand(1, 2, 1, 1).expand(1, 2, 6, 6)
    assert torch.allclose(layer(flat), layer.bias.view(1, 3, 1, 1), atol=1e-5)


def test_a_card_of_another_network_is_refused(tmp_path):
    shutil.copy(WEIGHTS_DIR / "hed-v1.safetensors", tmp_path)
    card = json.loads((WEIGHTS_DIR / "hed-v1.json").read_text())
    card["config"] = {"latents": 32}
    (tmp_path / "hed-v1.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="not an edge network"):
        HedExtractor.load(directory=tmp_path)
