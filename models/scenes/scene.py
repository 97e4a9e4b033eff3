# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene as words: what a caption says and what a judge reads off a picture.

An attribute that is ``None`` is not said: any value fits. A scene without any ``None`` is complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from models.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    COLUMNS,
    LIGHTS,
    MAX_OBJECTS,
    RELATIONS,
    ROWS,
    SHAPES,
    SIZES,
    TEXTURES,
)
from semcom_blocks.errors import ConfigError, require_choice, require_range

OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


def _optional(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None:
        require_choice(name, value, choices)


@dataclass(frozen=True)
class SceneObject:
    """One object; ``row`` and ``column`` are its cell on a 3x3 grid, both or neither."""

    colour: str
    shape: str
    size: str | None = None
    texture: str | None = None
    row: str | None = None
    column: str | None = None

    def __post_init__(self) -> None:
        require_choice("colour", self.colour, COLOURS)
        require_choice("shape", self.shape, SHAPES)
        _optional("size", self.size, SIZES)
        _optional("texture", self.texture, TEXTURES)
        _optional("row", self.row, ROWS)
        _optional("column", self.column, COLUMNS)
        if (self.row is None) != (self.column is None):
            raise ConfigError(
                f"place is {(self.row, self.column)!r}, permitted: row and column, or neither"
            )

    @property
    def cell(self) -> int | None:
        """Number of its place in reading order, 0…8, or None."""
        if self.row is None or self.column is None:
            return None
        return ROWS.index(self.row) * len(COLUMNS) + COLUMNS.index(self.column)


@dataclass(frozen=True)
class Relation:
    """``objects[first]`` is ``kind`` (left of, above, …) ``objects[second]`` in the picture."""

    first: int
    kind: str
    second: int

    def __post_init__(self) -> None:
        require_choice("relation", self.kind, RELATIONS)
        if self.first == self.second:
            raise ConfigError(f"relation is of object {self.first} to itself, permitted: of two")

    def holds(self, first: SceneObject, second: SceneObject) -> bool:
        """Whether two placed objects stand so; in one column none is left of the other."""
        if None in (first.row, second.row):
            return False
        across = COLUMNS.index(second.column) - COLUMNS.index(first.column)  # type: ignore[arg-type]
        down = ROWS.index(second.row) - ROWS.index(first.row)  # type: ignore[arg-type]
        return {"left of": across, "right of": -across, "above": down, "below": -down}[
            self.kind
        ] > 0


@dataclass(frozen=True)
class Scene:
    """Up to MAX_OBJECTS objects on a background under a light, and what is said of their order.

    No two objects share colour and shape: so a caption can refer to each. A judge's reading of a
    bad picture may break that and may hold more objects; it is made with ``checked=False``.
    """

    objects: tuple[SceneObject, ...]
    background: str | None = None
    light: str | None = None
    relations: tuple[Relation, ...] = ()
    checked: bool = True

    def __post_init__(self) -> None:
        _optional("background", self.background, BACKGROUNDS)
        _optional("light", self.light, LIGHTS)
        if not self.checked:
            return
        require_range("number of objects", len(self.objects), 1, MAX_OBJECTS)
        seen = set()
        cells = [o.cell for o in self.objects if o.cell is not None]
        for item in self.objects:
            if (item.colour, item.shape) in seen:
                raise ConfigError(
                    f"objects has two of {item.colour + ' ' + item.shape!r}, permitted: one of a "
                    "colour and shape"
                )
            seen.add((item.colour, item.shape))
        if len(set(cells)) < len(cells):
            raise ConfigError("objects has two in one place, permitted: one a place")
        for relation in self.relations:
            for index in (relation.first, relation.second):
                require_range("relation's object", index, 0, len(self.objects) - 1)
            a, b = self.objects[relation.first], self.objects[relation.second]
            if None not in (a.row, b.row) and not relation.holds(a, b):
                raise ConfigError(
                    f"relation is {a.colour} {a.shape} {relation.kind} {b.colour} {b.shape}, "
                    "permitted: what the places allow"
                )

    @property
    def complete(self) -> bool:
        """Whether every attribute is said."""
        said = (v for o in self.objects for v in (o.size, o.texture, o.row))
        return None not in (*said, self.background, self.light)

    def in_order(self) -> Scene:
        """The same scene as a caption tells it: reading order, neighbours' relations stated."""
        objects = tuple(sorted(self.objects, key=lambda o: (o.cell is None, o.cell or 0)))
        return replace(self, objects=objects, relations=neighbour_relations(objects))


def neighbour_relations(objects: Sequence[SceneObject]) -> tuple[Relation, ...]:
    """One relation for each object and the next one: above where rows differ, else left of.

    ``objects`` are in reading order; pairs without places have none.
    """
    relations = []
    for i, (a, b) in enumerate(pairwise(objects)):
        if None in (a.row, b.row):
            continue
        relations.append(Relation(i, "above" if a.row != b.row else "left of", i + 1))
    return tuple(relations)
