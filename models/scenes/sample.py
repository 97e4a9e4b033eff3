# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes by the batch: attributes as integer tensors, drawn uniformly, and back to words.

Objects stand in reading order of their cells. Behind ``count`` objects the columns are padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from models.scenes.scene import Scene, SceneObject, neighbour_relations
from models.scenes.vocabulary import (
    BACKGROUNDS,
    CELLS,
    COLOURS,
    COLUMNS,
    LIGHTS,
    MAX_OBJECTS,
    ROWS,
    SHAPES,
    SIZES,
    TEXTURES,
)
from semcom_blocks.errors import ConfigError

SHIFT = 0.02  # of the side: an object stands at most so far from the middle of its cell
STRETCH = 0.06  # its radius is off by at most this share
TINT = 0.03  # a colour's channels are off by at most this much


@dataclass(frozen=True)
class SceneBatch:
    """N scenes. Classes int64: per object (N,3), per scene (N,). What no caption says: float32.

    count: 1…3 objects.  cell: 0…8.  shift (N,3,2): of the middle, x then y, in sides.
    stretch (N,3): of the radius.  tint (N,4,3): added to the objects' and the background's RGB.
    """

    count: Tensor
    shape: Tensor
    colour: Tensor
    size: Tensor
    texture: Tensor
    cell: Tensor
    background: Tensor
    light: Tensor
    shift: Tensor
    stretch: Tensor
    tint: Tensor

    def __len__(self) -> int:
        return len(self.count)

    def __getitem__(self, index: Tensor | slice) -> SceneBatch:
        """Those of a slice or of an index tensor."""
        return SceneBatch(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def scenes(self) -> list[Scene]:
        """As words, complete, with the neighbours' relations."""
        table = {f.name: getattr(self, f.name).tolist() for f in fields(self)}
        found = []
        for i, count in enumerate(table["count"]):
            objects = tuple(
                SceneObject(
                    COLOURS[table["colour"][i][j]],
                    SHAPES[table["shape"][i][j]],
                    SIZES[table["size"][i][j]],
                    TEXTURES[table["texture"][i][j]],
                    ROWS[table["cell"][i][j] // len(COLUMNS)],
                    COLUMNS[table["cell"][i][j] % len(COLUMNS)],
                )
                for j in range(count)
            )
            background = BACKGROUNDS[table["background"][i]]
            light = LIGHTS[table["light"][i]]
            found.append(Scene(objects, background, light, neighbour_relations(objects)))
        return found


def sample(
    number: int, generator: torch.Generator, count: int | None = None, jitter: bool = True
) -> SceneBatch:
    """Draw ``number`` scenes of ``count`` objects (None: 1 to MAX_OBJECTS, equally often)."""
    g = generator

    def draw(classes: int, *shape: int) -> Tensor:
        return torch.randint(classes, (number, *shape), generator=g)

    def off(limit: float, *shape: int) -> Tensor:
        return (2 * torch.rand(number, *shape, generator=g) - 1) * (limit if jitter else 0.0)

    # Different cells, and different (colour, shape) pairs: the first columns of random orders.
    cells = torch.rand(number, CELLS, generator=g).argsort(1)[:, :MAX_OBJECTS]
    pairs = torch.rand(number, len(COLOURS) * len(SHAPES), generator=g).argsort(1)[:, :MAX_OBJECTS]
    counts = draw(MAX_OBJECTS) + 1 if count is None else torch.full((number,), count)
    behind = torch.arange(MAX_OBJECTS) >= counts[:, None]
    order = (cells + CELLS * behind).argsort(1)  # reading order, padding last
    return SceneBatch(
        counts,
        (pairs // len(COLOURS)).gather(1, order),
        (pairs % len(COLOURS)).gather(1, order),
        draw(len(SIZES), MAX_OBJECTS),
        draw(len(TEXTURES), MAX_OBJECTS),
        cells.gather(1, order),
        draw(len(BACKGROUNDS)),
        draw(len(LIGHTS)),
        off(SHIFT, MAX_OBJECTS, 2),
        off(STRETCH, MAX_OBJECTS),
        off(TINT, MAX_OBJECTS + 1, 3),
    )


def from_scenes(
    scenes: Sequence[Scene], generator: torch.Generator | None = None, jitter: bool = True
) -> SceneBatch:
    """Complete scenes as a batch; shifts and tints from ``generator``, or none without one."""
    drawn = sample(
        len(scenes),
        generator or torch.Generator().manual_seed(0),
        jitter=jitter and bool(generator),
    )
    table = {
        name: torch.zeros(len(scenes), MAX_OBJECTS, dtype=torch.int64)
        for name in ("shape", "colour", "size", "texture", "cell")
    }
    for i, scene in enumerate(scenes):
        if not scene.complete:
            raise ConfigError(f"scene {i} leaves attributes open, permitted: complete scenes")
        for j, item in enumerate(sorted(scene.objects, key=lambda o: o.cell or 0)):
            table["shape"][i, j] = SHAPES.index(item.shape)
            table["colour"][i, j] = COLOURS.index(item.colour)
            table["size"][i, j] = SIZES.index(item.size)
            table["texture"][i, j] = TEXTURES.index(item.texture)
            table["cell"][i, j] = item.cell
    return SceneBatch(
        torch.tensor([len(s.objects) for s in scenes]),
        **table,
        background=torch.tensor([BACKGROUNDS.index(s.background) for s in scenes]),
        light=torch.tensor([LIGHTS.index(s.light) for s in scenes]),
        shift=drawn.shift,
        stretch=drawn.stretch,
        tint=drawn.tint,
    )
