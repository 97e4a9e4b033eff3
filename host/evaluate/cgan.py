# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel estimators side by side: ``./semcom eval cgan --json F --plot F``.

LS, robust LMMSE, the generator trained by squared error alone, the CGAN, and a genie LMMSE that
knows each channel's delays, mean powers and noise, on

    (a) channels as in training: the whole mixture, and the software channel's exponential profiles;
    (b) TDL-A to E and urban macro of 3GPP TR 38.901, which no network has seen;
    (c) GNU Radio's own selective fading, through its own block.

Figures: NMSE, uncoded bit errors (QPSK, 16-QAM), and PSNR of a picture sent by JSCC. Frames are
short ones, 22 symbols of payload, where the estimate counts most. Goals that are missed are named
with by how much.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import track

from host.cli.parser import positive
from semcom_blocks.errors import ConfigError

if TYPE_CHECKING:
    from host.evaluate.estimation import Estimators
    from host.train.channel_draws import Drawn
    from models.image_codec import ImageCodec

log = logging.getLogger(__name__)
Record = dict[str, Any]
Draw = Callable[[float, np.random.Generator], "Drawn"]

SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
FRAMES, GR_FRAMES = 300, 60
SPREADS = (0.5, 1.0, 2.0, 4.0)  # RMS, in samples, of the software channel
TDL_SPREAD_S, RATE_HZ, FAST_HZ = 1148e-9, 1e6, 5e6
PICTURED = ("software channel, 2 samples", "TDL-C", "UMa at 5 MS/s", "GNU Radio selective fading")
PHOTO, SIDE = "chelsea", 96


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval cgan``."""
    add = parser.add_argument
    add("--json", metavar="FILE", help="write the table there as well")
    add("--plot", metavar="FILE", help="draw the curves as PNG there")
    add(
        "--frames",
        type=positive(10, 100_000, int),
        default=FRAMES,
        metavar="N",
        help="of each case and SNR (default: %(default)s)",
    )
    add("--no-gnu-radio", action="store_true", help="leave out (c)")
    add("--no-pictures", action="store_true", help="leave out PSNR")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--seed", type=positive(0, 2**31, int), default=1, help="(default: %(default)s)")


def cases(frames: int) -> dict[str, tuple[str, Draw]]:
    """Family and draw of each case but GNU Radio's."""
    from host.evaluate import tdl
    from host.evaluate.estimation import SYMBOLS
    from host.train import channel_draws as draws
    from semcom_blocks.phy.numerology import Numerology

    num = Numerology()

    def of(paths: Callable[[np.random.Generator], draws.Paths]) -> Draw:
        def draw(snr_db: float, rng: np.random.Generator) -> Drawn:
            short = draws.frames_of(num, np.full(frames, SYMBOLS))
            return draws.observe(num, paths(rng), short, np.full(frames, snr_db), rng)

        return draw

    def arriving(paths: Callable[[np.random.Generator], draws.Paths]) -> Draw:
        return of(lambda rng: draws.arrive(paths(rng), num, rng))

    found = {"training mixture": ("a", of(lambda rng: draws.draw_paths(num, frames, rng)))}
    for spread in SPREADS:
        spreads = np.full(frames, spread)
        name = f"software channel, {spread:g} samples"
        found[name] = ("a", arriving(lambda rng, s=spreads: draws.exponential_paths(s)))
    for letter in tdl.TAPS:
        spread = TDL_SPREAD_S * RATE_HZ
        found[f"TDL-{letter}"] = (
            "b",
            arriving(lambda rng, n=letter, s=spread: tdl.tdl_paths(n, s, frames)),
        )
    for rate_hz in (RATE_HZ, FAST_HZ):
        name = f"UMa at {rate_hz / 1e6:g} MS/s"
        found[name] = ("b", arriving(lambda rng, r=rate_hz: tdl.uma_paths(r, frames, rng)))
    return found


def measure(args: argparse.Namespace, estimators: Estimators, console: Console) -> list[Record]:
    """Every case at every SNR."""
    from host.evaluate import estimation

    picture = None if args.no_pictures else _picture()
    rows: list[Record] = []
    todo = dict(cases(args.frames))
    if not args.no_gnu_radio:
        from host.evaluate.gr_fading import faded

        through = faded(GR_FRAMES, args.seed)
        todo["GNU Radio selective fading"] = ("c", through.drawn)
    for name, (family, draw) in track(todo.items(), "channels", console=console):
        sent = picture if name in PICTURED else None
        rows += estimation.measure(name, family, draw, SNRS_DB, estimators, args.seed, sent)
    return rows


def _picture() -> tuple[ImageCodec, np.ndarray]:
    from host.images import load_image
    from models.image_codec import ImageCodec

    pixels = load_image(PHOTO).pixels
    top, left = ((n - SIDE) // 2 for n in pixels.shape[:2])
    return ImageCodec.load(), np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw and store; returns the exit code. Raises ConfigError, ModelError."""
    from host.evaluate.estimation import SYMBOLS, Estimators, targets
    from models.channel.estimator import L2_NAME, NAME, ChannelEstimator
    from models.weights_io import WEIGHTS_DIR, read_card, write_atomic

    for name in ("json", "plot"):
        path = getattr(args, name)
        if path and not Path(path).absolute().parent.is_dir():
            raise ConfigError(f"{name} is {path!r}, permitted: a file in an existing folder")
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    estimators = Estimators(
        ChannelEstimator.load(L2_NAME, directory), ChannelEstimator.load(NAME, directory)
    )
    rows = measure(args, estimators, Console(stderr=True))
    result = {
        "command": "./semcom eval cgan",
        "seed": args.seed,
        "payload_symbols": SYMBOLS,
        "weights": {name: read_card(name, directory)["sha256"] for name in (NAME, L2_NAME)},
        "targets": targets(rows),
        "records": rows,
    }
    show(Console(), result)
    if args.json:
        text = json.dumps(_rounded(result), indent=1) + "\n"
        write_atomic(Path(args.json), text.encode())
        log.info("wrote %s", args.json)
    if args.plot:
        from host.evaluate.cgan_plots import curves

        write_atomic(Path(args.plot), curves(rows))
    return 0


def show(console: Console, result: Record) -> None:
    """NMSE of every case, and the goals."""
    from rich.table import Table

    from host.evaluate.estimation import METHODS

    table = Table(title="NMSE in dB", box=None, padding=(0, 2, 0, 0))
    for name in ("channel", "SNR", *METHODS, "BER 16-QAM ls", "cgan", "known"):
        table.add_column(name, justify="left" if name == "channel" else "right")
    for row in result["records"]:
        errors = row["ber"]["16-QAM"]
        table.add_row(
            row["case"],
            f"{row['snr_db']:g}",
            *(f"{row['nmse_db'][n]:.1f}" if n in row["nmse_db"] else "—" for n in METHODS),
            *(f"{errors[name]:.4f}" for name in ("ls", "cgan", "known")),
        )
    console.print(table)
    for goal in result["targets"]:
        word = "met" if goal["met"] else "missed, met"
        console.print(
            f"{goal['method']}: {goal['target']}: {word} at {goal['points_met']} of "
            f"{goal['points']} points, worst {goal['worst_db']:+.2f} dB ({goal['where']})",
            style=None if goal["met"] else "yellow",
        )


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return round(value, 5) if isinstance(value, float) else value
