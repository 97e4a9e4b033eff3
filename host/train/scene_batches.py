# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered scenes for the readers: of both sizes, worn, and the held-out ones of every figure.

Training draws scenes from its own generator without end. Held-out scenes come from a seed that no
training uses: among 10^11 scenes of three objects, none is met twice but by design.
"""

from __future__ import annotations

import torch
from torch import Tensor

from host.train.wear import worn
from models.scene_trunk import SIDE, at_side
from models.scenes.render import render
from models.scenes.sample import SceneBatch, sample

LARGE_SHARE = 0.35  # of batches: rendered at 128 pixels, averaged down as a reader does
HELD_OUT_SEED = 20_260_722


@torch.autocast("cpu", enabled=False)  # pictures are drawn in single precision
def draw(
    count: int, strength: float, clean_share: float, generator: torch.Generator
) -> tuple[SceneBatch, Tensor]:
    """Scenes and their pictures (B,3,64,64); the first ``clean_share`` of them as rendered."""
    scenes = sample(count, generator)
    large = float(torch.rand((), generator=generator)) < LARGE_SHARE
    pictures = at_side(render(scenes, 2 * SIDE if large else SIDE))
    clean = round(count * clean_share)
    used = worn(pictures[clean:], strength, generator)
    return scenes, torch.cat((pictures[:clean], used))


def held_out(count: int, side: int, strength: float = 0.0) -> tuple[SceneBatch, Tensor]:
    """The same scenes each time, (B,3,64,64) out of pictures of ``side`` pixels in 8 bits."""
    generator = torch.Generator().manual_seed(HELD_OUT_SEED)
    scenes = sample(count, generator)
    pictures = (render(scenes, side) * 255).round() / 255
    pictures = at_side(pictures)
    return scenes, worn(pictures, strength, generator) if strength else pictures
