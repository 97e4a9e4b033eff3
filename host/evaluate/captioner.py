# SPDX-License-Identifier: GPL-3.0-or-later
"""Captioner and judge on held-out scenes: ``./semcom eval captioner --json F``.

Scenes from a seed that no training draws from, rendered at 64 and 128 pixels, in 8 bits; as
rendered and worn (:mod:`host.train.wear`: noise, blur, block quantisation, bent space, colour). The
caption must be exact, word for word; beside it what :mod:`models.scenes.fidelity` counts of caption
and of the judge's reading. Captioner and judge share no weights, so where both are wrong alike, it
is the picture that misleads: ``wrong alike`` says how often.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from semcom_blocks.errors import require_range

BATCH = 100
STRENGTHS = (0.0, 0.5, 1.0)  # of wear; the captioner is trained up to 0.5, the judge up to 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval captioner``."""
    add = parser.add_argument
    add("--json", metavar="FILE", help="write the figures there as well (default: not written)")
    add("--scenes", type=int, default=1000, help="of each kind (default: %(default)s)")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")


def measure(captioner: Any, judge: Any, count: int, side: int, strength: float) -> dict[str, Any]:
    """Shares right over ``count`` held-out scenes."""
    from host.train.scene_batches import held_out
    from models.scenes.fidelity import Fidelity, compare
    from models.scenes.grammar import parse, write

    batch, pictures = held_out(count, side, strength)
    told, seen = Fidelity(), Fidelity()
    exact = alike = 0
    for start in range(0, count, BATCH):
        part = slice(start, start + BATCH)
        truths = batch[part].scenes()
        captions = captioner.captions(pictures[part])
        readings = judge.read_batch(pictures[part])
        for truth, caption, reading in zip(truths, captions, readings, strict=True):
            exact += caption.text == write(truth)
            own = parse(caption.text)
            told, seen = told + compare(truth, own), seen + compare(truth, reading)
            same = (own.objects, own.background, own.light) == (
                reading.objects,
                reading.background,
                reading.light,
            )
            alike += same and caption.text != write(truth)
    return {
        "side": side,
        "wear": strength,
        "scenes": count,
        "caption_exact": round(exact / count, 4),
        "wrong_alike": round(alike / count, 4),
        "captioner": told.as_dict(),
        "judge": seen.as_dict(),
    }


def run(args: argparse.Namespace) -> int:
    """Measure, print and store; returns the exit code. Raises ConfigError, ModelError."""
    from models.captioner import SceneCaptioner
    from models.scene_judge import SceneJudge
    from models.weights_io import WEIGHTS_DIR, write_atomic

    require_range("scenes", args.scenes, 1, 10**6)
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    captioner = SceneCaptioner.load(directory=directory)
    judge = SceneJudge.load(directory=directory)
    rows = [
        measure(captioner, judge, args.scenes, side, strength)
        for side in (64, 128)
        for strength in STRENGTHS
    ]
    title = (
        f"{args.scenes} held-out scenes of each kind: shares exact, attributes and relations right"
    )
    table = Table(title=title)
    heads = ("side", "wear", "caption", "attrib", "relat")
    for column in (*heads, "judge", "attrib", "relat", "alike"):
        table.add_column(column, justify="right")
    for row in rows:
        own, other = row["captioner"], row["judge"]
        shares = (row["caption_exact"], own["attributes"], own["relations"])
        shares += (other["exact"], other["attributes"], other["relations"], row["wrong_alike"])
        told = ("-" if share is None else f"{share:.4f}" for share in shares)
        table.add_row(str(row["side"]), f"{row['wear']:g}", *told)
    Console().print(table)
    if args.json:
        write_atomic(Path(args.json), (json.dumps({"rows": rows}, indent=1) + "\n").encode())
    return 0
