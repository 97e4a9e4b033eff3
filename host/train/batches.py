# SPDX-License-Identifier: GPL-3.0-or-later
"""Training batches drawn from small pictures (whole) and photos (random crops)."""

from __future__ import annotations

import logging

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from host.datasets import CROP, SMALL_SIDE
from models.transform import STRIDE
from semcom_blocks.errors import ConfigError

log = logging.getLogger(__name__)

HALF_SIZE_SHARE = 0.3  # of photo crops, taken from the photo at half size: more scales per photo


class Batches:
    """Draws (B,3,H,W) float32 batches in [0,1], channels last, from uint8 (H,W,3) pictures.

    Small pictures must share one size that is a multiple of 4; a photo batch holds as many crops as
    have about the pixels of a batch of small pictures.
    """

    def __init__(self, pictures: list[np.ndarray], batch: int, photo_share: float) -> None:
        small = [p for p in pictures if max(p.shape[:2]) <= SMALL_SIDE]
        photos = [p for p in pictures if min(p.shape[:2]) >= CROP]
        if unused := len(pictures) - len(small) - len(photos):
            log.warning("%d of %d pictures unused: neither small nor photos", unused, len(pictures))
        sizes = {p.shape for p in small}
        if len(sizes) > 1 or any(side % STRIDE for size in sizes for side in size[:2]):
            raise ConfigError(
                f"small pictures have sizes {sorted(sizes)[:3]}, permitted: one, in multiples of 4"
            )
        if not small and not photos:
            raise ConfigError(
                f"none of {len(pictures)} pictures is usable, permitted: up to {SMALL_SIDE} pixels "
                f"a side, or from {CROP}"
            )
        self.small = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2) if small else None
        self.photos = [torch.from_numpy(p).permute(2, 0, 1) for p in photos]
        self.halves = [
            F.interpolate(p[None].float(), scale_factor=0.5, mode="area")[0].round().byte()
            for p in self.photos
            if min(p.shape[1:]) >= 2 * CROP
        ]
        self.batch = batch
        self.photo_share = 0.0 if not photos else 1.0 if not small else photo_share
        pixels = self.small[0, 0].numel() if small else 32 * 32
        self.crops = max(2, round(batch * pixels / CROP**2))

    def draw(self, generator: torch.Generator) -> tuple[Tensor, bool]:
        """One batch, and whether it is of photos."""
        photos = bool(torch.rand((), generator=generator) < self.photo_share)
        picked = self._crops(generator) if photos else self._whole(generator)
        flip = torch.rand(len(picked), generator=generator) < 0.5
        picked = torch.where(flip[:, None, None, None], picked.flip(3), picked)
        return (picked.float() / 255).contiguous(memory_format=torch.channels_last), photos

    def _whole(self, generator: torch.Generator) -> Tensor:
        assert self.small is not None
        return self.small[torch.randint(len(self.small), (self.batch,), generator=generator)]

    def _crops(self, generator: torch.Generator) -> Tensor:
        crops = []
        for half in (torch.rand(self.crops, generator=generator) < HALF_SIZE_SHARE).tolist():
            pool = self.halves if half and self.halves else self.photos
            photo = pool[int(torch.randint(len(pool), (), generator=generator))]
            top = int(torch.randint(photo.shape[1] - CROP + 1, (), generator=generator))
            left = int(torch.randint(photo.shape[2] - CROP + 1, (), generator=generator))
            crops.append(photo[:, top : top + CROP, left : left + CROP])
        return torch.stack(crops)
