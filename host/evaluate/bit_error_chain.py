# SPDX-License-Identifier: GPL-3.0-or-later
"""The semantic chain without a radio: picture → prompt and edge bits → wrong bits → picture.

The prompt arrives exactly, as the link sees to it. Each edge bit is wrong with the same probability
and independently (the link's interleaver makes its errors so). The same uniform draws decide at
every error rate which bits are wrong, and the generator's noise is the picture's own: what differs
between two rates is what the additional wrong bits did.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from host.evaluate.edge_scores import near_f, reach
from host.evaluate.edges import noisy, similarity
from host.images import LoadedImage
from host.metrics import ms_ssim
from host.prompts import caption_for
from models.roles import EdgeCode, EdgeMap, Picture, Request, TextJudge
from models.scenes.fidelity import RELATION, compare
from models.scenes.grammar import write
from models.scenes.loosen import relational
from models.scenes.scene import Scene
from models.tiers import EMBEDDED, Models

COUNTED = ("attributes", "relations", "shape", "exact")


@dataclass(frozen=True)
class Case:
    """One picture to send: its prompt, its edge map and bits, and the scene that it shows."""

    number: int
    picture: Picture
    prompt: str
    edges: EdgeMap
    code: EdgeCode
    scene: Scene | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.picture.shape[1], self.picture.shape[0]


class Chain:
    """Both ends of the chain on the models of a choice."""

    def __init__(
        self,
        models: Models,
        seed: int,
        told: bool = False,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> None:
        """``told``: the edge codec's decoder knows the error rate; over the link it does not.

        steps, guidance: of the sampler, None for the generator's own choice.
        """
        self.models, self.seed, self.told = models, seed, told
        self.steps, self.guidance = steps, guidance

    def names(self) -> dict[str, str]:
        """The models by role."""
        return self.models.load(("captioner", "edges", "edge_codec", "generator", "judges"))

    def scene(self, number: int, picture: Picture, scene: Scene, places: bool = True) -> Case:
        """A drawn scene, captioned and coded; without ``places`` in words that leave them open."""
        if places:
            prompt = self.models.captioner().caption(picture).text
        else:
            prompt = write(relational(scene, random.Random(self.seed + number)))
        return self._case(number, picture, prompt, scene)

    def photo(self, number: int, photo: LoadedImage, most: int) -> Case:
        """A photo, at most ``most`` pixels a side; without a captioner of photos its own caption,
        which those of scikit-image have, else no words."""
        side = max(photo.pixels.shape[:2])
        picture = photo.pixels
        if side > most:
            height, width = (max(16, round(n * most / side)) for n in picture.shape[:2])
            small = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
            picture = np.asarray(small)
        if self.models.choice.captioner != EMBEDDED:
            prompt = self.models.captioner().caption(picture).text
        else:
            prompt = photo.caption or caption_for(photo.name)
        return self._case(number, picture, prompt, None)

    def _case(self, number: int, picture: Picture, prompt: str, scene: Scene | None) -> Case:
        edges = self.models.edges().edges(picture)
        return Case(number, picture, prompt, edges, self.models.edge_codec().encode(edges), scene)

    def draws(self, case: Case) -> bool:
        """Whether the generator can draw it from words and edges: ours draws scenes only."""
        return case.scene is not None or self.models.choice.generator != EMBEDDED

    def receive(self, case: Case, ber: float) -> tuple[EdgeMap, bytes]:
        """The edge map as decoded, and the bits that it was decoded from."""
        draws = np.random.default_rng([self.seed, case.number]).random(len(case.code.bits))
        heard = noisy(case.code, ber, draws)
        codec = self.models.edge_codec()
        if not self.told:
            return codec.decode(heard), heard.bits.tobytes()
        decoded = codec.decode(heard, ber)  # type: ignore[call-arg]  # ours knows rates
        return decoded, heard.bits.tobytes() + repr(ber).encode()

    def draw(self, case: Case, edges: EdgeMap | None) -> Picture:
        """The picture from the prompt, and the edge map where there is one."""
        width, height = case.size
        request = Request(
            case.prompt, width, height, edges=edges, seed=self.seed + case.number,
            steps=self.steps, guidance=self.guidance,
        )  # fmt: skip
        return self.models.generator().generate(request).picture

    def score(self, case: Case, picture: Picture | None, edges: EdgeMap | None) -> dict[str, float]:
        """All that can be said of a received picture and edge map; see :data:`METRICS`."""
        found: dict[str, float] = {}
        if edges is not None:
            found["edge_ms_ssim"] = similarity(case.edges, edges)
            found["edge_f"] = near_f(case.edges, edges, reach(edges.shape))
        if picture is None:
            return found
        first = self.models.judges()[0]
        for judge in self.models.judges():
            for name, value in judge.compare(case.picture, picture).items():
                found["likeness" if judge is first else f"likeness {name}"] = value
        if isinstance(first, TextJudge):
            found["fit"] = first.fits(picture, case.prompt)
        similar = ms_ssim(case.picture, picture)[0]
        if similar is not None:
            found["ms_ssim"] = similar
        if case.scene is not None:
            found |= counted(case.scene, self.models.reader().read([picture])[0])
        return found


def counted(wanted: Scene, read: Scene) -> dict[str, float]:
    """Shares of one scene that are right, where it says anything of the kind."""
    fidelity = compare(wanted, read)
    shares = {
        "attributes": fidelity.attributes,
        "relations": fidelity.share(RELATION),
        "shape": fidelity.share("shape"),
        "exact": float(fidelity.exact),
    }
    return {name: float(value) for name, value in shares.items() if value is not None}


def scene_cases(chain: Chain, number: int, side: int, places: bool = True) -> list[Case]:
    """Held-out scenes of ``side`` pixels."""
    if not number:
        return []
    import torch

    from host.evaluate.edges import SCENE_SEED
    from models.scenes.render import render, to_uint8
    from models.scenes.sample import sample

    batch = sample(number, torch.Generator().manual_seed(SCENE_SEED))
    pictures: NDArray[Any] = to_uint8(render(batch, side)).numpy()
    pairs = zip(pictures, batch.scenes(), strict=True)
    return [chain.scene(i, *pair, places) for i, pair in enumerate(pairs)]


def photo_cases(chain: Chain, photos: Sequence[LoadedImage], most: int, first: int) -> list[Case]:
    """Photos, numbered from ``first``."""
    return [chain.photo(first + i, photo, most) for i, photo in enumerate(photos)]
