# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges as people draw them: a small network in the manner of HED, and the edge extractor on it.

::

    picture (B,3,H,W) in [0,1]
      | PixelUnshuffle(2)
      v
    1/2  stem, blocks ---------> lateral -> + -> refine -> side 1 (shuffled to 1/1) --+
      | stride 2                            ^ up                                      |
    1/4  blocks ---------------> lateral -> + -----------> side 2 -----> upsample ----+-> fuse
      | stride 2                            ^ up                                      |   (1x1)
    1/8  blocks ---------------> lateral -> + -----------> side 3 -----> upsample ----+
      | stride 2                            ^ up                                      |
    1/16 blocks ---------------> lateral ---+------------> side 4 -----> upsample ----+

The first convolution of every block is a *central difference*: ``y = Σ w_i (x_i − x_0)``, i.e. an
ordinary convolution whose weights have the sum Σw taken off the centre. It sees gradients only,
which is what lets so small a network learn edges without pre-training on a million
photos (PiDiNet).
Side outputs carry a loss of their own each (deep supervision, HED); deeper ones see more and
localise less, hence the way down again.

Papers
* S. Xie, Z. Tu, "Holistically-nested edge detection", ICCV 2015, arXiv:1504.06375.
* Z. Su et al., "Pixel difference networks for efficient edge detection", ICCV 2021,
  arXiv:2108.07009.

Training: :mod:`host.train.hed`; sizes and what was reached: ``models/weights/hed-v1.card.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.pictures import check_picture, padded, picture_tensor, to_bytes
from models.weights_io import WEIGHTS_DIR, load_into, read_card
from semcom_blocks.errors import ConfigError, ModelError, require_range

STRIDE = 16  # pixels per position of the coarsest stage; the padding multiple
SLOPE = 0.1  # of the leaky rectifier
WEIGHTS = "hed-v1"


@dataclass(frozen=True)
class HedConfig:
    """Channels of the four stages, residual blocks of each, channels of the way down."""

    widths: tuple[int, int, int, int] = (32, 48, 64, 64)
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    lateral: int = 24

    def __post_init__(self) -> None:
        for name in ("widths", "blocks"):
            values = tuple(getattr(self, name))
            if len(values) != 4:
                raise ConfigError(f"{name} is {values}, permitted: 4 numbers")
            object.__setattr__(self, name, values)  # a card read from JSON brings lists
        for width in (*self.widths, self.lateral):
            require_range("width", width, 4, 512)
        for count in self.blocks:
            require_range("blocks", count, 0, 16)


class CentralDifference(nn.Conv2d):
    """3x3 convolution of the differences to the centre pixel; zero for a flat picture."""

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,C',H,W)."""
        weight = self.weight.clone()
        weight[:, :, 1, 1] = self.weight[:, :, 1, 1] - self.weight.sum((2, 3))
        # Reflected borders: zeros outside would be an edge around every picture.
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), weight, self.bias)


class Block(nn.Module):
    """x + conv3x3(lrelu(difference3x3(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = CentralDifference(channels, channels, 3)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to the same."""
        return F.leaky_relu(x + self.second(F.leaky_relu(self.first(x), SLOPE)), SLOPE)


class Hed(nn.Module):
    """Picture to five maps of edge logits: four side outputs, finest first, then the fused one."""

    def __init__(self, config: HedConfig) -> None:
        super().__init__()
        self.config = config
        sources = (12, *config.widths[:-1])
        self.down = nn.ModuleList(
            nn.Conv2d(source, width, 3, stride=1 if i == 0 else 2, padding=1)
            for i, (source, width) in enumerate(zip(sources, config.widths, strict=True))
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(count)))
            for width, count in zip(config.widths, config.blocks, strict=True)
        )
        self.laterals = nn.ModuleList(
            nn.Conv2d(width, config.lateral, 1) for width in config.widths
        )
        self.refine = Block(config.lateral)
        # The finest side output has a value for each of the four pixels under a position.
        self.sides = nn.ModuleList(nn.Conv2d(config.lateral, n, 3, padding=1) for n in (4, 1, 1, 1))
        self.fuse = nn.Conv2d(4, 1, 1)
        nn.init.constant_(self.fuse.weight, 0.25)
        nn.init.zeros_(self.fuse.bias)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(B,3,H,W) in [0,1], sides multiples of STRIDE, to five maps (B,1,H,W) of logits."""
        size = picture.shape[-2:]
        x = F.pixel_unshuffle(picture * 2 - 1, 2)  # (B,12,H/2,W/2)
        found = []
        for down, stage in zip(self.down, self.stages, strict=True):
            x = stage(F.leaky_relu(down(x), SLOPE))
            found.append(x)
        merged = None
        maps: list[Tensor] = []
        for level in (3, 2, 1, 0):
            own = self.laterals[level](found[level])
            if merged is not None:
                merged = own + F.interpolate(merged, scale_factor=2.0, mode="bilinear")
            else:
                merged = own
            if level == 0:
                merged = self.refine(merged)
            logits = self.sides[level](merged)
            if level == 0:
                logits = F.pixel_shuffle(logits, 2)
            else:
                logits = F.interpolate(logits, size=size, mode="bilinear")
            maps.insert(0, logits)
        return [*maps, self.fuse(torch.cat(maps, 1))]


class HedExtractor:
    """The edge extractor: picture uint8 (H,W,3) to the chance of an edge, uint8 (H,W)."""

    def __init__(self, network: Hed, name: str) -> None:
        self.network = network.eval()
        self.name = name

    @classmethod
    def load(cls, name: str = WEIGHTS, directory: Path = WEIGHTS_DIR) -> HedExtractor:
        """With stored weights. Raises :class:`ModelError`."""
        card = read_card(name, directory)
        try:
            network = Hed(HedConfig(**card["config"]))
        except (TypeError, ConfigError) as error:
            raise ModelError(f"{directory / name}.json: not an edge network ({error})") from None
        load_into(network, directory / f"{name}.safetensors", card["sha256"])
        return cls(network, name)

    @torch.no_grad()
    def edges(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Edge map (H,W) of a picture of any size; :class:`ConfigError` for anything else."""
        check_picture(picture)
        height, width = picture.shape[:2]
        logits = self.network(padded(picture_tensor(picture), STRIDE))[-1]
        return to_bytes(logits.sigmoid()[0, 0, :height, :width])
