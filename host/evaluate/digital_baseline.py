# SPDX-License-Identifier: GPL-3.0-or-later
"""JSCC against files, 5G LDPC and QAM: ``./semcom eval digital-baseline``.

Digital: JPEG, WebP or AVIF at the largest quality that fits, 5G NR LDPC, M-QAM. At each SNR the
(M, R) of highest mean PSNR among those that lose at most a tenth of the pictures (*best*), or
whatever is lost (*any BLER*); a lost picture is grey. JSCC: the shipped codec, its symbols
through the same channel. Both have k complex data symbols of unit mean power a picture; SNR is
Es/N0 of such a symbol, averaged over fading. The receiver knows the channel, the sender its mean
SNR. Framing, pilots and the header are alike and not counted.

``rayleigh``: one coefficient a picture. ``multipath``: one impulse response a picture, symbols
over the testbed's data carriers. *fade known*: the sender picks (M, R) for every picture's
coefficient.

Error rates come from a table measured beforehand (``./semcom eval digital-bler``).
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from host.baseline.chain import BLER_LIMIT, Chain, files
from host.baseline.effective import CHANNELS, Fading, powers_of
from host.baseline.mcs import SWEEP
from host.baseline.source import FORMATS, Ladder
from host.evaluate.digital_curves import (
    BLOCKS,
    SNRS_DB,
    Picture,
    Record,
    crossovers,
    digital_curves,
    fade_known,
    fades_of,
    jscc_curve,
    score,
)
from semcom_blocks.errors import ConfigError, require_choice, require_range

log = logging.getLogger(__name__)

DATASETS = ("cifar10", "photos")
PHOTOS = ("astronaut", "chelsea", "coffee")  # shipped with scikit-image
RATES = ("1/24", "1/12", "1/6")
FIXED = ("QPSK 1/2", "16-QAM 1/2", "64-QAM 3/4")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval digital-baseline``."""
    add = parser.add_argument
    add("--dataset", default="photos", metavar="NAME",
        help="cifar10 or photos (default: %(default)s: three of scikit-image)")  # fmt: skip
    add("--data", metavar="PATH", help="folder or zip of pictures, split 'test'; cifar10 needs it")
    add("--rate", default=",".join(RATES), metavar="LIST", help="k/n (default: %(default)s)")
    add("--channel", default="awgn,rayleigh", metavar="LIST",
        help=f"of {', '.join(CHANNELS)} (default: %(default)s)")  # fmt: skip
    add("--fixed", default=",".join(FIXED), metavar="LIST",
        help="(M, R) whose cliff is shown (default: %(default)s)")  # fmt: skip
    add("--pictures", type=int, default=100, help="at most so many (default: %(default)s)")
    add("--fades", type=int, default=4, help="fades of each picture, JSCC (default: %(default)s)")
    add("--name", default="jscc-v3", help="name of the weights (default: %(default)s)")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--bler", metavar="FILE", help="table of block error rates (default: the one shipped)")
    add("--json", metavar="FILE", help="write the curves there as well (default: not written)")
    add("--plot", metavar="FILE", help="draw the curves there as PNG (default: not drawn)")
    add("--seed", type=int, default=1, help="of noise and fading (default: %(default)s)")
    add("--threads", type=int, default=0, help="processor threads, 0 = all (default: %(default)s)")


def _list(name: str, text: str, permitted: tuple[str, ...] | None = None) -> list[str]:
    found = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for part in found if permitted else ():
        require_choice(name, part, permitted)
    return found


def pictures_of(args: argparse.Namespace) -> tuple[list[Picture], str]:
    """The pictures of ``--dataset`` or ``--data``, and a word on where they are from."""
    from host.datasets import load_pictures
    from host.images import load_image

    if args.data:
        return load_pictures(args.data, "test", args.pictures).pictures, Path(args.data).name
    if args.dataset == "cifar10":
        raise ConfigError("data is not given, permitted: the folder or zip of CIFAR-10")
    names = PHOTOS[: args.pictures]
    return [load_image(name).pixels for name in names], f"scikit-image: {', '.join(names)}"


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw and store; returns the exit code. Raises ConfigError, ModelError."""
    # Here, not above: the command line asks for the options without paying for torch.
    import torch

    from host.baseline.bler import TABLE, BlerTable
    from models.image_codec import ImageCodec, symbol_count
    from models.weights_io import read_card, write_atomic

    require_choice("dataset", args.dataset, DATASETS)
    for name, low in (("pictures", 1), ("fades", 1)):
        require_range(name, getattr(args, name), low, 10**5)
    require_range("seed", args.seed, 0, 2**63 - 1)
    require_range("threads", args.threads, 0, 1024)
    for name in ("json", "plot"):
        path = getattr(args, name)
        if path and not Path(path).absolute().parent.is_dir():
            raise ConfigError(f"{name} is {path!r}, permitted: a file in an existing folder")
    if args.threads:
        torch.set_num_threads(args.threads)
    channels = _list("channel", args.channel, CHANNELS)
    table = BlerTable.load(Path(args.bler) if args.bler else TABLE)
    known = {mcs.name: mcs for mcs in table.sweep}
    fixed = [known[name] for name in _list("fixed", args.fixed, tuple(known))]
    where = {"directory": Path(args.weights)} if args.weights else {}
    codec = ImageCodec.load(args.name, **where)
    rates = _list("rate", args.rate, codec.rates)
    pictures, source = pictures_of(args)
    console = Console(stderr=True)

    ladders = {kind: [Ladder(picture, kind) for picture in pictures] for kind in FORMATS}
    curves: list[Record] = []
    jobs = [(rate, channel) for rate in rates for channel in channels]
    found: dict[str, Any] = {}
    fading = {name: Fading(powers_of(name, BLOCKS, args.seed)) for name in channels}
    still = Fading(np.ones((1, 1)))
    for rate, channel in track(jobs, f"{source}: {len(pictures)} pictures", console=console):
        place = {"channel": channel, "rate": rate}
        fades = fades_of(channel, len(pictures), args.fades, args.seed)
        parts = [jscc_curve(codec, pictures, rate, fades, args.seed, channel != "awgn")]
        symbols = [symbol_count(*picture.shape[:2], rate) for picture in pictures]
        for kind in FORMATS:
            if channel == channels[0]:
                found[kind] = files(ladders[kind], symbols, table.sweep, score)
            parts += digital_curves(kind, Chain(found[kind], table, fading[channel]), fixed)
            if channel == "rayleigh":
                parts.append(fade_known(kind, Chain(found[kind], table, still)))
        curves += [{**place, **part} for part in parts]
    result = {
        "dataset": args.dataset,
        "source": source,
        "pictures": len(pictures),
        "model": args.name,
        "sha256": read_card(args.name, *where.values())["sha256"],
        "snr": "Es/N0 per complex symbol, mean over fading",
        "bler_limit": BLER_LIMIT,
        "seed": args.seed,
        "fades": args.fades,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "crossovers": crossovers(curves),
        "curves": curves,
    }
    show(Console(), result)
    if args.json:
        write_atomic(Path(args.json), dump(result).encode())
        log.info("wrote %s", args.json)
    if args.plot:
        from host.evaluate.digital_baseline_plots import page_of

        write_atomic(Path(args.plot), page_of(result))
    return 0


def dump(result: Record) -> str:
    """JSON with one curve a line."""
    lists = ("crossovers", "curves")
    head = json.dumps({k: v for k, v in result.items() if k not in lists}, indent=1)
    parts = [
        f' "{key}": [\n' + ",\n".join("  " + json.dumps(row) for row in result[key]) + "\n ]"
        for key in lists
    ]
    return head.removesuffix("\n}") + ",\n" + ",\n".join(parts) + "\n}\n"


def show(console: Console, result: Record) -> None:
    """A table of PSNR for each channel and rate, fixed (M, R) left out, and the crossovers."""
    curves = result["curves"]
    for place in dict.fromkeys((c["channel"], c["rate"]) for c in curves):
        title = f"{result['dataset']}, {place[0]}, k/n {place[1]}: mean PSNR in dB over SNR"
        shown = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        shown.add_column("", no_wrap=True)
        for snr_db in SNRS_DB:
            shown.add_column(f"{snr_db:g}", justify="right")
        for curve in (c for c in curves if (c["channel"], c["rate"]) == place):
            if curve.get("choice") in (mcs.name for mcs in SWEEP):
                continue
            name = " ".join(filter(None, (curve["system"], curve.get("choice"))))
            values = np.interp(SNRS_DB, curve["snr_db"], curve["psnr_db"])
            shown.add_row(name, *(f"{value:.2f}" for value in values))
        console.print(shown)
    for row in result["crossovers"]:
        if row["measure"] != "psnr_db":
            continue
        first = "ahead" if row["jscc_ahead_at_low_end"] > 0 else "behind"
        last = "ahead" if row["jscc_ahead_at_high_end"] > 0 else "behind"
        at = row["crossings_db"]
        said = f"JSCC {first} throughout"
        if at:  # where the other climbs in steps there are several
            said = f"JSCC {first} below {at[0]:.1f} dB, {last} above {at[-1]:.1f} dB"
        text = f"{row['channel']}, {row['rate']}, {row['system']} {row['choice']}: {said}"
        console.print(text, highlight=False)
