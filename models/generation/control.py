# SPDX-License-Identifier: GPL-3.0-or-later
"""Edge conditioning in the ControlNet manner: a side branch beside the frozen flow.

::

    edge map (B,1,8h',8w')          z_t, t, text
      | 8x8 patches -> MLP            | the flow's own embeddings (frozen)
      +------------> + <--------------+
                     |  copy of block 1 of the flow -> linear, zero at first -> residual 1
                     |  copy of block 2             -> linear, zero at first -> residual 2
                     ...

Residuals are added to the flow's picture tokens behind its first blocks. Since the linear layers
start at zero, training starts from exactly the flow; since the flow is frozen, a blank edge map can
always fall back to the text alone.

Paper: L. Zhang, A. Rao, M. Agrawala, "Adding conditional control to text-to-image diffusion models"
(ControlNet), ICCV 2023, arXiv:2302.05543.

Training: :mod:`host.train.control`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.generation.flow import PATCH, Block, Flow, FlowConfig, text_bias
from models.generation.vae import STRIDE
from semcom_blocks.errors import ConfigError, require_range

CELL = PATCH * STRIDE  # pixels of edge map under a token, along each side


@dataclass(frozen=True)
class ControlConfig:
    """width, heads, expansion: those of the flow.  blocks: how many of its blocks are copied."""

    width: int = 128
    heads: int = 4
    expansion: int = 3
    blocks: int = 3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise ConfigError(f"{name} is {value!r}, permitted: an integer")
            require_range(name, value, 1, 4096)

    @classmethod
    def of(cls, flow: FlowConfig, blocks: int) -> ControlConfig:
        """That of a branch beside ``flow``."""
        require_range("blocks", blocks, 1, flow.blocks)
        return cls(flow.width, flow.heads, flow.expansion, blocks)


class Control(nn.Module):
    """The side branch."""

    def __init__(self, config: ControlConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or ControlConfig()
        block = FlowConfig(width=c.width, heads=c.heads, expansion=c.expansion)
        self.hint = nn.Sequential(
            nn.Linear(CELL * CELL, c.width), nn.SiLU(), nn.Linear(c.width, c.width)
        )
        self.blocks = nn.ModuleList(Block(block) for _ in range(c.blocks))
        self.outs = nn.ModuleList(nn.Linear(c.width, c.width) for _ in range(c.blocks))
        for out in self.outs:
            nn.init.zeros_(out.weight)
            nn.init.zeros_(out.bias)

    def copy_from(self, flow: Flow) -> None:
        """Start the blocks as those of ``flow``."""
        for own, other in zip(self.blocks, flow.blocks, strict=False):
            own.load_state_dict(copy.deepcopy(other.state_dict()))

    def forward(
        self, flow: Flow, z: Tensor, t: Tensor, text: Tensor, edges: Tensor
    ) -> list[Tensor]:
        """Edges (B,1,H,W) in [0,1] for latents z (B,C,H/4,W/4) → residuals (B,H·W/64,D)."""
        words, there, cells = flow.embed_text(text)
        modulation = flow.condition(t, words, there, z.shape[2])
        strokes = F.pixel_unshuffle(edges, CELL).flatten(2).transpose(1, 2)  # (B,T,64)
        x = flow.tokens(z, words, cells) + self.hint(strokes)
        count = x.shape[1]
        bias = text_bias(count, there)
        x = torch.cat([x, words], 1)
        residuals = []
        for block, out in zip(self.blocks, self.outs, strict=True):
            x = block(x, modulation, bias)
            residuals.append(out(x[:, :count]))
        return residuals
