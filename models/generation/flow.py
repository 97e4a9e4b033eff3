# SPDX-License-Identifier: GPL-3.0-or-later
"""Text-conditioned rectified flow on the autoencoder's latents: a small diffusion transformer.

::

    latents z_t (B,4,h,w)            text (B,3,32)                     t (B,), 1 noise, 0 picture
      | 2x2 patches -> tokens          | id + segment + place            | sinusoids -> MLP
      | + MLP(place in the picture)    |   + position                    | + mean text + size
      +---------------> one sequence <-+                                 v
                             |                                     six modulations
                        N x block <---------------------------------------+
                             |          (one matrix for all blocks, a table each)
                      picture tokens -> velocity v (B,4,h,w)

    block: x + gate·attention(modulated LayerNorm(x)), x + gate·MLP(modulated LayerNorm(x))

With x the picture's latents and n noise, z_t = (1-t)·x + t·n and v = n - x. Text and picture meet
in one attention. A place is given relative to the whole picture, so "top left" is the same at any
size, and the words of an object carry the embedding of the place that the caption gives it. They
are also laid over the picture tokens around that place (as GLIGEN does for boxes: Y. Li et al.,
CVPR 2023, arXiv:2301.07093): what the caption leaves open alone has to be found by attention.
Classifier-free guidance: v = v(empty) + g·(v(text) - v(empty)).

Papers
* X. Liu, C. Gong, Q. Liu, "Flow straight and fast: rectified flow", ICLR 2023, arXiv:2209.03003.
* W. Peebles, S. Xie, "Scalable diffusion models with transformers", ICCV 2023, arXiv:2212.09748.
* J. Chen et al., "PixArt-α" (shared modulation), ICLR 2024, arXiv:2310.00426.
* P. Esser et al., "Scaling rectified flow transformers" (joint attention, logit-normal t),
  ICML 2024, arXiv:2403.03206.
* J. Ho, T. Salimans, "Classifier-free diffusion guidance", arXiv:2207.12598.

Training: :mod:`host.train.flow`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.generation.text import MAX_TOKENS, PAD, SEGMENTS, TOKENS
from models.scenes.vocabulary import CELLS, COLUMNS, ROWS
from semcom_blocks.errors import ConfigError, require_range

PATCH = 2  # latents per token along each side
HOME_SIDE = 16  # latents: the size that most of the training has
TIME_WAVES = 32
NEAR = 0.12  # of the side: how far the words of a placed object reach, a standard deviation
PLACE_WAVES = 6  # octaves of the place in the picture; the finest resolves 1/64 of the side


@dataclass(frozen=True)
class FlowConfig:
    """channels of a latent, width, heads, blocks, expansion of the MLP."""

    channels: int = 4
    width: int = 128
    heads: int = 4
    blocks: int = 7
    expansion: int = 3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise ConfigError(f"{name} is {value!r}, permitted: an integer")
            require_range(name, value, 1, 4096)
        if self.width % self.heads:
            raise ConfigError(f"width is {self.width}, permitted: multiples of {self.heads} heads")


def patches(z: Tensor) -> Tensor:
    """Latents (B,C,h,w) → tokens (B, h·w/4, 4·C); h and w are even."""
    return F.pixel_unshuffle(z, PATCH).flatten(2).transpose(1, 2)


def places(rows: int, columns: int) -> Tensor:
    """Waves of the relative place of each token (rows·columns, 4·PLACE_WAVES)."""
    y, x = torch.meshgrid(
        (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij"
    )
    at = torch.stack([y.flatten(), x.flatten()], 1)[..., None]  # (T,2,1)
    angle = at * (math.pi * 2.0 ** torch.arange(PLACE_WAVES))
    return torch.cat([angle.sin(), angle.cos()], 2).flatten(1)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(q·kᵀ/√d + bias)·v of (B,heads,T,d) each, bias (B,1,1,T).

    For training written out: with a hundred tokens the fused kernel's gradient takes three times as
    long on a processor as two matrix products.
    """
    if not torch.is_grad_enabled():
        return F.scaled_dot_product_attention(q, k, v, None if bias is None else bias.to(q.dtype))
    weights = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if bias is not None:
        weights = weights + bias.to(weights.dtype)
    return weights.softmax(-1).to(v.dtype) @ v


def text_bias(count: int, there: Tensor) -> Tensor:
    """0 for ``count`` picture tokens and the words that are there (B,T), else -inf; (B,1,1,·)."""
    seen = F.pad(there, (count, 0), value=True)
    return torch.zeros(seen.shape).masked_fill_(~seen, -torch.inf)[:, None, None]


def near(rows: int, columns: int) -> Tensor:
    """How near each token is to the middle of each cell, 0…1 (rows·columns, 9)."""

    def middles(number: int) -> Tensor:
        return (torch.arange(number) + 0.5) / number

    down = (middles(rows)[:, None] - middles(len(ROWS))) / NEAR  # (rows,3)
    across = (middles(columns)[:, None] - middles(len(COLUMNS))) / NEAR
    apart = down[:, None, :, None].square() + across[None, :, None, :].square()
    return torch.exp(-apart / 2).reshape(rows * columns, CELLS)


class Block(nn.Module):
    """Attention and MLP, each scaled, shifted and gated by the condition."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, config.expansion * width)
        self.down = nn.Linear(config.expansion * width, width)
        self.table = nn.Parameter(torch.zeros(6, width))

    def forward(self, x: Tensor, modulation: Tensor, bias: Tensor | None = None) -> Tensor:
        """x (B,T,D), modulation (B,6,D), attention's bias (B,1,1,T) → (B,T,D)."""
        batch, tokens, width = x.shape
        shift1, scale1, gate1, shift2, scale2, gate2 = (modulation + self.table)[:, :, None].unbind(
            1
        )
        y = torch.addcmul(shift1, F.layer_norm(x, (width,)), 1 + scale1)
        q, k, v = self.qkv(y).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = attend(q, k, v, bias)  # (B,heads,T,D/heads)
        x = torch.addcmul(x, gate1, self.out(mixed.transpose(1, 2).reshape(x.shape)))
        y = torch.addcmul(shift2, F.layer_norm(x, (width,)), 1 + scale2)
        return torch.addcmul(x, gate2, self.down(F.relu(self.up(y))))


class Flow(nn.Module):
    """The velocity field."""

    def __init__(self, config: FlowConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or FlowConfig()
        inside = c.channels * PATCH**2
        self.enter = nn.Linear(inside, c.width)
        self.place = nn.Sequential(
            nn.Linear(4 * PLACE_WAVES, c.width), nn.SiLU(), nn.Linear(c.width, c.width)
        )
        self.ground = nn.Linear(c.width, c.width, bias=False)
        self.words = nn.Embedding(len(TOKENS), c.width)
        self.segments = nn.Embedding(SEGMENTS, c.width)
        self.positions = nn.Parameter(torch.zeros(MAX_TOKENS, c.width))
        self.time = nn.Sequential(
            nn.Linear(2 * TIME_WAVES + 1, c.width), nn.SiLU(), nn.Linear(c.width, c.width)
        )
        self.modulate = nn.Linear(c.width, 6 * c.width)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.blocks))
        self.last = nn.Parameter(torch.zeros(2, c.width))
        self.leave = nn.Linear(c.width, inside)
        for embedding in (self.words, self.segments):
            nn.init.normal_(embedding.weight, std=0.3)
        nn.init.normal_(self.positions, std=0.1)
        # All gates start at zero: the first steps train a linear map, and no deep noise.
        for layer in (self.modulate, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def embed_text(self, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ids, segments, cells int64 (B,3,T) → embeddings (B,T,D), where they are (B,T), cells.

        Padding that no text of the batch needs is left out; it has no effect anyway.
        """
        text = text[..., : int((text[:, 0] != PAD).sum(1).max())]
        ids, segments, cells = text.unbind(1)
        grid = self.place(places(len(ROWS), len(COLUMNS)))  # (9,D)
        grid = torch.cat([torch.zeros_like(grid[:1]), grid])
        words = self.words(ids) + self.segments(segments) + grid[cells]
        return words + self.positions[: ids.shape[1]], ids != PAD, cells

    def condition(self, t: Tensor, words: Tensor, there: Tensor, side: int) -> Tensor:
        """Time (B,), embedded text, picture side in latents → modulation (B,6,D)."""
        waves = torch.exp(-math.log(1e4) * torch.arange(TIME_WAVES) / TIME_WAVES) * 1000
        angle = t.float()[:, None] * waves
        size = torch.full_like(t, math.log2(side / HOME_SIDE))[:, None]
        weight = there / there.sum(1, keepdim=True).clamp_min(1)  # (B,T): a mean over the text
        base = self.time(torch.cat([angle.cos(), angle.sin(), size], 1))
        base = base + (words * weight[..., None]).sum(1)
        return self.modulate(F.silu(base)).view(len(t), 6, -1)

    def tokens(self, z: Tensor, words: Tensor, cells: Tensor) -> Tensor:
        """Latents (B,C,h,w) → picture tokens with what the text places there (B,h·w/4,D).

        words (B,T,D) with their cells (B,T), 0 for none.
        """
        rows, columns = z.shape[2] // PATCH, z.shape[3] // PATCH
        by_cell = F.one_hot(cells, CELLS + 1)[..., 1:].to(words.dtype)  # (B,T,9)
        said = self.ground(by_cell.transpose(1, 2) @ words)  # (B,9,D)
        return (
            self.enter(patches(z)) + self.place(places(rows, columns)) + near(rows, columns) @ said
        )

    def forward(
        self, z: Tensor, t: Tensor, text: Tensor, residuals: Sequence[Tensor] = ()
    ) -> Tensor:
        """z (B,C,h,w) at times t (B,) with text (B,3,T) → velocity (B,C,h,w), float32.

        ``residuals``: (B,h·w/4,D) each, added to the picture tokens behind the first blocks; they
        come from :class:`models.generation.control.Control`.
        """
        words, there, cells = self.embed_text(text)
        modulation = self.condition(t, words, there, z.shape[2])
        x = self.tokens(z, words, cells)
        count = x.shape[1]
        bias = text_bias(count, there)
        x = torch.cat([x, words], 1)
        for i, block in enumerate(self.blocks):
            x = block(x, modulation, bias)
            if i < len(residuals):
                x = torch.cat([x[:, :count] + residuals[i], x[:, count:]], 1)
        x = F.layer_norm(x[:, :count], (x.shape[2],))
        x = self.leave(torch.addcmul(self.last[0], x, 1 + self.last[1])).float()
        rows, columns = z.shape[2] // PATCH, z.shape[3] // PATCH
        grid = x.transpose(1, 2).reshape(len(x), -1, rows, columns)
        return F.pixel_shuffle(grid, PATCH)
