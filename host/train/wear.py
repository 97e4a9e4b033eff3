# SPDX-License-Identifier: GPL-3.0-or-later
"""Worn pictures: what links and generators do to them, cheaply, for readers that must not mind.

Each kind falls on a share of the examples, with a strength drawn per example: white noise; noise
that is smooth over some pixels (what a decoder makes of noisy latents); blur and loss of resolution
(a VAE); 8x8 block quantisation (JPEG); bent space (a generator's crooked shapes); exposure and
colour.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 8  # pixels, of JPEG
NOISE = 0.12  # standard deviations at the most, at strength 1
SMOOTH_NOISE = 0.08
QUANTUM = 0.25  # of block coefficients, for the highest frequencies twice as much
BEND = 0.025  # of the side
EXPOSURE = 0.12
COARSEST = 3.0  # reduction of resolution


# Single precision: with eight bits of mantissa coordinates and quantised values go astray.
@torch.autocast("cpu", enabled=False)
def worn(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Pictures (B,3,S,S) in [0,1], S a multiple of 8, worn by 0…``strength``."""
    count = len(pictures)

    def amount(share: float, most: float) -> Tensor:
        """(B,1,1,1): none for most examples, else up to ``most`` times the strength."""
        drawn = torch.rand((count, 1, 1, 1), generator=generator)
        some = torch.rand((count, 1, 1, 1), generator=generator) < share
        return some * drawn * most * strength

    def normal(*shape: int) -> Tensor:
        return torch.randn((count, *shape), generator=generator)

    pictures = _bent(pictures, amount(0.4, BEND), normal(2, 4, 4))
    pictures = _softened(pictures, amount(0.5, 1.0), generator)
    gain = 1 + amount(0.5, EXPOSURE) * normal(3, 1, 1).clamp(-2, 2)
    pictures = pictures * gain + amount(0.3, EXPOSURE / 2) * normal(3, 1, 1).clamp(-2, 2)
    for size in (8, 24):
        smooth = F.interpolate(normal(3, size, size), size=pictures.shape[2:], mode="bilinear")
        pictures = pictures + amount(0.35, SMOOTH_NOISE) * smooth
    pictures = pictures + amount(0.5, NOISE) * normal(*pictures.shape[1:])
    return _quantised(pictures, amount(0.4, QUANTUM)).clamp(0, 1)


def _bent(pictures: Tensor, amount: Tensor, field: Tensor) -> Tensor:
    """Moved along a smooth random field (B,2,4,4), ``amount`` in sides its standard deviation."""
    if not amount.any():
        return pictures
    count, _, height, width = pictures.shape
    field = F.interpolate(field * amount * 2, size=(height, width), mode="bicubic")
    still = torch.eye(2, 3).expand(count, 2, 3)
    grid = F.affine_grid(still, list(pictures.shape), align_corners=False)
    return F.grid_sample(
        pictures,
        grid + field.permute(0, 2, 3, 1),
        padding_mode="border",
        align_corners=False,
    )


def _softened(pictures: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Mixed with itself at a lower resolution."""
    ratio = 1 + (COARSEST - 1) * float(torch.rand((), generator=generator))
    size = max(8, round(pictures.shape[-1] / ratio))
    small = F.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)
    soft = F.interpolate(small, size=pictures.shape[2:], mode="bicubic")
    return torch.lerp(pictures, soft, amount.clamp(0, 1))


def _quantised(pictures: Tensor, step: Tensor) -> Tensor:
    """8x8 cosine coefficients in steps of ``step`` (B,1,1,1), coarser towards high frequencies."""
    if not step.any():
        return pictures
    k, n = torch.arange(BLOCK)[:, None], torch.arange(BLOCK)[None]
    basis = torch.cos(math.pi / BLOCK * (n + 0.5) * k) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    both = torch.kron(
        basis, basis
    )  # of a block as one row of 64: one large product, not many small
    count, _, height, width = pictures.shape
    blocks = pictures.unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK).flatten(4)  # (B,3,h,w,64)
    steps = (step[..., None] * (1 + (k + n) / 14).flatten()).clamp_min(1e-6)
    blocks = ((blocks @ both.T / steps).round() * steps) @ both
    blocks = blocks.unflatten(4, (BLOCK, BLOCK)).transpose(3, 4)  # (B,3,h,8,w,8)
    return blocks.reshape(count, 3, height, width)
