# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions of scenes: written one way, read exactly, and a stranger among the words is named.

::

    caption   = objects ["on a" background "background"] ["lit from" light] {"." relation} ["."]
    objects   = object {("," | "and") object}
    object    = ("a" | "an") [size] [texture] colour shape ["at the" row column]
    light     = "the left" | "the right" | "above" | "below"
    relation  = "the" colour shape "is" ("left of" | "right of" | "above" | "below")
                "the" colour shape

e.g. "a large striped red circle at the top left and a small plain blue square at the bottom right
on a grey background lit from the left. the red circle is above the blue square."

``parse(write(scene)) == scene`` for every scene that the grammar can say. Upper case and spacing
are free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from models.scenes.scene import Relation, Scene, SceneObject
from models.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    COLUMNS,
    LIGHTS,
    ROWS,
    SHAPES,
    SIZES,
    TEXTURES,
)
from semcom_blocks.errors import ConfigError

FILLERS = ("a", "an", "and", "at", "the", "on", "background", "lit", "from", "is", "of")
WORDS = tuple(
    dict.fromkeys(
        (*FILLERS, *SIZES, *TEXTURES, *COLOURS, *SHAPES, *ROWS, *COLUMNS, *BACKGROUNDS, *LIGHTS)
    )
)
MAX_CAPTION_CHARS = 2000  # the longest caption has under 500
SHOWN_CHARS = 40  # of a foreign word in an error

_TOKEN = re.compile(r"[^\s,.]+|[,.]")


def tokens_of(text: str) -> list[str]:
    """Words and punctuation, lower case."""
    return _TOKEN.findall(text.lower())


def first_foreign_word(text: str) -> str | None:
    """The first word that no caption holds, or None."""
    known = {*WORDS, ",", "."}
    return next((t for t in tokens_of(text) if t not in known), None)


def write(scene: Scene) -> str:
    """The caption of ``scene``; what is ``None`` is left out."""
    parts = [_object_text(o) for o in scene.objects]
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    if scene.background:
        text += f" on a {scene.background} background"
    if scene.light:
        article = "the " if scene.light in ("left", "right") else ""
        text += f" lit from {article}{scene.light}"
    text += "."
    for relation in scene.relations:
        a, b = scene.objects[relation.first], scene.objects[relation.second]
        text += f" the {a.colour} {a.shape} is {relation.kind} the {b.colour} {b.shape}."
    return text


def _object_text(item: SceneObject) -> str:
    words = ["a", item.size, item.texture, item.colour, item.shape]
    if item.row:
        words += ["at the", item.row, item.column]
    return " ".join(w for w in words if w)


def parse(text: str) -> Scene:
    """The scene that ``text`` describes; :class:`ConfigError` names the first wrong word."""
    if len(text) > MAX_CAPTION_CHARS:
        raise ConfigError(f"caption has {len(text)} characters, permitted: {MAX_CAPTION_CHARS}")
    if word := first_foreign_word(text):
        raise ConfigError(
            f"caption has the word {word[:SHOWN_CHARS]!r}, permitted: words of the scene grammar"
        )
    return _Parser(tokens_of(text)).caption()


class _Parser:
    """Recursive descent over the tokens; every complaint names the token and what may stand."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def refuse(self, permitted: Iterable[str]) -> ConfigError:
        found = self.peek()
        shown = "its end" if found is None else f"{found!r}"
        return ConfigError(
            f"caption has {shown} as word {self.at + 1}, permitted there: {', '.join(permitted)}"
        )

    def take(self, *permitted: str) -> str:
        word = self.peek()
        if word not in permitted:
            raise self.refuse(permitted)
        self.at += 1
        return word  # type: ignore[return-value]

    def maybe(self, *permitted: str) -> str | None:
        return self.take(*permitted) if self.peek() in permitted else None

    def caption(self) -> Scene:
        objects = [self.object()]
        while self.maybe(",", "and"):
            self.maybe("and")  # ", and"
            objects.append(self.object())
        background = light = None
        if self.maybe("on"):
            self.take("a", "an")
            background = self.take(*BACKGROUNDS)
            self.take("background")
        self.maybe(",")
        if self.maybe("lit"):
            self.take("from")
            light = self.take(*LIGHTS[:2]) if self.maybe("the") else self.take(*LIGHTS[2:], "the")
        relations = []
        while self.maybe("."):
            if self.peek() is None:
                break
            relations.append(self.relation(objects))
        if self.peek() is not None:
            raise self.refuse((",", "and", "on", "lit", "."))
        return Scene(tuple(objects), background, light, tuple(relations))

    def object(self) -> SceneObject:
        self.take("a", "an")
        size = self.maybe(*SIZES)
        texture = self.maybe(*TEXTURES)
        colour = self.take(*COLOURS)
        shape = self.take(*SHAPES)
        row = column = None
        if self.maybe("at"):
            self.take("the")
            row = self.take(*ROWS)
            column = self.take(*COLUMNS)
        return SceneObject(colour, shape, size, texture, row, column)

    def relation(self, objects: list[SceneObject]) -> Relation:
        first = self.named(objects)
        self.take("is")
        kind = self.take("left", "right", "above", "below")
        if kind in ("left", "right"):
            self.take("of")
            kind += " of"
        return Relation(first, kind, self.named(objects))

    def named(self, objects: list[SceneObject]) -> int:
        """Index of the object that "the red circle" refers to."""
        self.take("the")
        colour, shape = self.take(*COLOURS), self.take(*SHAPES)
        for index, item in enumerate(objects):
            if (item.colour, item.shape) == (colour, shape):
                return index
        there = ", ".join(f"{o.colour} {o.shape}" for o in objects)
        raise ConfigError(f"relation is of the {colour} {shape}, permitted: {there}")
