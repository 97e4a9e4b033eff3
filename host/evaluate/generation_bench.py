# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator on a bench: scenes, their prompts, pictures drawn under conditions, and scores."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from host.evaluate.judged import Judged
from host.metrics import ms_ssim, psnr_db
from models.captioner import SceneCaptioner
from models.generation.pipeline import EmbeddedGenerator
from models.generation.text import batch_tokens
from models.roles import PictureJudge, Request
from models.scene_judge import SceneJudge
from models.scenes.boundaries import boundaries
from models.scenes.fidelity import compare_all
from models.scenes.grammar import parse, write
from models.scenes.loosen import relational
from models.scenes.plan import complete
from models.scenes.render import render, to_uint8
from models.scenes.sample import SceneBatch, sample
from models.scenes.scene import Scene
from semcom_blocks.errors import ConfigError

AT_ONCE = 64  # pictures drawn together
STEPS = (1, 2, 4, 8)
COARSE_SIDE = 16  # pixels: what a coarse picture keeps
COARSE_STRENGTHS = (0.4, 0.6, 0.8)
TIMED_PICTURES = 5
SHEET_COLUMNS = 12


class Bench:
    """Scenes, their prompts and pictures, and how well a generator's pictures match."""

    def __init__(
        self,
        generator: EmbeddedGenerator,
        judge: SceneJudge,
        number: int,
        side: int,
        seed: int,
        judges: Sequence[PictureJudge] = (),
    ) -> None:
        """``judge`` counts; ``judges`` say how alike pictures are in meaning."""
        self.generator, self.judge = generator, judge
        self.side, self.seed = side, seed
        self.batch: SceneBatch = sample(number, torch.Generator().manual_seed(seed))
        self.whole = self.batch.scenes()
        rng = random.Random(seed)
        self.relational = [relational(s, rng) for s in self.whole]
        self.planned = [complete(s, rng) for s in self.relational]
        self.pictures = render(self.batch, side)
        self.noise = generator.noise(number, side, seed)
        self.judged = Judged(judges, list(to_uint8(self.pictures).numpy()))

    def parts(self, first: int | None = None) -> Iterator[slice]:
        """Slices of AT_ONCE scenes, all or the ``first``."""
        number = min(len(self.whole), first or len(self.whole))
        for start in range(0, number, AT_ONCE):
            yield slice(start, min(number, start + AT_ONCE))

    def draw(
        self,
        prompts: list[Scene] | None,
        steps: int,
        guidance: float,
        *,
        edges: Tensor | None = None,
        coarse: Tensor | None = None,
        strength: float = 1.0,
        first: int | None = None,
    ) -> Tensor:
        """Pictures of ``prompts`` (None: empty ones) under the conditions (N,·,S,S) given.

        ``first``: only of so many scenes.
        """
        texts = [write(s) for s in prompts] if prompts else [""] * len(self.whole)
        found = []
        for part in self.parts(first):
            start = None if coarse is None else self.generator.vae.encode(coarse[part])
            with torch.no_grad():
                pictures = self.generator.draw(
                    batch_tokens(texts[part]),
                    self.noise[part],
                    steps,
                    guidance,
                    edges=None if edges is None else edges[part],
                    start=start,
                    strength=strength,
                )
            found.append(pictures)
        return torch.cat(found)

    def score(self, pictures: Tensor, wanted: list[Scene]) -> dict:
        """Fidelity to ``wanted``, and likeness to the scenes' own pictures."""
        read = [s for part in self.parts() for s in self.judge.read_batch(pictures[part])]
        pixels = to_uint8(pictures).numpy()
        pairs = list(zip(to_uint8(self.pictures).numpy(), pixels, strict=True))
        similar = [ms_ssim(a, b)[0] for a, b in pairs]
        psnr = [min(psnr_db(a, b), 100.0) for a, b in pairs]
        return compare_all(zip(wanted, read, strict=True)).as_dict() | {
            "ms_ssim": round(float(np.mean(similar)), 4),
            "psnr_db": round(float(np.mean(psnr)), 2),
            **self.judged.score(list(pixels), [write(s) for s in wanted]),
        }

    def bounds(self) -> list[dict]:
        """The scenes' own pictures, and the autoencoder's copies."""
        vae = self.generator.vae
        with torch.no_grad():
            copies = torch.cat([vae.decode(vae.encode(self.pictures[p])) for p in self.parts()])
        return [
            {"pictures": "of the scenes", **self.score(self.pictures, self.whole)},
            {"pictures": "autoencoder's copies", **self.score(copies, self.whole)},
        ]

    def row(self, prompts: str, steps: int, guidance: float) -> dict:
        """One row of the tables of steps and guidance; ``prompts``: one of KINDS."""
        wanted = self.whole if prompts == "whole" else self.relational
        drawn = self.planned if prompts == "planned" else wanted
        scores = self.score(self.draw(drawn, steps, guidance), wanted)
        return {"prompts": prompts, "steps": steps, "guidance": guidance, **scores}

    def cases(self) -> list[tuple[str, list[Scene] | None, dict]]:
        """What else is sent, right and wrong: wrong is that of the next scene in the list."""
        coarse = F.interpolate(self.pictures, (COARSE_SIDE,) * 2, mode="area")
        coarse = F.interpolate(coarse, self.pictures.shape[-2:], mode="bilinear")
        wrong = self.whole[1:] + self.whole[:1]
        cases: list[tuple[str, list[Scene] | None, dict]] = [
            ("text", self.whole, {}),
            ("relational text", self.relational, {}),
        ]
        if self.generator.control is not None:
            edges = boundaries(self.batch, self.side)[:, None].float()
            cases += [
                ("text + edges", self.whole, {"edges": edges}),
                ("relational text + edges", self.relational, {"edges": edges}),
                ("edges", None, {"edges": edges}),
                ("text + wrong edges", self.whole, {"edges": edges.roll(-1, 0)}),
                ("wrong text + edges", wrong, {"edges": edges}),
                ("text + blank edges", self.whole, {"edges": edges * 0}),
            ]
        for strength in COARSE_STRENGTHS:
            given = {"coarse": coarse, "strength": strength}
            cases.append((f"text + coarse, strength {strength:g}", self.whole, given))
            cases.append((f"coarse, strength {strength:g}", None, given))
        return cases

    def conditions(self, steps: int, guidance: float) -> list[dict]:
        """Fidelity to the scenes under each of :meth:`cases`."""
        found = []
        for name, prompts, given in track(self.cases(), "conditions"):
            pictures = self.draw(prompts, steps, guidance, **given)
            found.append({"condition": name, "steps": steps, **self.score(pictures, self.whole)})
        return found

    def captions(self, captioner: SceneCaptioner, steps: int, guidance: float) -> list[dict]:
        """Does a captioner say of the generated picture what the prompt said? Exactly, and counted.

        A caption outside the grammar counts as an empty scene.
        """

        def told(text: str) -> Scene:
            try:
                return parse(text)
            except ConfigError:
                return Scene((), checked=False)

        rows = []
        drawn = self.draw(self.whole, steps, guidance)
        for name, pictures in (("of the scenes", self.pictures), ("generated", drawn)):
            texts = [c.text for part in self.parts() for c in captioner.captions(pictures[part])]
            found = compare_all((s, told(t)) for s, t in zip(self.whole, texts, strict=True))
            rows.append({"pictures": name, **found.as_dict()})
        return rows

    def sheet(self, steps: int, guidance: float) -> NDArray[np.uint8]:
        """The first scenes, and below each what is drawn from text, edges and coarse picture."""
        rows = [self.pictures[:SHEET_COLUMNS]]
        for _, prompts, given in self.cases():
            rows.append(self.draw(prompts, steps, guidance, first=SHEET_COLUMNS, **given))
        tiles = to_uint8(torch.cat(rows)).numpy()
        grid = tiles.reshape(len(rows), -1, self.side, self.side, 3)
        grid = grid.transpose(0, 2, 1, 3, 4).reshape(len(rows) * self.side, -1, 3)
        return grid.repeat(2, axis=0).repeat(2, axis=1)

    def times(self) -> list[dict]:
        """Median seconds of one picture, batch 1, by steps, guidance on."""
        rows = []
        for steps in STEPS:
            seconds = []
            for i, scene in enumerate(self.whole[:TIMED_PICTURES]):
                request = Request(write(scene), self.side, self.side, steps=steps, seed=i)
                start = time.perf_counter()
                self.generator.generate(request)
                seconds.append(time.perf_counter() - start)
            rows.append({"steps": steps, "seconds": round(float(np.median(seconds)), 4)})
        return rows
