# SPDX-License-Identifier: GPL-3.0-or-later
"""The contrastive network: ``./semcom eval contrastive --data CIFAR10 --json F``.

On held-out scenes: how often a picture's own caption scores highest among 100 and 1,000, and how
often it beats a caption that is wrong in one thing, by what is wrong. On CIFAR-10's test pictures:
how often the sentence of the right class scores highest. All under the network's own name.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from semcom_blocks.errors import require_range

BATCH = 200
SEED = 9
SENTENCE = "a photo of a {}."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval contrastive``."""
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help="CIFAR-10, a folder or a zip")
    add("--json", metavar="FILE", help="write the figures there as well (default: not written)")
    add("--scenes", type=int, default=1000, help="held-out scenes (default: %(default)s)")
    add("--pictures", type=int, default=10_000, help="of CIFAR-10's test (default: %(default)s)")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")


def measure_scenes(network: Any, count: int) -> dict[str, float]:
    """Shares of choices right."""
    import torch

    from host.train.captions import wrong
    from host.train.scene_batches import held_out
    from models.contrastive import word_numbers
    from models.scenes.grammar import write

    batch, pictures = held_out(count, 64)
    scenes = batch.scenes()
    drawn = torch.Generator().manual_seed(SEED)

    def texts(lines: list[str]) -> torch.Tensor:
        parts = [word_numbers(lines[i : i + BATCH]) for i in range(0, len(lines), BATCH)]
        return torch.cat([network.of_words(part) for part in parts])

    image = torch.cat([network.of_pictures(part) for part in pictures.split(BATCH)])
    true = texts([write(s) for s in scenes])
    false = texts([write(wrong(s, drawn)) for s in scenes])
    own = (image * true).sum(1)

    def first_of(many: int) -> float:
        hits = [
            (image[i : i + many] @ true[i : i + many].T).argmax(1) == torch.arange(many)
            for i in range(0, count - many + 1, many)
        ]
        return float(torch.cat(hits).float().mean()) if hits else float("nan")

    found = {"own caption above a wrong one": float((own > (image * false).sum(1)).float().mean())}
    for many in (100, 1000):
        if many <= count:
            found[f"own caption first of {many}"] = first_of(many)
    found["mean score, own caption"] = float((own.mean() + 1) / 2)
    found["mean score, another's caption"] = float(
        ((image * true.roll(1, 0)).sum(1).mean() + 1) / 2
    )
    return {key: round(value, 4) for key, value in found.items()}


def measure_classes(network: Any, path: str, count: int) -> dict[str, Any]:
    """Share of test pictures whose class's sentence scores highest, and by class."""
    import torch

    from host.train.class_pictures import class_pictures
    from models.contrastive import word_numbers
    from models.scene_trunk import at_side

    pictures, numbers, names = class_pictures(path, "test", count)
    sentences = network.of_words(word_numbers([SENTENCE.format(name) for name in names]))
    chosen = torch.cat(
        [
            (network.of_pictures(at_side(part.float() / 255)) @ sentences.T).argmax(1)
            for part in pictures.split(BATCH)
        ]
    )
    right = (chosen == numbers).float()
    by_class = {n: round(float(right[numbers == i].mean()), 4) for i, n in enumerate(names)}
    return {"class": round(float(right.mean()), 4), "pictures": len(right), "by_class": by_class}


def run(args: argparse.Namespace) -> int:
    """Measure, print and store; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from models.contrastive import ContrastiveJudge
    from models.weights_io import WEIGHTS_DIR, write_atomic

    require_range("scenes", args.scenes, 1, 10**6)
    require_range("pictures", args.pictures, 1, 10**6)
    judge = ContrastiveJudge.load(directory=Path(args.weights) if args.weights else WEIGHTS_DIR)
    with torch.no_grad():
        scenes = measure_scenes(judge.network, args.scenes)
        classes = measure_classes(judge.network, args.data, args.pictures)
    document = {"name": judge.name, "scenes": scenes, "cifar10": classes}
    table = Table(title=f"{judge.name}: shares right")
    table.add_column("what")
    table.add_column("share", justify="right")
    for key, value in scenes.items():
        table.add_row(key, f"{value:.4f}")
    table.add_row(f"class of {classes['pictures']} pictures", f"{classes['class']:.4f}")
    Console().print(table)
    if args.json:
        write_atomic(Path(args.json), (json.dumps(document, indent=1) + "\n").encode())
    return 0
