# SPDX-License-Identifier: GPL-3.0-or-later
"""What may follow in a caption: the grammar as a captioner walks it, one word at a time.

It holds the form that :func:`models.scenes.grammar.write` gives complete scenes: objects in reading
order, one a cell, no two of one colour and shape, then background and light, then the relation of
each object and the next. Every walk to the end is a caption that the grammar parses to a scene, and
every complete scene in order has exactly one.
"""

from __future__ import annotations

from collections.abc import Generator

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

Words = tuple[str, ...]


class CaptionPath:
    """``allowed``: the words that may stand next, empty at the end; :meth:`take` one of them."""

    def __init__(self) -> None:
        self._walk = _caption()
        self.allowed: Words = next(self._walk)

    def take(self, word: str) -> None:
        """Go on with ``word``; ValueError where it is not allowed."""
        if word not in self.allowed:
            raise ValueError(f"word is {word!r}, permitted: {', '.join(self.allowed)}")
        try:
            self.allowed = self._walk.send(word)
        except StopIteration:
            self.allowed = ()


def _caption() -> Generator[Words, str, None]:
    objects: list[tuple[str, str]] = []
    cells: list[int] = []
    least_after = 0  # objects that must still follow, each in a later cell
    while True:
        last = cells[-1] if cells else -1
        free = range(last + 1, CELLS - least_after)
        named, cell = yield from _object(objects, free)
        objects.append(named)
        cells.append(cell)
        if least_after == 1:  # the second of three
            yield ("and",)
            least_after = 0
            continue
        if len(objects) == MAX_OBJECTS:
            yield ("on",)
            break
        joiners = ["on"]
        if len(objects) == 1:
            room = CELLS - 1 - cell
            joiners += ["and"] * (room >= 1) + [","] * (room >= 2)
        joiner = yield tuple(joiners)
        if joiner == "on":
            break
        least_after = 1 if joiner == "," else 0
    yield ("a",)
    yield BACKGROUNDS
    for word in ("background", "lit", "from"):
        yield (word,)
    first = yield ("the", *LIGHTS[2:])
    if first == "the":
        yield LIGHTS[:2]
    yield (".",)
    for i in range(len(objects) - 1):
        yield from _relation(objects, cells, i)


def _object(
    others: list[tuple[str, str]], free: range
) -> Generator[Words, str, tuple[tuple[str, str], int]]:
    yield ("a",)
    yield SIZES
    yield TEXTURES
    colour = yield tuple(c for c in COLOURS if sum(o[0] == c for o in others) < len(SHAPES))
    shape = yield tuple(s for s in SHAPES if (colour, s) not in others)
    yield ("at",)
    yield ("the",)
    wide = len(COLUMNS)
    row = ROWS.index((yield tuple(r for i, r in enumerate(ROWS) if _some(free, i * wide, wide))))
    column = yield tuple(c for i, c in enumerate(COLUMNS) if row * wide + i in free)
    return (colour, shape), row * wide + COLUMNS.index(column)


def _some(free: range, start: int, count: int) -> bool:
    return any(cell in free for cell in range(start, start + count))


def _relation(
    objects: list[tuple[str, str]], cells: list[int], i: int
) -> Generator[Words, str, None]:
    rows = [cell // len(COLUMNS) for cell in cells]
    kind = ("above",) if rows[i] != rows[i + 1] else ("left", "of")
    for word in ("the", *objects[i], "is", *kind, "the", *objects[i + 1], "."):
        yield (word,)
