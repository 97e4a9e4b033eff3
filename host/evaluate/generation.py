# SPDX-License-Identifier: GPL-3.0-or-later
"""What the generator gets right: ``./semcom eval generation --json docs/results/generation.json``.

Prompts are captions of drawn scenes: *whole* ones, and *relational* ones that leave the places open
and say how the objects stand to each other; *planned* ones are the relational ones with places
chosen before they are drawn, as the generator does with a prompt alone. Each generated picture is
read by the scene judge, and what the prompt says is counted (:mod:`models.scenes.fidelity`). As a
yardstick the judge also reads the scenes themselves and the autoencoder's copies of them: no
generator can score better. Tables: steps, guidance, conditions (edges and coarse picture, right
ones and those of another scene), and the time of one picture. Scenes, noise and pairs are seeded: a
table can be repeated.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from host.metrics import ms_ssim, psnr_db
from semcom_blocks.errors import ConfigError, ModelError, require_range

if TYPE_CHECKING:
    from torch import Tensor

    from models.generation.pipeline import EmbeddedGenerator
    from models.scene_judge import SceneJudge
    from models.scenes.sample import SceneBatch
    from models.scenes.scene import Scene

log = logging.getLogger(__name__)

KINDS = ("whole", "relational", "planned")
AT_ONCE = 64  # pictures drawn together
STEPS = (1, 2, 4, 8)
GUIDANCES = (1.0, 1.5, 2.0, 3.0, 4.0)
COARSE_SIDE = 16  # pixels: what a coarse picture keeps
COARSE_STRENGTHS = (0.4, 0.6, 0.8)
TIMED_PICTURES = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval generation``."""
    add = parser.add_argument
    add("--json", metavar="FILE", help="write the tables there as well")
    add("--scenes", type=int, default=500, help="drawn for every row")
    add("--side", type=int, choices=(64, 128), default=64, help="of the pictures in pixels")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--judge", default="scene-judge-v1", help="name of the judge's weights")
    add("--seed", type=int, default=1, help="of scenes, captions and noise")
    add("--threads", type=int, default=0, help="processor threads, 0 = all")


class Bench:
    """Scenes, their prompts and pictures, and how well a generator's pictures match."""

    def __init__(
        self, generator: EmbeddedGenerator, judge: SceneJudge, number: int, side: int, seed: int
    ) -> None:
        import torch

        from models.scenes.loosen import relational
        from models.scenes.plan import complete
        from models.scenes.render import render
        from models.scenes.sample import sample

        self.generator, self.judge = generator, judge
        self.side, self.seed = side, seed
        self.batch: SceneBatch = sample(number, torch.Generator().manual_seed(seed))
        self.whole = self.batch.scenes()
        rng = random.Random(seed)
        self.relational = [relational(s, rng) for s in self.whole]
        self.planned = [complete(s, rng) for s in self.relational]
        self.pictures = render(self.batch, side)
        self.noise = generator.noise(number, side, seed)

    def parts(self) -> Iterator[slice]:
        """Slices of AT_ONCE scenes."""
        for start in range(0, len(self.whole), AT_ONCE):
            yield slice(start, start + AT_ONCE)

    def draw(
        self,
        prompts: list[Scene] | None,
        steps: int,
        guidance: float,
        *,
        edges: Tensor | None = None,
        coarse: Tensor | None = None,
        strength: float = 1.0,
    ) -> Tensor:
        """Pictures of ``prompts`` (None: empty ones) under the conditions (N,·,S,S) given."""
        import torch

        from models.generation.text import batch_tokens
        from models.scenes.grammar import write

        texts = [write(s) for s in prompts] if prompts else [""] * len(self.whole)
        found = []
        for part in self.parts():
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
        from models.scenes.fidelity import compare_all
        from models.scenes.render import to_uint8

        read = [s for part in self.parts() for s in self.judge.read_batch(pictures[part])]
        pairs = list(zip(to_uint8(self.pictures).numpy(), to_uint8(pictures).numpy(), strict=True))
        similar = [ms_ssim(a, b)[0] for a, b in pairs]
        psnr = [min(psnr_db(a, b), 100.0) for a, b in pairs]
        return compare_all(zip(wanted, read, strict=True)).as_dict() | {
            "ms_ssim": round(float(np.mean(similar)), 4),
            "psnr_db": round(float(np.mean(psnr)), 2),
        }

    def bounds(self) -> list[dict]:
        """The scenes' own pictures, and the autoencoder's copies."""
        import torch

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

    def conditions(self, steps: int, guidance: float) -> list[dict]:
        """What else is sent, right and wrong: wrong is that of the next scene in the list."""
        import torch.nn.functional as F

        from models.scenes.boundaries import boundaries

        coarse = F.interpolate(self.pictures, (COARSE_SIDE,) * 2, mode="area")
        coarse = F.interpolate(coarse, self.pictures.shape[-2:], mode="bilinear")
        wrong = self.whole[1:] + self.whole[:1]
        rows = [("text", self.whole, {}), ("relational text", self.relational, {})]
        if self.generator.control is not None:
            edges = boundaries(self.batch, self.side)[:, None].float()
            rows += [
                ("text + edges", self.whole, {"edges": edges}),
                ("relational text + edges", self.relational, {"edges": edges}),
                ("edges", None, {"edges": edges}),
                ("text + wrong edges", self.whole, {"edges": edges.roll(-1, 0)}),
                ("wrong text + edges", wrong, {"edges": edges}),
                ("text + blank edges", self.whole, {"edges": edges * 0}),
            ]
        for strength in COARSE_STRENGTHS:
            given = {"coarse": coarse, "strength": strength}
            rows.append((f"text + coarse, strength {strength:g}", self.whole, given))
            rows.append((f"coarse, strength {strength:g}", None, given))
        found = []
        for name, prompts, given in track(rows, "conditions"):
            pictures = self.draw(prompts, steps, guidance, **given)
            found.append({"condition": name, "steps": steps, **self.score(pictures, self.whole)})
        return found

    def times(self) -> list[dict]:
        """Median seconds of one picture, batch 1, by steps, guidance on."""
        from models.roles import Request
        from models.scenes.grammar import write

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


def _print(console: Console, title: str, rows: list[dict], keys: tuple[str, ...]) -> None:
    table = Table(title=title)
    for key in keys:
        table.add_column(key.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(_shown(row.get(key)) for key in keys))
    console.print(table)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def run(args: argparse.Namespace) -> int:
    """Measure, print and store; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from models.generation.pipeline import GUIDANCE, EmbeddedGenerator
    from models.generation.pipeline import STEPS as OWN_STEPS
    from models.scene_judge import SceneJudge
    from models.weights_io import WEIGHTS_DIR, read_card, write_atomic

    require_range("scenes", args.scenes, 2, 100_000)
    require_range("seed", args.seed, 0, 2**63 - 1)
    require_range("threads", args.threads, 0, 1024)
    if args.json and not Path(args.json).absolute().parent.is_dir():
        raise ConfigError(f"json is {args.json!r}, permitted: a file in an existing folder")
    if args.threads:
        torch.set_num_threads(args.threads)
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    generator = EmbeddedGenerator.load(directory)
    bench = Bench(
        generator, SceneJudge.load(args.judge, directory), args.scenes, args.side, args.seed
    )
    by_steps = [(kind, n, GUIDANCE) for kind in KINDS for n in STEPS]
    by_guidance = [(kind, OWN_STEPS, g) for kind in KINDS for g in GUIDANCES]
    result = {
        "seed": args.seed,
        "scenes": args.scenes,
        "side": args.side,
        "threads": torch.get_num_threads(),
        "weights": _hashes(directory, ("vae-v1", "flow-v1", "control-v1", args.judge), read_card),
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "bounds": bench.bounds(),
        "steps": [bench.row(*row) for row in track(by_steps, "steps")],
        "guidance": [bench.row(*row) for row in track(by_guidance, "guidance")],
        "conditions": bench.conditions(OWN_STEPS, GUIDANCE),
        "time": bench.times(),
    }
    console = Console()
    scores = ("attributes", "relations", "exact", "shape", "texture", "ms_ssim")
    _print(console, "What can be reached", result["bounds"], ("pictures", *scores))
    _print(console, "Steps", result["steps"], ("prompts", "steps", *scores))
    _print(console, "Guidance", result["guidance"], ("prompts", "guidance", *scores))
    _print(console, "Conditions", result["conditions"], ("condition", *scores, "psnr_db"))
    _print(console, "Seconds a picture", result["time"], ("steps", "seconds"))
    if args.json:
        write_atomic(Path(args.json), (json.dumps(result, indent=1) + "\n").encode())
        log.info("wrote %s", args.json)
    return 0


def _hashes(directory: Path, names: tuple[str, ...], read_card) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = read_card(name, directory)["sha256"]
        except ModelError:
            found[name] = None  # the edge branch may be missing
    return found
