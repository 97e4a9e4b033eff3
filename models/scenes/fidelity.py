# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic fidelity, counted: which attributes and relations of one scene another one keeps.

Objects are matched so that most attributes agree. Counted are, as far as the reference says them:
``count``, ``background`` and ``light`` of the scene, ``shape``, ``colour``, ``size``, ``texture``
and ``place`` of each object (all wrong where the object is missing), and each stated relation,
right if the matched objects stand so. ``exact``: all of these right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import permutations

from models.scenes.scene import Scene, SceneObject

OBJECT_ATTRIBUTES = ("shape", "colour", "size", "texture", "place")
SCENE_ATTRIBUTES = ("count", "background", "light")
RELATION = "relation"
MAX_MATCHED = 9  # found objects that are matched: one a cell; 9·8·7 orders at most


@dataclass(frozen=True)
class Fidelity:
    """Counts over one or more scenes: ``right`` and ``said``, by attribute; ``exact`` scenes."""

    right: Counter = field(default_factory=Counter)
    said: Counter = field(default_factory=Counter)
    exact: int = 0
    scenes: int = 0

    def __add__(self, other: Fidelity) -> Fidelity:
        return Fidelity(
            self.right + other.right,
            self.said + other.said,
            self.exact + other.exact,
            self.scenes + other.scenes,
        )

    def share(self, name: str) -> float | None:
        """Share of ``name`` right, None where nothing was said of it."""
        return self.right[name] / self.said[name] if self.said[name] else None

    @property
    def attributes(self) -> float | None:
        """Share of all attributes right, relations aside."""
        said = sum(n for k, n in self.said.items() if k != RELATION)
        right = sum(n for k, n in self.right.items() if k != RELATION)
        return right / said if said else None

    @property
    def relations(self) -> float | None:
        """Share of the stated relations right."""
        return self.share(RELATION)

    def as_dict(self) -> dict[str, float | int | None]:
        """Shares rounded to 4 digits, for tables: in all, then each attribute by name."""
        names = (*SCENE_ATTRIBUTES, *OBJECT_ATTRIBUTES)
        shares = {"attributes": self.attributes, "relations": self.relations}
        shares["exact"] = self.exact / self.scenes if self.scenes else None
        shares |= {name: self.share(name) for name in names}
        rounded = {k: None if v is None else round(v, 4) for k, v in shares.items()}
        return {**rounded, "scenes": self.scenes}


def _said(item: SceneObject) -> dict[str, object]:
    """The attributes that the reference says of an object."""
    values = {
        "shape": item.shape,
        "colour": item.colour,
        "size": item.size,
        "texture": item.texture,
        "place": item.cell,
    }
    return {k: v for k, v in values.items() if v is not None}


def compare(reference: Scene, found: Scene) -> Fidelity:
    """Count what ``found`` keeps of ``reference``."""
    wanted = [_said(o) for o in reference.objects]
    there = found.objects[:MAX_MATCHED]
    have = [_said(o) for o in there]
    padded = list(range(len(there))) + [-1] * max(0, len(wanted) - len(there))
    agree = {
        (i, j): sum(have[j].get(k) == v for k, v in want.items()) if j >= 0 else 0
        for i, want in enumerate(wanted)
        for j in set(padded)
    }
    # Of equally good matchings the first: deterministic.
    match = max(
        permutations(padded, len(wanted)), key=lambda m: sum(agree[i, j] for i, j in enumerate(m))
    )

    right: Counter = Counter()
    said: Counter = Counter()

    def count(name: str, is_right: bool) -> None:
        said[name] += 1
        right[name] += is_right

    count("count", len(found.objects) == len(reference.objects))
    for name in ("background", "light"):
        if getattr(reference, name) is not None:
            count(name, getattr(found, name) == getattr(reference, name))
    for want, j in zip(wanted, match, strict=True):
        for name, value in want.items():
            count(name, j >= 0 and have[j].get(name) == value)
    for relation in reference.relations:
        first, second = match[relation.first], match[relation.second]
        both = first >= 0 and second >= 0
        count(RELATION, both and relation.holds(there[first], there[second]))
    return Fidelity(right, said, int(right.total() == said.total()), 1)


def compare_all(pairs: Iterable[tuple[Scene, Scene]]) -> Fidelity:
    """Sum of :func:`compare` over (reference, found) pairs."""
    return sum((compare(a, b) for a, b in pairs), Fidelity())
