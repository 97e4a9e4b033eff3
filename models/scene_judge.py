# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: what is in a picture of a scene, so that a generated picture's fidelity is counted.

It reads each of the nine cells on its own terms: whether an object is there, and its shape, colour,
size and texture; background and light of the whole. It assumes nothing that makes a bad picture
look right: no grammar, no limit of three objects, no ban on two alike. Trained on scenes that were
blurred, made noisy, compressed and otherwise worn, because it is asked about pictures that a
generator drew; with weights and a seed of its own, and never in any loop that trains a generator.

Training: :mod:`host.train.judge`; what was reached: ``models/weights/scene-judge-v1.card.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.scene_trunk import (
    OBJECT_HEADS,
    SCENE_HEADS,
    CellHeads,
    SceneTrunk,
    TrunkConfig,
    stacked,
)
from models.scenes.scene import Scene, SceneObject, neighbour_relations
from models.scenes.vocabulary import CELLS, COLUMNS, ROWS
from models.weights_io import WEIGHTS_DIR, load_into, read_card
from semcom_blocks.errors import ConfigError, ModelError

WEIGHTS = "scene-judge-v1"
BATCH = 64  # pictures at once


@dataclass(frozen=True)
class JudgeConfig:
    """Sizes of the trunk."""

    trunk: TrunkConfig = field(default_factory=TrunkConfig)

    @classmethod
    def from_dict(cls, values: dict) -> JudgeConfig:
        """As stored in a card."""
        return cls(TrunkConfig(**values["trunk"]))


class JudgeNetwork(nn.Module):
    """Pictures (B,3,64,64) in [0,1] to the logits of :class:`CellHeads`."""

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = SceneTrunk(config.trunk)
        self.heads = CellHeads(config.trunk.widths[2])

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """See the class."""
        return self.heads(self.trunk(pictures))


class SceneJudge:
    """Reads scenes off pictures; fills the role ``SceneReader``."""

    def __init__(self, network: JudgeNetwork, name: str = WEIGHTS) -> None:
        self.network = network.eval()
        self.name = name

    @classmethod
    def load(cls, name: str = WEIGHTS, directory: Path = WEIGHTS_DIR) -> SceneJudge:
        """With stored weights. Raises :class:`ModelError`."""
        card = read_card(name, directory)
        try:
            network = JudgeNetwork(JudgeConfig.from_dict(card["config"]))
        except (TypeError, KeyError, ConfigError) as error:
            raise ModelError(f"{directory / name}.json: not a scene judge ({error})") from None
        load_into(network, directory / f"{name}.safetensors", card["sha256"])
        return cls(network, name)

    def read(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Scene]:
        """One scene, perhaps empty or impossible, for each picture uint8 (H,W,3) of any size."""
        scenes: list[Scene] = []
        for start in range(0, len(pictures), BATCH):
            scenes += self.read_batch(stacked(pictures[start : start + BATCH]))
        return scenes

    @torch.no_grad()
    def read_batch(self, pictures: Tensor) -> list[Scene]:
        """Scenes of pictures (B,3,64,64) in [0,1]."""
        return scenes_of(self.network(pictures))


def scenes_of(logits: dict[str, Tensor]) -> list[Scene]:
    """What the logits of :class:`CellHeads` say, as scenes that nobody checked."""
    present = (logits["present"] > 0).tolist()
    classes = {k: logits[k].argmax(-1).tolist() for k in (*OBJECT_HEADS, *SCENE_HEADS)}
    scenes = []
    for i, cells in enumerate(present):
        objects = tuple(
            SceneObject(
                **{name: words[classes[name][i][cell]] for name, words in OBJECT_HEADS.items()},
                row=ROWS[cell // len(COLUMNS)],
                column=COLUMNS[cell % len(COLUMNS)],
            )
            for cell in range(CELLS)
            if cells[cell]
        )
        whole = {name: words[classes[name][i]] for name, words in SCENE_HEADS.items()}
        relations = neighbour_relations(objects)
        scenes.append(Scene(objects, **whole, relations=relations, checked=False))
    return scenes
