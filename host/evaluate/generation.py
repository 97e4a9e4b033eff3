# SPDX-License-Identifier: GPL-3.0-or-later
"""What the generator gets right: ``./semcom eval generation --json docs/results/generation.json``.

Prompts are captions of drawn scenes: *whole* ones, and *relational* ones that leave the places open
and say how the objects stand to each other; *planned* ones are the relational ones with places
chosen before they are drawn, as the generator does with a prompt alone. Each generated picture is
read by the scene judge, and what the prompt says is counted (:mod:`models.scenes.fidelity`). As a
yardstick the judge also reads the scenes themselves and the autoencoder's copies of them: no
generator can score better. Tables: steps, guidance, conditions (edges and coarse picture, right
ones and those of another scene), and the time of one picture. ``--judges`` adds scores by networks
(:mod:`host.evaluate.judged`), under their names. Scenes, noise and pairs are seeded: a
table can be repeated.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from host.evaluate.output import prepare, write_json
from semcom_blocks.errors import ModelError, require_range

log = logging.getLogger(__name__)

KINDS = ("whole", "relational", "planned")
GUIDANCES = (1.0, 1.5, 2.0, 3.0, 4.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval generation``."""
    add = parser.add_argument
    add("--json", metavar="FILE", help="write the tables there as well")
    add("--sheet", metavar="FILE", help="write a PNG of scenes and what is drawn of them")
    add("--scenes", type=int, default=500, help="drawn for every row")
    add("--side", type=int, choices=(64, 128), default=64, help="of the pictures in pixels")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--judge", default="scene-judge-v1", help="name of the judge's weights")
    add("--captioner", default="captioner-v1", help="name of the captioner's weights")
    add("--judges", nargs="+", default=(), metavar="MODEL", help="embedded, hf:ORG/NAME, hf:FOLDER")
    add("--seed", type=int, default=1, help="of scenes, captions and noise")
    add("--threads", type=int, default=0, help="processor threads, 0 = all")


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

    from host.evaluate.generation_bench import STEPS, Bench
    from models.captioner import SceneCaptioner
    from models.generation.pipeline import GUIDANCE, EmbeddedGenerator
    from models.generation.pipeline import STEPS as OWN_STEPS
    from models.scene_judge import SceneJudge
    from models.tiers import Models, TierChoice
    from models.weights_io import WEIGHTS_DIR, read_card

    require_range("scenes", args.scenes, 2, 100_000)
    prepare(args)
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    generator = EmbeddedGenerator.load(directory)
    judges = Models(TierChoice.from_dict({"judges": args.judges})).judges()
    bench = Bench(
        generator,
        SceneJudge.load(args.judge, directory),
        args.scenes,
        args.side,
        args.seed,
        judges,
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
    if (directory / f"{args.captioner}.json").exists():
        captioner = SceneCaptioner.load(args.captioner, directory)
        result["captions"] = bench.captions(captioner, OWN_STEPS, GUIDANCE)
    console = Console()
    scores = ("attributes", "relations", "exact", "shape", "texture", "ms_ssim")
    _print(console, "What can be reached", result["bounds"], ("pictures", *scores))
    _print(console, "Steps", result["steps"], ("prompts", "steps", *scores))
    _print(console, "Guidance", result["guidance"], ("prompts", "guidance", *scores))
    _print(console, "Conditions", result["conditions"], ("condition", *scores, "psnr_db"))
    if judges:
        rows = [{"condition": r.get("pictures"), **r} for r in result["bounds"]]
        keys = tuple(key for key in rows[0] if any(judge.name in key for judge in judges))
        _print(console, "Judges", rows + result["conditions"], ("condition", *keys))
    if "captions" in result:
        _print(console, "Captions read back", result["captions"], ("pictures", *scores[:-1]))
    _print(console, "Seconds a picture", result["time"], ("steps", "seconds"))
    if args.json:
        write_json(args.json, result)
        log.info("wrote %s", args.json)
    if args.sheet:
        Image.fromarray(bench.sheet(OWN_STEPS, GUIDANCE)).save(args.sheet, format="PNG")
        log.info("wrote %s", args.sheet)
    return 0


def _hashes(directory: Path, names: tuple[str, ...], read_card) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = read_card(name, directory)["sha256"]
        except ModelError:
            found[name] = None  # the edge branch may be missing
    return found
