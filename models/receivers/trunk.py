# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trained receivers have in common: what arrived and the caption → features.

::

    w·y, w (B,2C,h,w)                        caption (B,3,T)
      | PixelUnshuffle(2)                      | id + segment -> words
      v                                        |
    conv3x3 <- further inputs (B,E,h/2,w/2)    +-> words of a cell, laid over the cell -+
      |                                        +-> mean over all words ----------------+
      + <--- place (waves -> linear)                                                    |
      + <-------------------------------------------------------------------------------+
      |
    N x block -> features (B,D,h/2,w/2)

    block: x + conv3x3(silu(conv3x3(silu(x)) + linear(mean of silu(x) over the picture)))

The mean gives each block the whole picture, since a few places may be all that arrived: background
and light are the same everywhere. Words lie where the caption places them, as in
:mod:`models.generation.flow`, but without attention: a caption that leaves places open helps less.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.generation.flow import PLACE_WAVES, near, places
from models.generation.text import PAD, SEGMENTS, TOKENS
from models.receivers.received import Received
from models.scenes.vocabulary import CELLS
from semcom_blocks.errors import ConfigError, require_range

SQUARE = 2  # latents a side that share a position of the features


@dataclass(frozen=True)
class TrunkConfig:
    """channels of a latent, width D and blocks N of the diagram."""

    channels: int = 4
    width: int = 96
    blocks: int = 2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise ConfigError(f"{name} is {value!r}, permitted: an integer")
            require_range(name, value, 0 if name == "blocks" else 1, 1024)

    @property
    def values(self) -> int:
        """Latents of a position."""
        return self.channels * SQUARE**2


def squared(latents: Tensor) -> Tensor:
    """(B,C,h,w) → (B,4C,h/2,w/2)."""
    return F.pixel_unshuffle(latents, SQUARE)


def spread_out(values: Tensor) -> Tensor:
    """Inverse of :func:`squared`."""
    return F.pixel_shuffle(values, SQUARE)


class Block(nn.Module):
    """See the diagram."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.whole = nn.Linear(width, width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """(B,D,h,w) to the same."""
        y = F.silu(x)
        mean = self.whole(y.mean((2, 3)))[:, :, None, None]
        return x + self.second(F.silu(self.first(y) + mean))


class Trunk(nn.Module):
    """Features of what arrived."""

    def __init__(self, config: TrunkConfig, extra: int = 0) -> None:
        """``extra``: channels of further inputs at the features' resolution."""
        super().__init__()
        width = config.width
        self.enter = nn.Conv2d(2 * config.values + extra, width, 3, padding=1)
        self.place = nn.Linear(4 * PLACE_WAVES, width)
        self.words = nn.Embedding(len(TOKENS), width, padding_idx=PAD)
        self.segments = nn.Embedding(SEGMENTS, width)
        self.ground = nn.Linear(width, width)
        self.scene = nn.Linear(width, width, bias=False)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(config.blocks)))
        nn.init.normal_(self.words.weight, std=0.5)
        nn.init.normal_(self.segments.weight, std=0.2)

    def said(self, text: Tensor, rows: int, columns: int) -> Tensor:
        """Caption (B,3,T) → what it places where (B,D,rows,columns); 0 for no caption."""
        ids, segments, cells = text.unbind(1)
        there = (ids != PAD)[..., None]
        words = (self.words(ids) + self.segments(segments)) * there  # (B,T,D)
        mean = words.sum(1) / there.sum(1).clamp_min(1)
        by_cell = F.one_hot(cells, CELLS + 1)[..., 1:].to(words.dtype) * there  # (B,T,9)
        laid = near(rows, columns) @ self.ground(by_cell.transpose(1, 2) @ words)
        anything = there.any(1).to(laid.dtype)  # (B,1)
        laid = (laid + self.scene(mean)[:, None]) * anything[..., None]
        return laid.transpose(1, 2).unflatten(2, (rows, columns))

    def forward(self, received: Received, *extra: Tensor) -> Tensor:
        """Features (B,D,h/2,w/2); further inputs (B,·,h/2,w/2) as announced."""
        heard = squared(torch.cat([received.estimate, received.known], 1))
        x = self.enter(torch.cat([heard, *extra], 1))
        rows, columns = x.shape[2:]
        where = self.place(places(rows, columns)).T.unflatten(1, (rows, columns))
        return self.blocks(x + where + self.said(received.text, rows, columns))
