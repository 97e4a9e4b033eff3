# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of pictures under every judge of a choice: pair by pair, with their words, and as sets.

    NAME            mean of (cos + 1)/2 of the two embeddings, picture by picture; of a judge
                    without embeddings (LPIPS) mean of its own score
    NAME, text      mean of (cos + 1)/2 of picture and text, where the judge reads text
    Frechet NAME    Fréchet distance of the two sets of embeddings; needs two pictures

The Fréchet distance is FID's formula on another network's features, so it carries that network's
name and compares with figures of the same network only (with DINOv2 the FD of G. Stein et al.,
"Exposing flaws of generative model evaluation metrics", 2023, but for its preparation of pictures).
With fewer pictures than the embedding has values it is far too large: compare equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from host.evaluate.texture import frechet_distance
from models.roles import EmbeddingJudge, Picture, PictureJudge, TextJudge
from semcom_blocks.errors import ConfigError

AT_ONCE = 32  # pictures or texts embedded together
DIGITS = 4


class Judged:
    """Reference pictures, and how other sets compare with them."""

    def __init__(self, judges: Sequence[PictureJudge], references: Sequence[Picture]) -> None:
        self.judges, self.references = tuple(judges), list(references)
        self._known = {
            judge.name: embedded(judge.embed_pictures, self.references)
            for judge in self.judges
            if isinstance(judge, EmbeddingJudge)
        }

    def score(
        self, pictures: Sequence[Picture], texts: Sequence[str] | None = None
    ) -> dict[str, float]:
        """Scores of ``pictures``, one a reference, and of their ``texts``."""
        for name, given in (("pictures", pictures), ("texts", texts)):
            if given is not None and len(given) != len(self.references):
                raise ConfigError(f"{name} are {len(given)}, permitted: {len(self.references)}")
        found: dict[str, float] = {}
        for judge in self.judges:
            if not isinstance(judge, EmbeddingJudge):
                found |= self._pairs(judge, pictures)
                continue
            first, second = self._known[judge.name], embedded(judge.embed_pictures, pictures)
            found[judge.name] = shares(first, second)
            if texts is not None and isinstance(judge, TextJudge):
                found[f"{judge.name}, text"] = shares(second, embedded(judge.embed_texts, texts))
            if len(pictures) > 1:
                found[f"Frechet {judge.name}"] = frechet_distance(first, second)
        return {name: round(value, DIGITS) for name, value in found.items()}

    def _pairs(self, judge: PictureJudge, pictures: Sequence[Picture]) -> dict[str, float]:
        scores = [judge.compare(*pair) for pair in zip(self.references, pictures, strict=True)]
        names = scores[0] if all(scores) else ()  # none for what a judge cannot see
        return {name: float(np.mean([s[name] for s in scores])) for name in names}


def embedded(embed: Callable[[Sequence], object], items: Sequence) -> NDArray[np.float64]:
    """(N,D) of ``items``, AT_ONCE together."""
    return np.concatenate([np.asarray(embed(part), np.float64) for part in _parts(items)])


def shares(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Mean of (cos + 1)/2 of the rows."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(1) / np.maximum(lengths, 1e-12) + 1).mean() / 2)


def _parts(items: Sequence) -> Iterator[Sequence]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]
