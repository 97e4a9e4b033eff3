# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions in a few characters: every choice that the grammar leaves is one digit.

A caption is a number in a mixed radix, least digit first: how many objects; whether all is said;
of each object its colour, shape, size, texture and place; background and light; the relations.
Where all is said, the digits have no value for "left out". Of the relations "none" and "each object
to the next one" are one digit, other ones are listed. The number is written in base 128, so each
character is one byte of UTF-8 and carries seven bits.

Exact: only what :func:`models.scenes.grammar.write` writes is packed, all else is left as it is.
Source of the idea: context-free coding, R. Cameron, "Source encoding using syntactic information
source models", IEEE Trans. Information Theory 34(4), 1988.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.scenes.grammar import parse, write
from models.scenes.scene import Relation, Scene, SceneObject, neighbour_relations
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
from semcom_blocks.errors import ConfigError

BASE = 128
MAX_RELATIONS = 16  # listed; a caption with more is left as it is
PLACES = tuple(f"{row} {column}" for row in ROWS for column in COLUMNS)
NO_RELATIONS, NEIGHBOURS, LISTED = range(3)


@dataclass
class _Writer:
    """Digits, least first."""

    digits: list[tuple[int, int]]  # (digit, radix)

    def number(self, digit: int, radix: int) -> int:
        self.digits.append((digit, radix))
        return digit

    def word(self, value: str | None, words: Sequence[str], whole: bool) -> str | None:
        index = 0 if value is None else words.index(value) + (not whole)
        self.number(index, len(words) + (not whole))
        return value

    def value(self) -> int:
        total = 0
        for digit, radix in reversed(self.digits):
            total = total * radix + digit
        return total


@dataclass
class _Reader:
    """The same calls as a writer's, answered from the number."""

    total: int

    def number(self, digit: int, radix: int) -> int:
        self.total, found = divmod(self.total, radix)
        return found

    def word(self, value: str | None, words: Sequence[str], whole: bool) -> str | None:
        index = self.number(0, len(words) + (not whole)) - (not whole)
        return None if index < 0 else words[index]


_BLANK = SceneObject(COLOURS[0], SHAPES[0])


def _walk(code: _Writer | _Reader, scene: Scene) -> Scene:
    """Write ``scene``, or read one (of ``scene`` nothing counts then): the format, told once."""
    count = code.number(len(scene.objects) - 1, MAX_OBJECTS) + 1
    whole = bool(code.number(scene.complete, 2))
    given = [*scene.objects, *[_BLANK] * MAX_OBJECTS][:count]
    objects = tuple(_object(code, item, whole) for item in given)
    background = code.word(scene.background, BACKGROUNDS, whole)
    light = code.word(scene.light, LIGHTS, whole)
    neighbours = neighbour_relations(objects)
    kind = NO_RELATIONS if not scene.relations else LISTED
    if scene.relations and scene.relations == neighbours:
        kind = NEIGHBOURS
    kind = code.number(kind, 3)
    relations: tuple[Relation, ...] = {NO_RELATIONS: (), NEIGHBOURS: neighbours}.get(kind, ())
    if kind == LISTED:
        number = code.number(len(scene.relations) - 1, MAX_RELATIONS) + 1
        listed = [*scene.relations, *[Relation(0, RELATIONS[0], 1)] * number][:number]
        relations = tuple(_relation(code, item, count) for item in listed)
    return Scene(objects, background, light, relations)


def _object(code: _Writer | _Reader, item: SceneObject, whole: bool) -> SceneObject:
    colour = code.word(item.colour, COLOURS, True)
    shape = code.word(item.shape, SHAPES, True)
    size = code.word(item.size, SIZES, whole)
    texture = code.word(item.texture, TEXTURES, whole)
    place = code.word(None if item.cell is None else PLACES[item.cell], PLACES, whole)
    row, column = place.split() if place else (None, None)
    assert colour is not None and shape is not None
    return SceneObject(colour, shape, size, texture, row, column)


def _relation(code: _Writer | _Reader, item: Relation, count: int) -> Relation:
    first = code.number(item.first, count)
    kind = code.word(item.kind, RELATIONS, True)
    second = code.number(item.second, count)
    assert kind is not None
    return Relation(first, kind, second)


def pack(caption: str) -> str | None:
    """``caption`` as a few ASCII characters; ``None`` where :func:`unpack` could not restore it."""
    try:
        scene = parse(caption)
    except ConfigError:
        return None
    if write(scene) != caption or len(scene.relations) > MAX_RELATIONS:
        return None
    writer = _Writer([])
    _walk(writer, scene)
    total, packed = writer.value(), ""
    while total:
        total, digit = divmod(total, BASE)
        packed += chr(digit)
    return packed


def unpack(packed: str) -> str:
    """The caption of what :func:`pack` gave; raises :class:`ConfigError` for anything else."""
    total = 0
    for char in reversed(packed):
        if ord(char) >= BASE:
            raise ConfigError(f"packed caption has {char!a}, permitted: ASCII")
        total = total * BASE + ord(char)
    reader = _Reader(total)
    caption = write(_walk(reader, Scene((_BLANK,))))
    if reader.total:
        raise ConfigError("packed caption is too long, permitted: one caption")
    return caption
