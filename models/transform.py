# SPDX-License-Identifier: GPL-3.0-or-later
"""A fixed orthonormal block transform between a picture and the grid of latents.

A picture is cut into blocks of 32x32 pixels (smaller ones at the right and the bottom edge). Each
block's three colours are turned into luminance and two opponents by the 3-point DCT-II, and each of
them is transformed by a two-dimensional orthonormal DCT-II. The 48 coefficients that a 4x4 patch
brings are sorted by their expected variance, strongest first, over the whole block: the first L·a·b
entries of a block of a x b patches fill its L latent channels one after the other, so that a prefix
of channels is the best linear approximation of the block.

For a natural picture the DCT is close to the Karhunen-Loève transform (N. Ahmed, T. Natarajan,
K. R. Rao, "Discrete cosine transform", IEEE Trans. Comput. 1974), and scaled coefficients over an
analog channel are the best linear code (S. Jakubczak, D. Katabi, "A cross-layer design for scalable
mobile video" (SoftCast), MobiCom 2011). The larger the block, the less of a picture's correlation
is left outside of it.

Entry 0 of a block is no coefficient: it is the slot of the picture's gain (:mod:`models.symbols`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

STRIDE = 4  # pixels per latent along each side
PATCH = 3 * STRIDE * STRIDE  # source values under one latent position
BLOCK = 8  # latents per block along each side
BLOCK_PIXELS = BLOCK * STRIDE
LOG_STEP = 1 / 16  # of the stored log2 variances: exact in float16, so that the order is too


def dct_matrix(size: int) -> Tensor:
    """Orthonormal DCT-II, (size, size) float32: row u is the basis of frequency u."""
    angle = torch.arange(size)[:, None].double() * (torch.arange(size) + 0.5) * (math.pi / size)
    scale = torch.full((size, 1), math.sqrt(2 / size), dtype=torch.float64)
    scale[0] = math.sqrt(1 / size)
    return (scale * angle.cos()).float()


def spans(length: int) -> Iterator[tuple[slice, int]]:
    """Runs of equal blocks along one side of the grid: (latents covered, latents per block)."""
    whole = length // BLOCK * BLOCK
    if whole:
        yield slice(0, whole), BLOCK
    if length > whole:
        yield slice(whole, length), length - whole


def to_blocks(grid: Tensor, a: int, b: int) -> Tensor:
    """(B,C,a·m,b·n) → each block of a x b latents as a row in the order of ranks: (B,m·n,C·a·b)."""
    batch, channels, height, width = grid.shape
    parts = grid.reshape(batch, channels, height // a, a, width // b, b)
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * a * b)


def from_blocks(rows: Tensor, channels: int, a: int, b: int, m: int) -> Tensor:
    """The way back from :func:`to_blocks`; m is the number of blocks from top to bottom."""
    parts = rows.reshape(len(rows), m, -1, channels, a, b).permute(0, 3, 1, 4, 2, 5)
    return parts.reshape(len(rows), channels, m * a, -1)


class BlockTransform(nn.Module):
    """Picture (B,3,4h,4w) ↔ sorted coefficients (B,L,h,w) of its blocks.

    ``log_variance`` (3,32,32): log2 of the expected variance of each coefficient of a whole block,
    a multiple of LOG_STEP. A smaller block takes the variances at the same spatial frequencies.
    """

    log_variance: Tensor

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.latents = latents
        frequency = torch.arange(BLOCK_PIXELS).float()
        fall = -torch.log2(1 + frequency[:, None] ** 2 + frequency**2)  # before it is measured
        start = torch.stack([fall, fall - 3, fall - 5])
        self.register_buffer("log_variance", (start / LOG_STEP).round() * LOG_STEP)
        self.register_load_state_dict_post_hook(_forget_orders)
        self._orders: dict[tuple[int, int, torch.device], tuple[Tensor, Tensor]] = {}

    @torch.no_grad()
    def measure(self, pictures: Tensor) -> None:
        """Set the variances from blocks (B,3,32,32); the mean of each colour is taken off first."""
        mean = pictures.mean((0, 2, 3), keepdim=True)
        power = self._spectrum(pictures - mean, BLOCK, BLOCK)[:, 0, 0].square().mean(0)
        log_power = power.clamp_min(1e-9).log2()
        self.log_variance.copy_((log_power / LOG_STEP).round() * LOG_STEP)
        self._orders.clear()

    def _order(self, a: int, b: int) -> tuple[Tensor, Tensor]:
        """Coefficients of a block of a x b latents from the strongest on, and the way back."""
        key = (a, b, self.log_variance.device)
        if key not in self._orders:
            rows = torch.arange(STRIDE * a, device=key[2]) * BLOCK // a
            columns = torch.arange(STRIDE * b, device=key[2]) * BLOCK // b
            flat = self.log_variance[:, rows[:, None], columns].reshape(-1)
            order = torch.argsort(flat, descending=True, stable=True)
            order = order[: self.latents * a * b - 1]
            # Where in the row [gain slot, kept ..., zero] each coefficient comes from.
            back = torch.full((PATCH * a * b,), len(order) + 1, device=key[2])
            back[order] = torch.arange(1, len(order) + 1, device=key[2])
            self._orders[key] = order, back
        return self._orders[key]

    @staticmethod
    def _spectrum(part: Tensor, a: int, b: int) -> Tensor:
        """(B,3,4a·m,4b·n) → coefficients (B,m,n,3,4a,4b)."""
        high, wide = STRIDE * a, STRIDE * b
        m, n = part.shape[2] // high, part.shape[3] // wide
        blocks = part.reshape(-1, 3, m, high, n, wide).permute(0, 2, 4, 1, 3, 5)
        rows, columns = dct_matrix(high).to(part), dct_matrix(wide).to(part)
        mixed = (dct_matrix(3).to(part) @ blocks.flatten(4)).reshape(blocks.shape)
        return rows @ mixed @ columns.T

    def forward(self, picture: Tensor) -> Tensor:
        """Picture (B,3,4h,4w) → (B,L,h,w), entry 0 of each block zero."""
        batch, _, height, width = picture.shape
        out = picture.new_empty(batch, self.latents, height // STRIDE, width // STRIDE)
        for rows, a in spans(height // STRIDE):
            for columns, b in spans(width // STRIDE):
                part = picture[:, :, pixels(rows), pixels(columns)]
                spectrum = self._spectrum(part, a, b)
                m, n = spectrum.shape[1:3]
                kept = spectrum.reshape(batch, m, n, -1)[..., self._order(a, b)[0]]
                kept = torch.nn.functional.pad(kept, (1, 0))
                out[:, :, rows, columns] = from_blocks(kept, self.latents, a, b, m)
        return out

    def inverse(self, latents: Tensor) -> Tensor:
        """(B,L,h,w) → picture (B,3,4h,4w), coefficients beyond L taken as zero."""
        batch, _, height, width = latents.shape
        out = latents.new_empty(batch, 3, height * STRIDE, width * STRIDE)
        for rows, a in spans(height):
            for columns, b in spans(width):
                part = latents[:, :, rows, columns]
                m, n = part.shape[2] // a, part.shape[3] // b
                row = torch.nn.functional.pad(to_blocks(part, a, b).unflatten(1, (m, n)), (0, 1))
                spectrum = row[..., self._order(a, b)[1]]
                blocks = spectrum.reshape(batch, m, n, 3, STRIDE * a, STRIDE * b)
                blocks = (
                    dct_matrix(STRIDE * a).to(blocks).T @ blocks @ dct_matrix(STRIDE * b).to(blocks)
                )
                mixed = (dct_matrix(3).to(blocks).T @ blocks.flatten(4)).reshape(blocks.shape)
                whole = mixed.permute(0, 3, 1, 4, 2, 5)
                out[:, :, pixels(rows), pixels(columns)] = whole.reshape(
                    batch, 3, m * a * STRIDE, n * b * STRIDE
                )
        return out

    def ranks(self, height: int, width: int) -> Tensor:
        """Each latent's place in the order of a whole block, 0…64·L-1: (L,h,w) integers."""
        device = self.log_variance.device
        out = torch.empty(self.latents, height, width, dtype=torch.long, device=device)
        for rows, a in spans(height):
            for columns, b in spans(width):
                count = self.latents * a * b
                rank = torch.arange(count, device=device) * (BLOCK * BLOCK) // (a * b)
                m, n = (rows.stop - rows.start) // a, (columns.stop - columns.start) // b
                out[:, rows, columns] = rank.reshape(self.latents, a, b).repeat(1, m, n)
        return out


def _forget_orders(transform: BlockTransform, _: object) -> None:
    transform._orders.clear()


def pixels(latents: slice) -> slice:
    """The pixels under a run of latents."""
    return slice(latents.start * STRIDE, latents.stop * STRIDE)
