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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from host.baseline.chain import BLER_LIMIT, Chain, best, crossings, files
from host.baseline.effective import CHANNELS, Fading, powers_of
from host.baseline.mcs import Mcs
from host.baseline.source import FORMATS, Ladder
from host.metrics import ms_ssim, psnr_db
from semcom_blocks.errors import ConfigError, require_choice, require_range
from semcom_blocks.phy.interleave import permutation

if TYPE_CHECKING:
    from models.image_codec import ImageCodec

log = logging.getLogger(__name__)
Picture = NDArray[np.uint8]
Record = dict[str, Any]

DATASETS = ("cifar10", "photos")
PHOTOS = ("astronaut", "chelsea", "coffee")  # shipped with scikit-image
RATES = ("1/24", "1/12", "1/6")
SNRS_DB = (1.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0)  # of JSCC, whose curves are smooth
FINE_DB = np.arange(-4.0, 24.1, 0.5)  # of the digital chain, whose curves have cliffs
WIDE_DB = np.arange(-30.0, 50.1, 0.5)  # what a fade makes of it
CHOICES = {"best": BLER_LIMIT, "any BLER": 1.0}  # how (M, R) is picked → BLER at most
FIXED = ("QPSK 1/2", "16-QAM 1/2", "64-QAM 3/4")
MOST_DB = 60.0  # counted for a picture better than that: one that is equal would outweigh all
BLOCKS = 2000  # fading blocks that error rates are averaged over


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
    add("--name", default="jscc-v1", help="name of the weights (default: %(default)s)")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--bler", metavar="FILE", help="table of block error rates (default: the one shipped)")
    add("--json", metavar="FILE", help="write the curves there as well (default: not written)")
    add("--plot", metavar="FILE", help="draw the curves there as PNG (default: not drawn)")
    add("--seed", type=int, default=1, help="of noise and fading (default: %(default)s)")
    add("--threads", type=int, default=0, help="processor threads, 0 = all (default: %(default)s)")


def score(sent: Picture, shown: Picture) -> tuple[float, float]:
    """PSNR in dB, at most MOST_DB, and MS-SSIM of as many scales as fit; NaN below 11 pixels."""
    similar = ms_ssim(sent, shown)[0]
    return min(psnr_db(sent, shown), MOST_DB), np.nan if similar is None else similar


def jscc_curve(
    codec: ImageCodec, pictures: list[Picture], rate: str, fades: list[NDArray], seed: int
) -> Record:
    """JSCC over SNRS_DB: each picture through each of its ``fades`` |h|² (F, K)."""
    means = []
    for snr_db in SNRS_DB:
        found = []
        for index, picture in enumerate(pictures):
            rng = np.random.default_rng([seed, index])  # the same noise at every SNR
            symbols, descriptor = codec.encode(picture, rate, snr_db)
            for powers in fades[index]:
                variance = 10 ** (-snr_db / 10) / spread(powers, symbols.size)
                noise = rng.standard_normal((symbols.size, 2)) @ np.array([1, 1j])
                heard = (symbols + noise * np.sqrt(variance / 2)).astype(np.complex64)
                shown = codec.decode(heard, variance.astype(np.float32), descriptor)
                found.append(score(picture, shown))
        means.append(np.mean(found, axis=0))
    psnr, similar = np.transpose(means)
    return {"system": "jscc", **_columns(SNRS_DB, psnr, similar)}


def fades_of(channel: str, pictures: int, fades: int, seed: int) -> list[NDArray]:
    """|h|² (F, K) for each picture; flat fades are spread evenly over the distribution."""
    if channel == "awgn":
        return [np.ones((1, 1))] * pictures
    powers = powers_of(channel, pictures * fades, seed)
    return [powers[index::pictures] for index in range(pictures)]


def spread(powers: NDArray[np.float64], symbols: int) -> NDArray[np.float64]:
    """|h|² of each of ``symbols``, interleaved over the data carriers as a frame's are."""
    return powers[permutation(symbols) % powers.size]


def digital_curves(name: str, chain: Chain, fixed: list[Mcs]) -> list[Record]:
    """What CHOICES pick over FINE_DB, and each of ``fixed``."""
    curves = []
    every = [chain.at(snr_db) for snr_db in FINE_DB]
    for choice, limit in CHOICES.items():
        chosen = [best(points, limit) for points in every]
        curves.append({"system": name, "choice": choice, **_points(chosen)})
    for mcs in fixed:
        points = [next(point for point in points if point.mcs == mcs) for points in every]
        curves.append({"system": name, "choice": mcs.name, **_points(points)})
    return curves


def _points(points: list) -> Record:
    columns = _columns(FINE_DB, [p.psnr_db for p in points], [p.ms_ssim for p in points])
    return {**columns, "mcs": [p.mcs.name for p in points],
            "bler": [round(p.bler, 4) for p in points]}  # fmt: skip


def fade_known(name: str, still: Chain) -> Record:
    """Rayleigh fading with (M, R) picked for each block: ``still`` is the chain in white noise."""
    chosen = [best(still.at(snr_db)) for snr_db in WIDE_DB]
    fades = 10 * np.log10(powers_of("rayleigh", BLOCKS, 0)[:, 0])
    means = [
        [np.mean(np.interp(snr_db + fades, WIDE_DB, [getattr(p, key) for p in chosen]))
         for snr_db in FINE_DB]
        for key in ("psnr_db", "ms_ssim")
    ]  # fmt: skip
    return {"system": name, "choice": "fade known", **_columns(FINE_DB, *means)}


def _columns(snr_db, psnr, similar) -> Record:
    known = not np.isnan(similar).any()
    return {
        "snr_db": [float(x) for x in snr_db],
        "psnr_db": [round(float(x), 3) for x in psnr],
        "ms_ssim": [round(float(x), 4) for x in similar] if known else None,
    }


def crossovers(curves: list[Record]) -> list[Record]:
    """For each format, channel and rate: the SNRs at which it overtakes JSCC or falls behind."""
    rows = []
    at = np.arange(SNRS_DB[0], SNRS_DB[-1] + 0.1, 0.5)
    for curve in curves:
        if curve.get("choice") not in CHOICES:
            continue
        place = {key: curve[key] for key in ("channel", "rate")}
        own = next(c for c in curves if c["system"] == "jscc" and place.items() <= c.items())
        for measure in ("psnr_db", "ms_ssim"):
            if curve[measure] is None:
                continue
            ahead = np.interp(at, own["snr_db"], own[measure])
            ahead = ahead - np.interp(at, curve["snr_db"], curve[measure])
            rows.append({
                "system": curve["system"], "choice": curve["choice"], **place, "measure": measure,
                "crossings_db": [round(x, 2) for x in crossings(at, ahead)],
                "jscc_ahead_at_low_end": round(float(ahead[0]), 3),
                "jscc_ahead_at_high_end": round(float(ahead[-1]), 3),
            })  # fmt: skip
    return rows


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
        parts = [jscc_curve(codec, pictures, rate, fades, args.seed)]
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
    """A table of PSNR for each channel and rate, and the crossovers."""
    curves = result["curves"]
    for place in dict.fromkeys((c["channel"], c["rate"]) for c in curves):
        shown = Table(title=f"{result['dataset']}, {place[0]}, k/n {place[1]}: mean PSNR in dB")
        shown.add_column("", no_wrap=True)
        for snr_db in SNRS_DB:
            shown.add_column(f"{snr_db:g} dB", justify="right")
        for curve in (c for c in curves if (c["channel"], c["rate"]) == place):
            name = " ".join(filter(None, (curve["system"], curve.get("choice"))))
            values = np.interp(SNRS_DB, curve["snr_db"], curve["psnr_db"])
            shown.add_row(name, *(f"{value:.2f}" for value in values))
        console.print(shown)
    for row in result["crossovers"]:
        if row["measure"] != "psnr_db":
            continue
        if row["crossings_db"]:
            side = "below" if row["jscc_ahead_at_low_end"] > 0 else "above"
            said = f"JSCC ahead {side} {', '.join(f'{x:.1f}' for x in row['crossings_db'])} dB"
        else:
            said = f"JSCC {'ahead' if row['jscc_ahead_at_low_end'] > 0 else 'behind'} throughout"
        text = f"{row['channel']}, {row['rate']}, {row['system']} {row['choice']}: {said}"
        console.print(text, highlight=False)
