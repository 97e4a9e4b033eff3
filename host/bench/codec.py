# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of the picture codec on one core: ``./semcom bench codec --json F``.

Goals: a picture of 256x256 encoded within 30 ms and decoded within 30 ms, at every rate, by a
network of at most 3 million parameters. Medians over the rounds, one thread; noise of 10 dB.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from host.cli.parser import positive
from semcom_blocks.errors import require_range

if TYPE_CHECKING:
    from models.image_codec import ImageCodec

GOAL_MS, GOAL_PARAMETERS = 30.0, 3_000_000
GOAL_SIDE = 256  # pixels that the goal is for
SNR_DB = 10.0
SIDES = (32, 256, 1024)
ROUNDS = 20
MAX_SIDE = 4000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``bench codec``."""
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    add("--name", default="jscc-v3", help="of the weights (default: %(default)s)")
    add(
        "--sides",
        nargs="+",
        type=int,
        default=list(SIDES),
        metavar="PIXELS",
        help=f"of square pictures (default: {' '.join(map(str, SIDES))})",
    )
    add("--rounds", type=positive(1, 10**4, int), default=ROUNDS, metavar="N", help="of each")


def run(args: argparse.Namespace) -> int:
    """Measure and print; 0 if the goals are met. Raises ConfigError, ModelError."""
    import torch

    from models.image_codec import ImageCodec, has_bfloat16
    from models.weights_io import write_atomic

    for side in args.sides:
        require_range("side", side, 1, MAX_SIDE)
    torch.set_num_threads(1)
    codec = ImageCodec.load(args.name)
    parameters = sum(p.numel() for p in codec.model.parameters())
    rows = [
        row
        for side in args.sides
        for rate in codec.rates
        for row in measure(codec, side, rate, args.rounds)
    ]
    table = Table("pixels", "k/n", "", "median ms", "90 % ms", "goal ms")
    for row in rows:
        goal = "" if row["goal_ms"] is None else f"{row['goal_ms']:g}"
        size = f"{row['side']}x{row['side']}"
        times = f"{row['median_ms']:.1f}", f"{row['most_ms']:.1f}"
        table.add_row(size, row["rate"], row["way"], *times, goal)
    console = Console()
    console.print(table)
    precision = "bfloat16" if has_bfloat16() else "float32"
    console.print(f"{args.name}: {parameters:,} parameters, convolutions in {precision}")
    if args.json:
        from host.report.document import to_json

        document = {"model": args.name, "parameters": parameters, "precision": precision}
        write_atomic(args.json, to_json(document | {"rows": rows}).encode())
    missed = [row for row in rows if row["goal_ms"] and row["median_ms"] > row["goal_ms"]]
    return 1 if missed or parameters > GOAL_PARAMETERS else 0


def measure(codec: ImageCodec, side: int, rate: str, rounds: int) -> list[dict[str, Any]]:
    """Rows of encoding and decoding a picture of ``side`` pixels a side."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (-(-side // 16), -(-side // 16), 3), dtype=np.uint8)
    picture = np.kron(coarse, np.ones((16, 16, 1), np.uint8))[:side, :side]
    symbols, descriptor = codec.encode(picture, rate, SNR_DB)
    variance = np.full(symbols.size, 10 ** (-SNR_DB / 10), np.float32)
    noise = rng.standard_normal((symbols.size, 2)) @ np.array([1, 1j])
    received = (symbols + noise * np.sqrt(variance / 2)).astype(np.complex64)
    goal_ms = GOAL_MS if side == GOAL_SIDE else None
    ways: dict[str, Callable[[], object]] = {
        "encode": lambda: codec.encode(picture, rate, SNR_DB),
        "decode": lambda: codec.decode(received, variance, descriptor),
    }
    found = []
    for way, action in ways.items():
        action()  # memory and plans of the first call
        spent = [_seconds(action) for _ in range(rounds)]
        found.append(
            {
                "side": side,
                "rate": rate,
                "way": way,
                "median_ms": 1e3 * float(np.median(spent)),
                "most_ms": 1e3 * float(np.quantile(spent, 0.9)),
                "goal_ms": goal_ms,
            }
        )
    return found


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
