# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions that say less than all: what a person writes, and what relations are for.

A prompt that leaves the places open and states "the red circle is above the blue square" can only
be met by a generator that reads the relation.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

from models.scenes.scene import Relation, Scene, SceneObject
from models.scenes.vocabulary import RELATIONS

LOOSE_SHARE = 0.3  # of sizes, textures, backgrounds and lights left out
SHUFFLED_SHARE = 0.5  # of captions without places
DROPPED_RELATIONS = 0.25


def _some_relation(
    objects: tuple[SceneObject, ...], i: int, j: int, rng: random.Random
) -> Relation:
    """A true relation of two placed objects, told from either of them."""
    true = [
        Relation(a, kind, b)
        for a, b in ((i, j), (j, i))
        for kind in RELATIONS
        if Relation(a, kind, b).holds(objects[a], objects[b])
    ]
    return rng.choice(true)


def relational(scene: Scene, rng: random.Random) -> Scene:
    """``scene`` without places, its objects in any order, each in a relation to the next."""
    objects = list(scene.objects)
    rng.shuffle(objects)
    relations = tuple(
        _some_relation(tuple(objects), i, j, rng) for i, j in pairwise(range(len(objects)))
    )
    placeless = tuple(replace(o, row=None, column=None) for o in objects)
    return replace(scene, objects=placeless, relations=relations)


def loosen(scene: Scene, rng: random.Random) -> Scene:
    """``scene`` with some attributes left out; half of the time without any place."""

    def keep(value: str | None) -> str | None:
        return None if rng.random() < LOOSE_SHARE else value

    if rng.random() < SHUFFLED_SHARE:
        scene = relational(scene, rng)
    else:
        relations = tuple(r for r in scene.relations if rng.random() >= DROPPED_RELATIONS)
        scene = replace(scene, relations=relations)
    objects = tuple(replace(o, size=keep(o.size), texture=keep(o.texture)) for o in scene.objects)
    return replace(
        scene, objects=objects, background=keep(scene.background), light=keep(scene.light)
    )
