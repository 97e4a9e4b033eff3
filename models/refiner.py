# SPDX-License-Identifier: GPL-3.0-or-later
"""The refiner: natural texture for the coarse picture that a JSCC decoder gives of a photo.

::

    coarse (B,3,H,W)
      | PixelUnshuffle(2)
    1/2  conv (12 -> F), K x block ----------------------------+
      | conv stride 2 (F -> D)                                 |
    1/4  N x block                                             |
      | conv1x1 (D -> 4F), PixelShuffle(2)                     |
    1/2  + <---------------------------------------------------+
      | K x block
      | conv (F -> 12), PixelShuffle(2)
      v
    residual r;        picture = coarse + strength·r

    block: x + conv3x3(silu(conv3x3(silu(x))))

At low rates a decoder that was trained for the mean square error answers with the mean of all the
pictures that fit, which is smooth. The residual puts back detail of the kind that photos have;
where it lies exactly is not known, so PSNR falls. ``strength`` says how much of that is wanted. The
network is blind: it is told neither rate nor SNR, so any coarse picture will do, and it is fully
convolutional, so any size.

Papers: Y. Blau, T. Michaeli, "The perception-distortion tradeoff", CVPR 2018, arXiv:1711.06077;
E. Erdemir et al., "Generative joint source-channel coding for semantic image transmission", IEEE
JSAC 2023, arXiv:2211.13772; X. Wang et al., "ESRGAN", ECCVW 2018, arXiv:1809.00219.

Training: :mod:`host.train.refiner`; what it brings and costs: ``./semcom eval refiner``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.generation.loading import load_network
from models.generation.vae import ResidualBlock
from models.pictures import check_picture, padded, picture_tensor, to_bytes
from semcom_blocks.errors import ConfigError, require_range

WEIGHTS = "refiner-v1"
STRIDE = 4  # pixels; the padding multiple
MAX_PIXELS = 16_000_000  # as many as the link takes
TILE = 1024  # pixels a side at once: features of some 400 MB
HALO = 64  # pixels around a tile: more than a change of the input reaches (54)


@dataclass(frozen=True)
class RefinerConfig:
    """Widths F and D, blocks K and N of the diagram."""

    fine: int = 32
    fine_blocks: int = 2
    width: int = 80
    blocks: int = 4

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise ConfigError(f"{name} is {value!r}, permitted: an integer")
            require_range(name, value, 0 if name.endswith("blocks") else 1, 1024)


class Refiner(nn.Module):
    """Coarse picture → residual."""

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or RefinerConfig()
        self.enter = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, c.fine, 3, padding=1),
            *(ResidualBlock(c.fine) for _ in range(c.fine_blocks)),
        )
        self.middle = nn.Sequential(
            nn.Conv2d(c.fine, c.width, 3, stride=2, padding=1),
            *(ResidualBlock(c.width) for _ in range(c.blocks)),
            nn.Conv2d(c.width, 4 * c.fine, 1),
            nn.PixelShuffle(2),
        )
        self.leave = nn.Sequential(
            *(ResidualBlock(c.fine) for _ in range(c.fine_blocks)),
            nn.Conv2d(c.fine, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )
        last = self.leave[-2]
        nn.init.zeros_(last.weight)  # the coarse picture itself at the start
        nn.init.zeros_(last.bias)

    def forward(self, coarse: Tensor) -> Tensor:
        """(B,3,H,W) in [0,1], sides multiples of STRIDE → residual (B,3,H,W)."""
        fine = self.enter(2 * coarse - 1)
        return self.leave(fine + self.middle(fine)).float()


class PhotoRefiner:
    """Pictures uint8 in and out, of any size."""

    def __init__(self, network: Refiner, name: str = WEIGHTS) -> None:
        self.network = network.eval()
        self.name = name

    @classmethod
    def load(cls, name: str = WEIGHTS, directory: Path | None = None) -> PhotoRefiner:
        """With stored weights. Raises :class:`semcom_blocks.errors.ModelError`."""
        return cls(load_network(Refiner, RefinerConfig, name, directory), name)

    @torch.no_grad()
    def refine(self, coarse: NDArray[np.uint8], strength: float = 1.0) -> NDArray[np.uint8]:
        """Coarse picture (H,W,3) → refined one; strength 0 gives it back unchanged, 1 refines all.

        Raises :class:`ConfigError` for anything but a picture, or a strength outside 0…1.
        """
        check_picture(coarse, MAX_PIXELS)
        require_range("strength", strength, 0, 1)
        refined = np.empty_like(coarse)
        height, width = coarse.shape[:2]
        for top, left in product(range(0, height, TILE), range(0, width, TILE)):
            first = (max(0, top - HALO), max(0, left - HALO))  # row, column of what is looked at
            seen = coarse[first[0] : top + TILE + HALO, first[1] : left + TILE + HALO]
            part = self._refine(seen, strength)[top - first[0] :, left - first[1] :]
            refined[top : top + TILE, left : left + TILE] = part[:TILE, :TILE]
        return refined

    def _refine(self, coarse: NDArray[np.uint8], strength: float) -> NDArray[np.uint8]:
        """The same of a picture that is taken whole."""
        height, width = coarse.shape[:2]
        whole = picture_tensor(coarse)
        residual = self.network(padded(whole, STRIDE))[..., :height, :width]
        return to_bytes((whole + strength * residual)[0].permute(1, 2, 0))
