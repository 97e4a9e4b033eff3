# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the JSCC image codec: ``./semcom train jscc --data CIFAR --data PHOTOS --minutes 60``.

Loss: mean over the batch of log(MSE + 1e-5), i.e. the mean PSNR that is reported, at SNRs drawn
uniformly and rates drawn per picture (:mod:`host.train.link`); AdamW with a linear warm-up and a
cosine to nearly 0, gradient clipping, a moving average of the weights (which is what ships),
bfloat16 convolutions. With ``--steps`` the schedule follows the steps, and a resumed run equals an
uninterrupted one bit by bit; with ``--minutes`` it follows the seconds of training, so that a busy
machine still ends in time. Writes to ``--out``: ``checkpoint.safetensors`` (for ``--resume``),
``NAME.safetensors``, ``NAME.json`` and ``NAME.card.md``, the three files that belong into
``models/weights``.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from host.datasets import CROP, SMALL_SIDE, load_pictures
from semcom_blocks.errors import ConfigError, require_range

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

DEFAULT_MINUTES = 60.0  # enough on two processor cores for the figures in the model card
VALIDATION_PICTURES = 500  # of the first data source's held-out part
CHECKPOINT = "checkpoint.safetensors"
SHAPING = (
    "batch",
    "lr",
    "photo_share",
    "latents",
    "width",
    "blocks",
    "precision",
    "threads",
    "seed",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train jscc``."""
    add = parser.add_argument
    add(
        "--data",
        action="append",
        required=True,
        metavar="PATH",
        help=f"folder or zip of pictures, may be repeated; pictures up to {SMALL_SIDE} pixels a "
        f"side are used whole, from {CROP} pixels as crops; the first's held-out ones validate",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes", type=float, help=f"length in minutes (default: {DEFAULT_MINUTES:g})"
    )
    length.add_argument("--steps", type=int, help="length in steps")
    add("--batch", type=int, default=48, help="pictures per step (default: %(default)s)")
    add("--lr", type=float, default=1e-3, help="peak learning rate (default: %(default)s)")
    add(
        "--photo-share",
        type=float,
        default=0.2,
        help="share of steps on crops of photos, 0 to 1 (default: %(default)s)",
    )
    add(
        "--latents", type=int, default=32, help="real channels per 4x4 patch (default: %(default)s)"
    )
    add("--width", type=int, default=128, help="channels of the trunk (default: %(default)s)")
    add("--blocks", type=int, default=4, help="residual blocks a side (default: %(default)s)")
    add(
        "--constellation",
        choices=("analog", "4", "16", "64", "256"),
        default="analog",
        help="points that symbols are taken from, soft to hard as training goes on "
        "(default: %(default)s)",
    )
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="bfloat16",
        help="of convolutions while training (default: %(default)s)",
    )
    add("--threads", type=int, default=0, help="processor threads, 0 = all (default: %(default)s)")
    add("--seed", type=int, default=1, help="of weights, batches and noise (default: %(default)s)")
    add("--name", default="jscc-v1", help="of the weights (default: %(default)s)")
    add("--out", default="runs/jscc", metavar="DIR", help="output folder (default: %(default)s)")
    add("--resume", action="store_true", help=f"go on from DIR/{CHECKPOINT} where there is one")


def _check(args: argparse.Namespace) -> None:
    if args.steps is None and args.minutes is None:
        args.minutes = DEFAULT_MINUTES
    if args.minutes is not None:
        require_range("minutes", args.minutes, 0.01, 100_000)
    if args.steps is not None:
        require_range("steps", args.steps, 1, 10**9)
    require_range("batch", args.batch, 1, 4096)
    require_range("lr", args.lr, 1e-7, 1.0)
    require_range("photo-share", args.photo_share, 0, 1)
    require_range("seed", args.seed, 0, 2**63 - 1)
    require_range("threads", args.threads, 0, 1024)
    args.threads = args.threads or len(os.sched_getaffinity(0))


def _validation_pictures(path: str) -> Tensor:
    """Held-out pictures (B,3,H,W) in [0,1], cut to the smallest of them in multiples of 4."""
    import torch

    from models.jscc import STRIDE

    pictures = load_pictures(path, "val", VALIDATION_PICTURES).pictures
    height, width = (min(p.shape[i] for p in pictures) // STRIDE * STRIDE for i in (0, 1))
    if not min(height, width):
        raise ConfigError(f"{path}: a validation picture is under {STRIDE} pixels a side")
    stack = np.stack([p[:height, :width] for p in pictures])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    # Here, not above: the command line asks for the options without paying for torch.
    from host.train.batches import Batches
    from host.train.card import write_model
    from host.train.schedule import Schedule
    from host.train.trainer import Trainer
    from models.jscc import JsccConfig

    _check(args)
    bits = 0 if args.constellation == "analog" else int(args.constellation).bit_length() - 1
    config = JsccConfig(args.latents, args.width, args.blocks, bits)
    out = Path(args.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
        raise ConfigError(f"out is {args.out!r}, permitted: a folder ({reason})") from None

    sets = [load_pictures(path, "train") for path in args.data]
    for s in sets:
        log.info("%s: %d pictures, %d skipped", s.source, len(s.pictures), s.skipped)
    batches = Batches([p for s in sets for p in s.pictures], args.batch, args.photo_share)
    held_out = _validation_pictures(args.data[0])

    settings = {key: getattr(args, key) for key in ("data", *SHAPING, "steps", "minutes")}
    if bits:  # not for analog ones: their older checkpoints go on
        settings["constellation"] = args.constellation
    seconds = None if args.minutes is None else 60 * args.minutes
    schedule = Schedule(args.steps, seconds, args.lr)
    trainer = Trainer(config, batches, schedule, settings, args.threads)
    checkpoint = out / CHECKPOINT
    if args.resume and checkpoint.exists():
        trainer.restore(checkpoint)
        log.info("resumed at step %d, %.0f s", trainer.progress.step, trainer.progress.elapsed_s)

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Bar(*columns) as bar:
        task = bar.add_task("training", total=1.0)

        def report(done: float, text: str) -> None:
            bar.update(task, completed=done, description=text)
            log.info("%s, %.0f s", text, trainer.progress.elapsed_s)

        trainer.run(checkpoint, held_out, report)
    write_model(out, args.name, trainer.ema, trainer.progress, sets)
    log.info("wrote %s", out / f"{args.name}.safetensors")
    return 0


def main() -> int:
    """``python -m host.train.jscc``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    return run(parser.parse_args())


if __name__ == "__main__":
    raise SystemExit(main())
