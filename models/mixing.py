# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent as points of a constellation is mixed first: all symbols of a block alike.

Latents are of very unequal power, and a constellation fits one power only. All latents of a block
of the transform that are sent, C channels of a x b, are therefore given pseudo-random signs and an
orthonormal three-dimensional Hadamard transform: every symbol then carries equally much of each, is
near to Gaussian and of unit power, and what rounding to points adds is near to white noise of one
variance. Along sides of blocks at the edge that are no power of two a DCT takes its place. The
receiver turns it back; where symbols arrived unequally well, all latents of a block get the mean
of their noise, and a lost symbol counts as its own power of noise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from scipy.linalg import hadamard
from torch import Tensor

from models.transform import dct_matrix, spans

LOST_VARIANCE = 1.0  # of a symbol of unit power that is taken as 0


def _signs(channels: int, a: int, b: int) -> Tensor:
    """Fixed ±1, (C,a,b): bits of a multiplicative hash of the index."""
    index = torch.arange(channels * a * b)
    return 1.0 - 2.0 * ((index * 2_654_435_761) >> 16 & 1).float().reshape(channels, a, b)


@lru_cache(maxsize=32)
def flat_matrix(size: int) -> Tensor:
    """Orthonormal (size, size): of Hadamard, all entries of one magnitude, where there is one."""
    if size & (size - 1):
        return dct_matrix(size)
    return torch.from_numpy(hadamard(size) / size**0.5).float()


def _blockwise(
    grid: Tensor, planes: Tensor, per_plane: int, action: Callable[[Tensor], Tensor]
) -> Tensor:
    """``action`` on (n,m,k,C,a,b), the sent channels of blocks of a x b; the rest stays.

    grid (B,L,h,w); C = ``per_plane``·planes of each picture.
    """
    grid = grid.float()
    out = grid.clone()
    _, _, height, width = grid.shape
    for count in planes.unique().tolist():
        rows = (planes == count).nonzero()[:, 0]
        channels = per_plane * count
        for top, a in spans(height):
            for left, b in spans(width):
                part = grid[rows, :channels, top, left]
                n, _, high, wide = part.shape
                cut = part.reshape(n, channels, high // a, a, wide // b, b)
                with torch.autocast(grid.device.type, enabled=False):  # eight bits are too few
                    done = action(cut.permute(0, 2, 4, 1, 3, 5)).permute(0, 3, 1, 4, 2, 5)
                out[rows, :channels, top, left] = done.reshape(part.shape)
    return out


def mix(latents: Tensor, planes: Tensor) -> Tensor:
    """Latents (B,L,h,w) of which 2·planes (B,) channels are sent → mixed, same shape."""

    def action(blocks: Tensor) -> Tensor:
        c, a, b = blocks.shape[3:]
        x = blocks * _signs(c, a, b).to(blocks)
        x = flat_matrix(a).to(x) @ x @ flat_matrix(b).to(x).T
        return (flat_matrix(c).to(x) @ x.flatten(4)).reshape(x.shape)

    return _blockwise(latents, planes, 2, action)


def unmix(received: Tensor, noise_var: Tensor, planes: Tensor) -> tuple[Tensor, Tensor]:
    """Undo :func:`mix` for what was received, 0 where lost, with σ² (B,L/2,h,w), inf there.

    Returns latents and σ² of each; planes that were not sent stay at inf.
    """

    def action(blocks: Tensor) -> Tensor:
        c, a, b = blocks.shape[3:]
        x = (flat_matrix(c).to(blocks).T @ blocks.flatten(4)).reshape(blocks.shape)
        x = flat_matrix(a).to(x).T @ x @ flat_matrix(b).to(x)
        return x * _signs(c, a, b).to(x)

    def mean(blocks: Tensor) -> Tensor:
        known = torch.where(torch.isinf(blocks), LOST_VARIANCE, blocks)
        return known.mean((3, 4, 5), keepdim=True).expand_as(blocks)

    latents = _blockwise(received, planes, 2, action)
    return latents, _blockwise(noise_var, planes, 1, mean)
