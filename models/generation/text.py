# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions to tokens: words that mean one thing become one token, fillers none.

"a large red circle at the top left on a grey background lit from above." becomes

    token     large  red  circle  top left  |  grey  from above
    segment   0      0    0       0         |  3     3
    cell      1      1    1       1         |  0     0

A token is a word, a place ("top left"), a relation ("left of") or a light ("from above"). Segments
0…2 are the objects, 3 is the scene, from 4 on one a relation: the binding of an attribute to its
object is in the text's commas already, so the network need not find it out. A cell is the place
that the caption gives to the segment, counted from 1 in reading order, 0 where it gives none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.scenes.grammar import FILLERS, tokens_of
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

PAD = 0  # behind the end; a text of pads only is the empty prompt
MAX_TOKENS = 32  # three objects in full (15), background, light and three relations (15)
SCENE_SEGMENT = MAX_OBJECTS
SEGMENTS = 8  # objects, scene, and up to four relations apart
TOKENS = (
    "",
    *SIZES,
    *TEXTURES,
    *COLOURS,
    *SHAPES,
    *(f"{row} {column}" for row in ROWS for column in COLUMNS),
    *BACKGROUNDS,
    *(f"from {light}" for light in LIGHTS),
    *RELATIONS,
)
_INDEX = {token: i for i, token in enumerate(TOKENS)}
_PLACES = [f"{row} {column}" for row in ROWS for column in COLUMNS]
_CELLS = {place: i + 1 for i, place in enumerate(_PLACES)}
_SILENT = {*FILLERS, *ROWS, *COLUMNS}  # no tokens of their own


@dataclass(frozen=True)
class Tokens:
    """ids, segments and cells (n,) with n ≤ MAX_TOKENS; dropped: tokens behind the limit."""

    ids: tuple[int, ...]
    segments: tuple[int, ...]
    cells: tuple[int, ...]
    dropped: tuple[str, ...] = ()


def tokenise(text: str) -> Tokens:
    """Tokens of a caption; words that are no token (:mod:`models.scenes.grammar` names them) are
    skipped."""
    found: list[tuple[str, int]] = []
    segment, sentence = 0, 0
    row = None
    lit = False
    words = tokens_of(text)
    for word, following in zip(words, [*words, ""][1:], strict=True):
        if word in (",", "and") and sentence == 0:
            segment = min(segment + 1, MAX_OBJECTS - 1)
        elif word in ("on", "lit"):
            segment = SCENE_SEGMENT
        elif word == ".":
            sentence += 1
            segment = min(SCENE_SEGMENT + sentence, SEGMENTS - 1)
        elif word == "from":
            lit = True
        elif lit and word in LIGHTS:
            found.append((f"from {word}", segment))
            lit = False
        elif row is not None and word in COLUMNS:
            found.append((f"{row} {word}", segment))
            row = None
        elif word in ROWS:
            row = word
        elif f"{word} {following}" in RELATIONS:
            found.append((f"{word} {following}", segment))
        elif word in _INDEX and word not in _SILENT:
            found.append((word, segment))
    kept = found[:MAX_TOKENS]
    cell_of = {s: _CELLS[token] for token, s in found if token in _CELLS}
    return Tokens(
        tuple(_INDEX[token] for token, _ in kept),
        tuple(s for _, s in kept),
        tuple(cell_of.get(s, 0) for _, s in kept),
        tuple(token for token, _ in found[MAX_TOKENS:]),
    )


def batch_tokens(texts: Sequence[str]) -> Tensor:
    """Texts → int64 (N,3,MAX_TOKENS): ids, segments and cells, padded."""
    batch = torch.zeros(len(texts), 3, MAX_TOKENS, dtype=torch.int64)
    for i, text in enumerate(texts):
        tokens = tokenise(text)
        rows = (tokens.ids, tokens.segments, tokens.cells)
        batch[i, :, : len(tokens.ids)] = torch.tensor(rows, dtype=torch.int64)
    return batch
