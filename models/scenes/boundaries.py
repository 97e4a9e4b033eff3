# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact edge maps of scenes: the outlines of their objects, one pixel broad.

A pixel is on an outline where -1 <= d·side < 0, d the signed distance of its middle to the shape:
the innermost ring of the shape. Textures and light have no outline.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.scenes.render import _circle, _cross, _square, _triangle
from models.scenes.sample import SceneBatch
from models.scenes.vocabulary import COLUMNS, MAX_OBJECTS, SIZE_RADIUS


def boundaries(batch: SceneBatch, side: int = 64) -> Tensor:
    """Outlines of the scenes' objects, bool (N,side,side)."""
    axis = (torch.arange(side) + 0.5) / side
    found = torch.zeros(len(batch), side, side, dtype=torch.bool)
    for j in range(MAX_OBJECTS):
        radius = torch.tensor(SIZE_RADIUS)[batch.size[:, j]] * (1 + batch.stretch[:, j])
        column, row = batch.cell[:, j] % len(COLUMNS), batch.cell[:, j] // len(COLUMNS)
        middle_x = (column + 0.5) / len(COLUMNS) + batch.shift[:, j, 0]
        middle_y = (row + 0.5) / len(COLUMNS) + batch.shift[:, j, 1]
        dx = axis[None, None, :] - middle_x[:, None, None]  # (N,1,S)
        dy = axis[None, :, None] - middle_y[:, None, None]  # (N,S,1)
        for k, shape in enumerate((_circle, _square, _triangle, _cross)):
            those = (batch.shape[:, j] == k) & (batch.count > j)
            if those.any():
                distance = shape(dx[those], dy[those], radius[those, None, None]) * side
                found[those] |= (distance < 0) & (distance >= -1)
    return found
