# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes to pictures, a batch at once, antialiased at any size.

Shapes are signed distances d (in sides, negative inside), laid over the background with opacity
sigmoid(-d·side·SHARPNESS): an edge about one pixel wide. Light is a linear ramp over the whole
picture, brighter where it comes from. Textures are dark stripes or dots that stand with the object.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from models.scenes.sample import SceneBatch
from models.scenes.vocabulary import (
    BACKGROUND_RGB,
    COLOUR_RGB,
    COLUMNS,
    MAX_OBJECTS,
    SIZE_RADIUS,
)
from semcom_blocks.errors import require_range

SHARPNESS = 2.0
RAMP = 0.35  # brightness of background and objects goes by ±35 % …
GLOW = 0.05  # … and ±0.05, so that the light shows on black too
STRIPE_PERIOD = 0.078  # of the side: 5 pixels of 64, which is two stripes in a small object
DOT_PERIOD = 0.073  # 4.7 pixels of 64: five dots or more in a small object
DOT_RADIUS = 0.024
RIM = 0.012  # plain edge around every texture, so that the outline stays whole
DARK = 0.3  # brightness of stripes and dots
CROSS_ARM = 0.36  # half the width of a cross's arm, in its radius
TOWARDS = ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))  # of LIGHTS, x right, y down


def render(batch: SceneBatch, side: int = 64) -> Tensor:
    """Pictures float32 (N,3,side,side) in [0,1]."""
    require_range("side", side, 16, 1024)
    axis = (torch.arange(side) + 0.5) / side
    x, y = axis[None, None, :], axis[None, :, None]  # (1,1,S), (1,S,1)
    rgb = torch.tensor(BACKGROUND_RGB)[batch.background] + batch.tint[:, -1]
    picture = rgb[:, :, None, None].expand(-1, 3, side, side)
    for j in range(MAX_OBJECTS):
        picture = _lay(picture, batch, j, x, y, side)
    towards = torch.tensor(TOWARDS)[batch.light][:, :, None, None]  # (N,2,1,1)
    ramp = towards[:, 0] * (2 * x - 1) + towards[:, 1] * (2 * y - 1)  # (N,S,S), -1…1
    return (picture * (1 + RAMP * ramp[:, None]) + GLOW * ramp[:, None]).clamp(0, 1)


def _lay(picture: Tensor, batch: SceneBatch, j: int, x: Tensor, y: Tensor, side: int) -> Tensor:
    """Lay object ``j`` of each scene over its picture."""

    def per_scene(values: Tensor) -> Tensor:
        return values[:, None, None]

    radius = per_scene(torch.tensor(SIZE_RADIUS)[batch.size[:, j]] * (1 + batch.stretch[:, j]))
    column, row = batch.cell[:, j] % len(COLUMNS), batch.cell[:, j] // len(COLUMNS)
    dx = x - per_scene((column + 0.5) / len(COLUMNS) + batch.shift[:, j, 0])  # (N,1,S)
    dy = y - per_scene((row + 0.5) / len(COLUMNS) + batch.shift[:, j, 1])  # (N,S,1)

    distance = torch.empty(len(batch), side, side)
    for k, shape in enumerate((_circle, _square, _triangle, _cross)):
        those = batch.shape[:, j] == k
        if those.any():
            distance[those] = shape(dx[those], dy[those], radius[those])
    opacity = torch.sigmoid(-distance * (side * SHARPNESS))
    opacity = opacity * per_scene(batch.count > j)

    inside = torch.sigmoid(-(distance + RIM) * (side * SHARPNESS))
    shade = torch.ones(len(batch), side, side)
    striped, dotted = batch.texture[:, j] == 1, batch.texture[:, j] == 2
    if striped.any():
        wave = torch.cos(dy[striped] * (2 * math.pi / STRIPE_PERIOD))
        # Its steepest part is as sharp as a shape's edge.
        dark = torch.sigmoid(wave * (STRIPE_PERIOD / (2 * math.pi) * side * SHARPNESS))
        shade[striped] = 1 - (1 - DARK) * dark * inside[striped]
    if dotted.any():
        u, v = (torch.remainder(d[dotted] / DOT_PERIOD + 0.5, 1) - 0.5 for d in (dx, dy))
        away = (u.square() + v.square()).sqrt() * DOT_PERIOD - DOT_RADIUS
        dark = torch.sigmoid(-away * (side * SHARPNESS))
        shade[dotted] = 1 - (1 - DARK) * dark * inside[dotted]

    rgb = torch.tensor(COLOUR_RGB)[batch.colour[:, j]] + batch.tint[:, j]
    return torch.lerp(picture, rgb[:, :, None, None] * shade[:, None], opacity[:, None])


def _circle(dx: Tensor, dy: Tensor, r: Tensor) -> Tensor:
    return (dx.square() + dy.square()).sqrt() - r


def _square(dx: Tensor, dy: Tensor, r: Tensor) -> Tensor:
    return torch.maximum(dx.abs(), dy.abs()) - 0.88 * r  # about the circle's area


def _triangle(dx: Tensor, dy: Tensor, r: Tensor) -> Tensor:
    """Apex up, isosceles, from -r to 0.9 r."""
    slope = (2.0 * dx.abs() - (dy + r)) / 5**0.5  # distance to a flank that falls two to one
    return torch.maximum(slope, dy - 0.9 * r)


def _cross(dx: Tensor, dy: Tensor, r: Tensor) -> Tensor:
    a, b = dx.abs(), dy.abs()
    upright = torch.maximum(a - CROSS_ARM * r, b - r)
    level = torch.maximum(a - r, b - CROSS_ARM * r)
    return torch.minimum(upright, level)


def to_uint8(pictures: Tensor) -> Tensor:
    """Float (N,3,H,W) in [0,1] → uint8 (N,H,W,3)."""
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
