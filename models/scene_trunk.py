# SPDX-License-Identifier: GPL-3.0-or-later
"""What the readers of scenes have in common: a picture of any size to features of its nine cells.

::

    picture (B,3,64,64) in [0,1]
      | PixelUnshuffle(2)
    1/2  conv                      (B,a,32,32)
      | stride 2
    1/4  conv, blocks              (B,b,16,16)
      | to 12x12: four positions a side of a cell
         block                     (B,b,12,12)
      | conv4x4, stride 4
    cells                          (B,c,3,3)

Each of judge, captioner and contrastive network has a trunk of its own, of its own width, trained
with its own seed; none shares weights. :class:`CellHeads` reads attributes off the cells: it is the
judge's output, and for the captioner a second task that teaches its trunk where to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.pictures import check_picture, picture_tensor
from models.scenes.sample import SceneBatch
from models.scenes.vocabulary import (
    BACKGROUNDS,
    CELLS,
    COLOURS,
    LIGHTS,
    MAX_OBJECTS,
    SHAPES,
    SIZES,
    TEXTURES,
)
from semcom_blocks.errors import ConfigError, require_range

SIDE = 64  # pixels; larger pictures are averaged down to it: their finest detail says nothing new
GRID = 12
SLOPE = 0.1  # of the leaky rectifier
OBJECT_HEADS = {"shape": SHAPES, "colour": COLOURS, "size": SIZES, "texture": TEXTURES}
SCENE_HEADS = {"background": BACKGROUNDS, "light": LIGHTS}


@dataclass(frozen=True)
class TrunkConfig:
    """Channels at 1/2, at 1/4 and of a cell; residual blocks at 1/4."""

    widths: tuple[int, int, int] = (24, 64, 128)
    blocks: int = 2

    def __post_init__(self) -> None:
        widths = tuple(self.widths)
        object.__setattr__(self, "widths", widths)  # a card read from JSON brings a list
        if len(widths) != 3:
            raise ConfigError(f"widths is {widths}, permitted: 3 numbers")
        for width in widths:
            require_range("width", width, 4, 512)
        require_range("blocks", self.blocks, 0, 16)


class Block(nn.Module):
    """x + conv3x3(lrelu(conv3x3(lrelu(x)))), the group normalised in between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.GroupNorm(8 if channels % 8 == 0 else 1, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,h,w) to the same."""
        y = self.norm(self.first(F.leaky_relu(x, SLOPE)))
        return x + self.second(F.leaky_relu(y, SLOPE))


class SceneTrunk(nn.Module):
    """Picture (B,3,64,64) in [0,1] to (B,C,3,3)."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        a, b, c = config.widths
        self.stem = nn.Conv2d(12, a, 3, padding=1)
        self.down = nn.Conv2d(a, b, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*(Block(b) for _ in range(config.blocks)))
        self.local = Block(b)
        self.cells = nn.Conv2d(b, c, GRID // 3, stride=GRID // 3)

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        x = F.leaky_relu(self.stem(F.pixel_unshuffle(2 * picture - 1, 2)), SLOPE)
        x = self.blocks(self.down(x))
        x = F.interpolate(x, size=(GRID, GRID), mode="bilinear")
        return F.leaky_relu(self.cells(F.leaky_relu(self.local(x), SLOPE)), SLOPE)


class CellHeads(nn.Module):
    """Cells (B,C,3,3) to logits: ``present`` (B,9); object attributes (B,9,K); scene's (B,K)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        kinds = {name: len(words) for name, words in OBJECT_HEADS.items()}
        self.objects = nn.ModuleDict({k: nn.Linear(width, n) for k, n in kinds.items()})
        self.present = nn.Linear(width, 1)
        self.scene = nn.ModuleDict(
            {k: nn.Linear(CELLS * width, len(words)) for k, words in SCENE_HEADS.items()}
        )

    def forward(self, cells: Tensor) -> dict[str, Tensor]:
        """See the class."""
        rows = cells.flatten(2).transpose(1, 2)  # (B,9,C), reading order
        found = {"present": self.present(rows)[..., 0]}
        found |= {name: head(rows) for name, head in self.objects.items()}
        return found | {name: head(rows.flatten(1)) for name, head in self.scene.items()}


def cell_targets(batch: SceneBatch) -> dict[str, Tensor]:
    """What :class:`CellHeads` should say: ``present`` bool (B,9), object classes (B,9), scene's."""
    count = len(batch)
    there = torch.arange(MAX_OBJECTS)[None] < batch.count[:, None]
    who, which = there.nonzero(as_tuple=True)
    cell = batch.cell[who, which]
    targets = {"present": torch.zeros(count, CELLS, dtype=torch.bool)}
    targets["present"][who, cell] = True
    for name in OBJECT_HEADS:
        targets[name] = torch.zeros(count, CELLS, dtype=torch.int64)
        targets[name][who, cell] = getattr(batch, name)[who, which]
    return targets | {name: getattr(batch, name) for name in SCENE_HEADS}


def cell_loss(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> Tensor:
    """Mean cross-entropies, summed over the heads; objects' where there is an object."""
    there = wanted["present"]
    loss = F.binary_cross_entropy_with_logits(found["present"].float(), there.float())
    for name in OBJECT_HEADS:
        loss = loss + F.cross_entropy(found[name].float()[there], wanted[name][there])
    for name in SCENE_HEADS:
        loss = loss + F.cross_entropy(found[name].float(), wanted[name])
    return loss


def at_side(pictures: Tensor, side: int = SIDE) -> Tensor:
    """(B,3,H,W) brought to side x side, averaged where that is fewer pixels."""
    if pictures.shape[-2:] == (side, side):
        return pictures
    return F.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True)


def stacked(pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Pictures uint8 (H,W,3) of any sizes to (B,3,64,64) in [0,1]; ConfigError for others."""
    for picture in pictures:
        check_picture(picture)
    if not len(pictures):
        return torch.zeros(0, 3, SIDE, SIDE)
    return torch.cat([at_side(picture_tensor(picture)) for picture in pictures])
