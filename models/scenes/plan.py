# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a caption leaves open: every place that its relations allow is equally likely.

A prompt alone ("a red circle and a blue square. the red circle is above the blue square.") has many
pictures. Choosing one in words first, then drawing it, keeps the relations by construction; only
the drawing is left to the network.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations

from models.scenes.scene import Scene, SceneObject
from models.scenes.vocabulary import (
    BACKGROUNDS,
    CELLS,
    COLUMNS,
    LIGHTS,
    ROWS,
    SIZES,
    TEXTURES,
)
from semcom_blocks.errors import ConfigError


def _at(item: SceneObject, cell: int) -> SceneObject:
    row, column = divmod(cell, len(COLUMNS))
    return replace(item, row=ROWS[row], column=COLUMNS[column])


def arrangements(scene: Scene) -> list[tuple[SceneObject, ...]]:
    """Every way to place the objects that agrees with the places and relations that are said."""
    found = []
    for cells in permutations(range(CELLS), len(scene.objects)):  # 504 for three objects
        if any(o.cell not in (None, c) for o, c in zip(scene.objects, cells, strict=True)):
            continue
        placed = tuple(_at(o, c) for o, c in zip(scene.objects, cells, strict=True))
        if all(r.holds(placed[r.first], placed[r.second]) for r in scene.relations):
            found.append(placed)
    return found


def complete(scene: Scene, rng: random.Random) -> Scene:
    """``scene`` with all that is open chosen, in reading order with the neighbours' relations.

    Raises :class:`ConfigError` where the relations contradict each other.
    """
    choices = arrangements(scene)
    if not choices:
        stated = ", ".join(
            f"{scene.objects[r.first].colour} {scene.objects[r.first].shape} {r.kind} "
            f"{scene.objects[r.second].colour} {scene.objects[r.second].shape}"
            for r in scene.relations
        )
        raise ConfigError(f"relations are {stated}, permitted: such as can all hold at once")
    objects = tuple(
        replace(o, size=o.size or rng.choice(SIZES), texture=o.texture or rng.choice(TEXTURES))
        for o in rng.choice(choices)
    )
    background = scene.background or rng.choice(BACKGROUNDS)
    light = scene.light or rng.choice(LIGHTS)
    return Scene(objects, background, light).in_order()
