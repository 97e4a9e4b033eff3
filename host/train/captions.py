# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions for contrastive training: shortened ones, and ones that are wrong in one thing."""

from __future__ import annotations

from dataclasses import replace

import torch

from models.scenes.scene import Scene, SceneObject
from models.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    COLUMNS,
    LIGHTS,
    RELATIONS,
    ROWS,
    SHAPES,
    SIZES,
    TEXTURES,
)

KEPT = 0.75  # chance of each attribute to stay, in a caption that is shortened
WORDS = {"size": SIZES, "texture": TEXTURES, "colour": COLOURS, "shape": SHAPES}


def _chance(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def _pick(choices, generator: torch.Generator):
    return choices[int(torch.randint(len(choices), (), generator=generator))]


def shortened(scene: Scene, generator: torch.Generator) -> Scene:
    """The scene with some of its attributes not said; relations all or none."""
    objects = []
    for item in scene.objects:
        if _chance(generator) > KEPT:
            item = replace(item, size=None)
        if _chance(generator) > KEPT:
            item = replace(item, texture=None)
        if _chance(generator) > KEPT:
            item = replace(item, row=None, column=None)
        objects.append(item)
    return Scene(
        tuple(objects),
        scene.background if _chance(generator) < KEPT else None,
        scene.light if _chance(generator) < KEPT else None,
        scene.relations if _chance(generator) < KEPT else (),
    )


def wrong(scene: Scene, generator: torch.Generator) -> Scene:
    """The scene with one thing changed that its caption says; relations follow the new places.

    Where two objects differ in colour, a third of the changes exchanges their colours: the words
    stay the same, only their binding is wrong.
    """
    objects = scene.objects
    if len(objects) > 1 and _chance(generator) < 1 / 3:
        i = int(torch.randint(len(objects) - 1, (), generator=generator))
        a, b = objects[i], objects[i + 1]
        new = _with(objects, {i: replace(a, colour=b.colour), i + 1: replace(b, colour=a.colour)})
        if new != objects and _apart(new):
            return _scene(scene, new)
    for _ in range(20):  # an exchange may meet what is there already; then another is drawn
        kind = _pick((*WORDS, "place", "background", "light"), generator)
        if kind in ("background", "light"):
            if getattr(scene, kind) is not None:
                others = BACKGROUNDS if kind == "background" else LIGHTS
                value = _pick([v for v in others if v != getattr(scene, kind)], generator)
                return replace(scene, **{kind: value})
            continue
        i = int(torch.randint(len(objects), (), generator=generator))
        item = objects[i]
        if kind == "place" and item.row is not None:
            changed = replace(item, row=_pick(ROWS, generator), column=_pick(COLUMNS, generator))
        elif kind != "place" and getattr(item, kind) is not None:
            value = _pick([v for v in WORDS[kind] if v != getattr(item, kind)], generator)
            changed = replace(item, **{kind: value})
        else:
            continue
        new = _with(objects, {i: changed})
        if new != objects and _apart(new):
            return _scene(scene, new)
    other = _pick([c for c in COLOURS if all(c != o.colour for o in objects)], generator)
    new = _with(objects, {0: replace(objects[0], colour=other)})
    return _scene(scene, new)


def _scene(scene: Scene, objects: tuple[SceneObject, ...]) -> Scene:
    """The scene with other objects; as many relations as before, turned where places changed."""
    relations = []
    for relation in scene.relations:
        a, b = objects[relation.first], objects[relation.second]
        if None not in (a.row, b.row) and not relation.holds(a, b):
            others = (replace(relation, kind=kind) for kind in RELATIONS)
            relation = next(other for other in others if other.holds(a, b))
        relations.append(relation)
    return replace(scene, objects=objects, relations=tuple(relations))


def _with(objects: tuple[SceneObject, ...], changes: dict[int, SceneObject]):
    return tuple(changes.get(i, item) for i, item in enumerate(objects))


def _apart(objects: tuple[SceneObject, ...]) -> bool:
    """Whether no two share colour and shape, or a place: what a scene may not have."""
    cells = [o.cell for o in objects if o.cell is not None]
    kinds = {(o.colour, o.shape) for o in objects}
    return len(kinds) == len(objects) and len(set(cells)) == len(cells)
