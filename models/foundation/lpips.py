# SPDX-License-Identifier: GPL-3.0-or-later
"""The LPIPS distance of two pictures on a published classification network.

    LPIPS(x, y) = Σ_l mean over places of Σ_c w_lc (x̂_lc - ŷ_lc)²

x̂_l: what layer l of the network makes of the picture, of unit length over its channels c at each
place; w_l ≥ 0: weights fitted to people's judgements, as torchmetrics carries them (version 0.1).
R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR
2018, arXiv:1801.03924.

The network is a folder or repository with ``config.json``, whose ``architecture`` is ``vgg16`` or
``alexnet``, and ``model.safetensors`` with torchvision's names and values (``features.0.weight``,
…), as in timm/vgg16.tv_in1k. Values are LPIPS's own only with those weights.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.foundation.checkpoint import Checkpoint
from models.foundation.placement import Placement
from models.roles import Picture
from semcom_blocks.errors import ConfigError

# Of torchvision's networks: (channels in, out, kernel, stride, padding) of a convolution with its
# ReLU, or (kernel, stride) of a maximum; a list for each layer that is compared.
Layers = list[list[tuple[int, ...]]]
VGG16: Layers = [
    [(3, 64, 3, 1, 1), (64, 64, 3, 1, 1)],
    [(2, 2), (64, 128, 3, 1, 1), (128, 128, 3, 1, 1)],
    [(2, 2), (128, 256, 3, 1, 1), (256, 256, 3, 1, 1), (256, 256, 3, 1, 1)],
    [(2, 2), (256, 512, 3, 1, 1), (512, 512, 3, 1, 1), (512, 512, 3, 1, 1)],
    [(2, 2), (512, 512, 3, 1, 1), (512, 512, 3, 1, 1), (512, 512, 3, 1, 1)],
]
ALEXNET: Layers = [
    [(3, 64, 11, 4, 2)],
    [(3, 2), (64, 192, 5, 1, 2)],
    [(3, 2), (192, 384, 3, 1, 1)],
    [(384, 256, 3, 1, 1)],
    [(256, 256, 3, 1, 1)],
]
KINDS = {"vgg16": (VGG16, "vgg.pth"), "alexnet": (ALEXNET, "alex.pth")}
MIN_SIDE = 32  # pixels; of less AlexNet's last layers have nothing left
# Of a picture in -1…1, as the weights were fitted: torchvision's mean and deviation, rescaled.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Tower(nn.Module):
    """A picture (B,3,H,W) in -1…1 → what each compared layer makes of it, of unit length."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.features = nn.ModuleList()  # numbered as torchvision's, so that its names fit
        self.ends: list[int] = []
        for stage in layers:
            for numbers in stage:
                if len(numbers) == 2:
                    self.features.append(nn.MaxPool2d(*numbers))
                else:
                    self.features += [nn.Conv2d(*numbers), nn.ReLU()]
            self.ends.append(len(self.features))
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = (x - self.shift) / self.scale
        found = []
        for number, layer in enumerate(self.features, 1):
            x = layer(x)
            if number in self.ends:
                found.append(F.normalize(x, dim=1, eps=1e-8))
        return found


def fitted_weights(file: str) -> list[Tensor]:
    """w_l (1,C,1,1), layer by layer, out of the installed torchmetrics."""
    import torchmetrics.functional.image

    folder = Path(torchmetrics.functional.image.__file__).parent / "lpips_models"
    # A part of an installed package, as its code is; only tensors are read.
    state = torch.load(folder / file, map_location="cpu", weights_only=True)
    return [state[name] for name in sorted(state, key=lambda n: int(re.findall(r"\d+", n)[0]))]


class HfLpips:
    """1 - LPIPS of two pictures: 1 for equal ones, as a judge's scores are; 0 from LPIPS 1 on."""

    def __init__(self, spec: str, placement: Placement | None = None) -> None:
        self._checkpoint = Checkpoint.parse(spec, "picture judge")
        self._placement = placement or Placement()
        kind = self._checkpoint.require("architecture", tuple(KINDS))
        layers, file = KINDS[kind]
        self._tower = Tower(layers)
        self._checkpoint.fill(self._tower, "features.")
        self._tower = self._tower.to(self._placement.target).eval()
        self._weights = [w[0].to(self._placement.target) for w in fitted_weights(file)]
        self.name = spec

    @torch.inference_mode()
    def distance(self, reference: Picture, picture: Picture) -> float:
        """LPIPS of two pictures uint8 (H,W,3) of one size, both sides at least MIN_SIDE."""
        if reference.shape != picture.shape or min(picture.shape[:2]) < MIN_SIDE:
            raise ConfigError(
                f"pictures are {reference.shape[:2]} and {picture.shape[:2]}, permitted: of one "
                f"size, at least {MIN_SIDE}x{MIN_SIDE}"
            )
        both = torch.stack([torch.from_numpy(p.copy()) for p in (reference, picture)])
        with self._checkpoint.named_errors():
            x = both.permute(0, 3, 1, 2).to(self._placement.target) / 127.5 - 1
            parts = [
                (weight * (one - other).square()).sum(0).mean()
                for weight, (one, other) in zip(self._weights, self._tower(x), strict=True)
            ]
        return float(torch.stack(parts).sum())

    def compare(self, reference: Picture, picture: Picture) -> dict[str, float]:
        """See :class:`models.roles.PictureJudge`; no score for pictures below MIN_SIDE."""
        if min(picture.shape[:2]) < MIN_SIDE:
            return {}
        distance = self.distance(reference, picture)
        return {f"1-LPIPS {self.name}": max(0.0, 1.0 - distance)}
