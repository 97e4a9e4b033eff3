# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges from published checkpoints: which one each makes, and LPIPS against its library."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.functional.image import lpips as library

from models.foundation.embeddings import HfClip, HfDino
from models.foundation.judges import load_judge
from models.foundation.lpips import ALEXNET, VGG16, HfLpips, Tower, fitted_weights
from models.roles import EmbeddingJudge, PictureJudge, TextJudge
from models.tiers import Models, TierChoice
from semcom_blocks.errors import ConfigError, ModelError

RNG = np.random.default_rng(4)
PICTURE = np.kron(RNG.integers(0, 256, (8, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def noisy(amount: float) -> np.ndarray:
    noise = np.random.default_rng(5).normal(0, amount, PICTURE.shape)
    return np.clip(PICTURE + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def judge(checkpoints: Path) -> HfLpips:
    found = load_judge(f"hf:{checkpoints / 'alexnet'}")
    assert isinstance(found, HfLpips)
    return found


class Raw(nn.Module):
    """The tower as torchmetrics wants it: pictures scaled already, features of any length."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for number, layer in enumerate(self.tower.features, 1):
            x = layer(x)
            if number in self.tower.ends:
                found.append(x)
        return found


def test_distance_is_the_librarys(judge: HfLpips) -> None:
    """torchmetrics cannot build its network without torchvision; here it gets ours."""
    theirs = object.__new__(library._LPIPS)
    nn.Module.__init__(theirs)
    theirs.scaling_layer, theirs.net = library.ScalingLayer(), Raw(judge._tower)
    theirs.L, theirs.spatial, theirs.resize = 5, False, None
    theirs.lins = nn.ModuleList(library.NetLinLayer(len(w)) for w in judge._weights)
    for lin, weight in zip(theirs.lins, fitted_weights("alex.pth"), strict=True):
        lin.model[0].weight.data = weight
    pictures = [
        torch.from_numpy(p.copy()).permute(2, 0, 1)[None] / 255 for p in (PICTURE, noisy(40))
    ]
    with torch.no_grad():
        expected = float(theirs(*pictures, normalize=True))
    assert judge.distance(PICTURE, noisy(40)) == pytest.approx(expected, rel=1e-4)


def test_lpips_grows_with_the_difference(judge: HfLpips) -> None:
    found = [judge.distance(PICTURE, noisy(amount)) for amount in (0, 5, 20, 80)]
    assert found[0] == 0
    assert found == sorted(found) and found[1] > 0
    (name,) = judge.compare(PICTURE, PICTURE)
    assert name.startswith("1-LPIPS hf:")
    assert judge.compare(PICTURE, PICTURE)[name] == 1
    assert judge.compare(PICTURE, noisy(20))[name] == pytest.approx(1 - found[2])


def test_towers_have_torchvisions_names() -> None:
    last = {"vgg16": (VGG16, "features.28.weight", (512, 512, 3, 3))}
    last["alexnet"] = (ALEXNET, "features.10.weight", (256, 256, 3, 3))
    for layers, name, shape in last.values():
        tower = Tower(layers)
        state = tower.state_dict()
        assert list(state)[-2] == name and tuple(state[name].shape) == shape
        channels = [x.shape[1] for x in tower(torch.zeros(1, 3, 64, 64))]
        file = "vgg.pth" if layers is VGG16 else "alex.pth"
        assert channels == [w.shape[1] for w in fitted_weights(file)]
        assert all(w.min() >= 0 for w in fitted_weights(file))


def test_lpips_wants_pictures_of_one_size(judge: HfLpips) -> None:
    with pytest.raises(ConfigError, match=r"\(64, 48\) and \(63, 48\), permitted: of one size"):
        judge.distance(PICTURE, PICTURE[:63])
    with pytest.raises(ConfigError, match="at least 32x32"):
        judge.distance(PICTURE[:31], PICTURE[:31])
    assert judge.compare(PICTURE[:31], PICTURE[:31]) == {}  # a small picture ends no job


def test_weights_that_lack_a_layer_are_refused(checkpoints: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoints / "alexnet", tmp_path / "copy"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architecture": "vgg16"}))
    with pytest.raises(ModelError, match=r"weights lack 2\d tensors, first 'features"):
        load_judge(f"hf:{folder}")
    (folder / "model.safetensors").write_bytes(b"\0" * 50)
    with pytest.raises(ModelError, match="weights are damaged"):
        load_judge(f"hf:{folder}")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"holds no model\.safetensors"):
        load_judge(f"hf:{folder}")


def test_a_choice_of_judges(checkpoints: Path) -> None:
    specs = ["embedded", *(f"hf:{checkpoints / name}" for name in ("clip", "dino", "alexnet"))]
    judges = Models(TierChoice.from_dict({"judges": specs})).judges()
    assert [type(j).__name__ for j in judges[1:]] == ["HfClip", "HfDino", "HfLpips"]
    assert isinstance(judges[0], TextJudge) and isinstance(judges[1], TextJudge)
    assert isinstance(judges[2], EmbeddingJudge) and not isinstance(judges[2], TextJudge)
    assert isinstance(judges[3], PictureJudge) and not isinstance(judges[3], EmbeddingJudge)
    scores: dict[str, float] = {}
    for one in judges:
        scores |= one.compare(PICTURE, noisy(30))
    assert len(scores) == 4  # each under its own name
    assert all(0 <= value <= 1 for value in scores.values())


def test_what_is_no_judge_is_refused_in_one_line(checkpoints: Path, monkeypatch) -> None:
    with pytest.raises(
        ModelError, match=r"of kind bert, permitted: clip.*dinov2.*alexnet$"
    ) as told:
        load_judge(f"hf:{checkpoints / 'bert'}")
    assert "\n" not in str(told.value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="not in the local cache, and offline mode is on"):
        load_judge("hf:timm/nothing")


def test_kinds_of_embedding_judges(checkpoints: Path) -> None:
    assert isinstance(load_judge(f"hf:{checkpoints / 'clip'}"), HfClip)
    assert isinstance(load_judge(f"hf:{checkpoints / 'dino'}"), HfDino)
