# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that every training on the shared loop has; torch is not needed to ask for them."""

from __future__ import annotations

import argparse

from semcom_blocks.errors import require_range

CHECKPOINT = "checkpoint.safetensors"
EMA_DECAY = 0.999
MAX_PROCESSES = 64  # of one machine


def add_arguments(
    parser: argparse.ArgumentParser, *, name: str, minutes: float, batch: int, lr: float
) -> None:
    """Options that every training has; the arguments are its defaults."""
    add = parser.add_argument
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help=f"length in minutes (default: {minutes:g})")
    length.add_argument("--steps", type=int, help="length in steps")
    parser.set_defaults(default_minutes=minutes)
    add("--batch", type=int, default=batch, help="examples per step")
    add("--lr", type=float, default=lr, help="peak learning rate")
    add("--weight-decay", type=float, default=0.01, help="of AdamW")
    add("--ema", type=float, default=EMA_DECAY, help="decay of the weights' moving average")
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="bfloat16",
        help="of matrix products and convolutions while training",
    )
    add(
        "--start",
        metavar="NAME",
        help="begin with these weights: shipped ones, or a .safetensors file with its card",
    )
    add("--processes", type=int, default=1, help="that share each batch, through accelerate")
    add("--threads", type=int, default=0, help="of each process, 0 = all processors together")
    add("--seed", type=int, default=1, help="of weights, batches and noise")
    add("--name", default=name, help="of the weights")
    add("--out", default=f"runs/{name}", metavar="DIR", help="output folder")
    add("--resume", action="store_true", help=f"go on from DIR/{CHECKPOINT} where there is one")
    add("--tensorboard", metavar="DIR", help="log the curve there as well (needs tensorboard)")


def check(args: argparse.Namespace) -> None:
    """Refuse values outside their ranges; fill in the default length."""
    if args.steps is None and args.minutes is None:
        args.minutes = args.default_minutes
    if args.minutes is not None:
        require_range("minutes", args.minutes, 0.01, 100_000)
    if args.steps is not None:
        require_range("steps", args.steps, 1, 10**9)
    require_range("batch", args.batch, 1, 65_536)
    require_range("lr", args.lr, 1e-7, 1.0)
    require_range("weight-decay", args.weight_decay, 0, 1)
    require_range("ema", args.ema, 0, 1)
    require_range("seed", args.seed, 0, 2**63 - 1)
    require_range("threads", args.threads, 0, 1024)
    require_range("processes", args.processes, 1, MAX_PROCESSES)
