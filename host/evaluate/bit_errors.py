# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality over the edge stream's bit errors: ``./semcom eval bit-errors --json F --plot F``.

The whole semantic chain (Qiao et al., Fig. 2 and 3): a scene or photo becomes a prompt and edge
bits, the bits meet independent errors, and the receiver draws from the prompt and what it decodes.

* ``likeness``: (cosine + 1)/2 of the embeddings of the picture sent and the one drawn, by the first
  judge (the paper's CLIP metric, under the judge's name); ``fit``: of the picture drawn and the
  prompt, where the judge reads text; further judges by their names;
* ``ms_ssim``: of the two pictures; ``edge_ms_ssim``, ``edge_f``: of the edge map before coding and
  as decoded;
* ``attributes``, ``relations``, ``shape``, ``exact``: counted against the scene sent.

Scenes are sent twice: with the captioner's words, which say all, and with words that leave the
places open (a person's caption, as the paper's), where only the edge map tells them.

Each also over its value without errors (normalised, as the paper draws them). ``falls`` says
where a mean rises with the error rate by more than chance. Beside it the prompt alone.
Photos are drawn by an ``hf:`` generator; with the embedded one only their edge maps are scored.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from host.evaluate.bit_error_measure import BERS, BOTH, WORDS, measure
from host.evaluate.output import add_files, prepare, write_json
from host.images import LoadedImage
from models.tiers import Models, TierChoice
from semcom_blocks.errors import require_range

__all__ = ["BOTH", "WORDS", "add_arguments", "measure", "run"]

log = logging.getLogger(__name__)

SHOWN_COLUMNS = ("likeness", "fit", "ms_ssim", "edge_ms_ssim", "attributes", "relations", "shape")

# Whose weights the figures depend on; of a role that an hf: model fills, unused.
WEIGHTS = ("captioner-v1", "hed-v1", "edge-codec-v1", "vae-v1", "flow-v1", "control-v1",
           "contrastive-v1", "scene-judge-v1")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval bit-errors``."""
    add_files(parser, "figures", "pictures at some error rates")
    add = parser.add_argument
    add("--scenes", type=int, default=100, help="held-out scenes (default: %(default)s)")
    add("--side", type=int, choices=(64, 128), default=64, help="of scenes in pixels")
    add(
        "--photos",
        nargs="+",
        default=(),
        metavar="SOURCE",
        help="files, names of scikit-image's photos, or folders and zips (their test split)",
    )
    add("--most", type=int, default=8, help="photos of a folder (default: %(default)s)")
    add("--ber", type=float, nargs="+", default=BERS, metavar="RATE", help="bit error rates")
    add("--told", action="store_true", help="the edge decoder knows the rate")
    add("--seed", type=int, default=1, help="of errors and noise (default: %(default)s)")
    add("--threads", type=int, default=0, help="processor threads, 0 = all")
    for role in ("generator", "captioner"):
        add(f"--{role}", default="embedded", metavar="MODEL", help="embedded or hf:ID-or-FOLDER")
    add("--edges", default="embedded", metavar="MODEL", help="embedded or canny")
    add("--control", metavar="MODEL", help="ControlNet of an hf: generator")
    add("--steps", type=int, help="of the sampler (default: the generator's)")
    add("--guidance", type=float, help="by the prompt (default: the generator's)")
    add("--judges", nargs="+", default=("embedded",), metavar="MODEL", help="the first is the main")


def show(result: dict[str, Any]) -> None:
    """Print a table for each set."""
    for name in result["sets"]:
        records = [r for r in result["records"] if r["set"] == name]
        columns = [key for key in SHOWN_COLUMNS if any(key in r for r in records)]
        table = Table(title=f"{name}, judge {result['judge']}: means over bit error rates")
        for column in ("BER", *(c.replace("_", " ") for c in columns)):
            table.add_column(column, justify="right")
        for record in records:
            ber = "prompt alone" if record["ber"] is None else f"{record['ber']:g}"
            shown = (f"{record[c]:.4f}" if c in record else "-" for c in columns)
            table.add_row(ber, *shown)
        Console().print(table)
    for entry in result["falls"]:
        for rise in entry["rises"]:
            line = "{set}, {metric}: not falling".format(**entry)
            Console().print(line + " from BER {from_ber:g} to {to_ber:g}, by {by:g}".format(**rise))


def read_photos(sources: Sequence[str], most: int) -> list[LoadedImage]:
    """Photos by file or name, and ``most`` of each folder or zip."""
    from host.datasets import load_pictures
    from host.images import load_image

    found: list[LoadedImage] = []
    for source in sources:
        path = Path(source)
        if path.is_dir() or path.suffix.lower() == ".zip":
            pictures = load_pictures(path, "test", most).pictures
            found += [LoadedImage(p, f"{path.stem} {i}") for i, p in enumerate(pictures)]
        else:
            found.append(load_image(source))
    return found


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw and store; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from models.weights_io import read_card, write_atomic

    require_range("most", args.most, 1, 100_000)
    prepare(args, seed_max=2**31)
    roles = ("generator", "captioner", "edges", "control", "judges")
    models = Models(TierChoice.from_dict({role: getattr(args, role) for role in roles}))
    photos = read_photos(args.photos, args.most)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("pictures", total=None)
        result = measure(
            args.scenes, photos, bers=args.ber, models=models, side=args.side, seed=args.seed,
            told=args.told, steps=args.steps, guidance=args.guidance,
            done=lambda n, total: progress.update(task, completed=n, total=total),
        )  # fmt: skip
    show(result)
    result["weights"] = {n: read_card(n)["sha256"] for n in WEIGHTS}
    result["versions"] = {"torch": torch.__version__, "numpy": np.__version__}
    if args.json:
        write_json(args.json, result)
    if args.plot or args.pictures:
        from host.evaluate import bit_error_plots

        if args.plot:
            write_atomic(Path(args.plot), bit_error_plots.curves(result))
        if args.pictures:
            page = bit_error_plots.pictures(
                models, photos, args.seed, args.side, args.scenes,
                told=args.told, steps=args.steps, guidance=args.guidance,
            )  # fmt: skip
            write_atomic(Path(args.pictures), page)
    return 0
