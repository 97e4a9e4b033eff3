# SPDX-License-Identifier: GPL-3.0-or-later
"""JSCC weights over the testbed's software channel: ``./semcom eval jscc-link --names A B``.

The same photos, frames, fading and noise for each set of weights, through modulator, software
channel, synchroniser, estimated channel and equaliser (:mod:`host.evaluate.radio_chain`). The gain
of weights over the first ones is the mean difference in PSNR of the same picture in the same
channel, with Student's 95 % interval over pictures and seeds. A lost frame is an erasure; the
encoder is told the mean SNR, as the transmitter of a run is.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from host.bench.link.intervals import mean
from host.datasets import load_pictures
from host.evaluate.link_vs_ideal import SNR_RANGE_DB
from host.evaluate.output import prepare, show, write_json
from host.evaluate.radio_chain import CASES, through_chain
from host.images import load_image
from host.metrics import psnr_db
from semcom_blocks.errors import ConfigError, require_choice, require_range
from semcom_blocks.phy.equalizer import METHODS
from semcom_blocks.phy.precoding import DEFAULT_PRECODING, PRECODINGS

if TYPE_CHECKING:
    from models.image_codec import ImageCodec

log = logging.getLogger(__name__)
Record = dict[str, Any]

NAMES = ("jscc-v3", "jscc-ofdm-v1")
PHOTOS = ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket")
SNRS_DB = (0.0, 5.0, 10.0, 15.0, 20.0)
DEFAULT_CASES = ("awgn", "rayleigh", "multipath", "radio", "walking", "clipped-multipath")
SIDE = 192  # pixels: three frames at k/n 1/6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval jscc-link``."""
    add = parser.add_argument
    add("--names", nargs="+", metavar="NAME",
        help=f"weights; gains are over the first (default: {' '.join(NAMES)})")  # fmt: skip
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--image", action="append", metavar="IMAGE",
        help=f"photo, may be repeated (default: {', '.join(PHOTOS)})")  # fmt: skip
    add("--data", metavar="PATH", help="folder or zip of photos (its split 'test') instead")
    add("--pictures", type=int, default=5, help="at most so many of --data (default: %(default)s)")
    add("--side", type=int, default=SIDE,
        help="the middle of each photo, in pixels a side (default: %(default)s)")  # fmt: skip
    add("--rate", default="1/6", metavar="K/N", help="(default: %(default)s)")
    add("--case", nargs="+", metavar="CASE",
        help=f"of {', '.join(CASES)} (default: all but clipped)")  # fmt: skip
    add("--snr-db", nargs="+", type=float, metavar="DB",
        help="Es/N0 per complex symbol (default: 0 5 10 15 20)")  # fmt: skip
    add("--seeds", type=int, default=3, help="channels of each picture (default: %(default)s)")
    add("--seed", type=int, default=1, help="the first of them (default: %(default)s)")
    add("--equalizer", choices=METHODS, default="mmse", help="(default: %(default)s)")
    add("--precoding", choices=PRECODINGS, default=DEFAULT_PRECODING,
        help="of the cells of a frame (default: %(default)s)")  # fmt: skip
    add("--threads", type=int, default=0, help="processor threads, 0 = all (default: %(default)s)")
    add("--json", metavar="FILE", help="write the table there as well (default: not written)")
    add("--plot", metavar="FILE", help="draw the curves as PNG there (default: not drawn)")


def check(args: argparse.Namespace) -> None:
    """Fill in lists and refuse what is out of range before any work; raises ConfigError."""
    args.names = args.names or list(NAMES)
    args.case = args.case or list(DEFAULT_CASES)
    args.snr_db = args.snr_db or list(SNRS_DB)
    prepare(args, seed_max=2**31)
    require_range("pictures", args.pictures, 1, 10**4)
    require_range("side", args.side, 16, 4096)
    require_range("seeds", args.seeds, 1, 10**4)
    for snr_db in args.snr_db:
        require_range("snr-db", snr_db, *SNR_RANGE_DB)
    for case in args.case:
        require_choice("case", case, tuple(CASES))
    if args.data and args.image:
        raise ConfigError("image and data are both given, permitted: one of them")


def photos_of(args: argparse.Namespace) -> dict[str, NDArray[np.uint8]]:
    """The middle of each photo, uint8 (H,W,3) by name; at most ``side`` pixels a side."""
    if args.data:
        pictures = load_pictures(args.data, "test", args.pictures).pictures
        found = {f"{Path(args.data).name} {i}": picture for i, picture in enumerate(pictures)}
    else:
        found = {name: load_image(name).pixels for name in args.image or PHOTOS}
    return {name: _middle(picture, args.side) for name, picture in found.items()}


def _middle(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    top, left = (max(0, size - side) // 2 for size in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def runs(
    args: argparse.Namespace, codecs: list[ImageCodec], photos: dict[str, NDArray[np.uint8]]
) -> Iterator[Record]:
    """Every photo over every channel, all weights over the same one.

    ``psnr_db`` is a list in the order of ``codecs``; ``lost`` the share of frames.
    """
    for number, photo in enumerate(photos.values()):
        for snr_db in args.snr_db:
            for case in args.case:
                known = args.rate, snr_db, CASES[case].fades
                sent = [codec.encode(photo, *known) for codec in codecs]
                for seed in range(args.seed, args.seed + args.seeds):
                    key = (seed, number, round(1000 * (snr_db - SNR_RANGE_DB[0])))
                    scores, lost = [], []
                    for codec, (symbols, descriptor) in zip(codecs, sent, strict=True):
                        arrived = through_chain(
                            symbols, CASES[case], snr_db, key,
                            equalizer=args.equalizer, precoding=args.precoding,
                        )  # fmt: skip
                        got = codec.decode(arrived.symbols, arrived.noise_var, descriptor)
                        scores.append(psnr_db(photo, got))
                        lost.append(1 - arrived.frames_received / arrived.frames_sent)
                    yield {"case": case, "snr_db": snr_db, "psnr_db": scores, "lost": lost}


def rows_of(found: list[Record], count: int) -> list[Record]:
    """A row for each channel and SNR, and one over all SNRs (``snr_db`` None) for each channel.

    ``psnr_db``, ``lost``: means of each weights.  ``gain_db``, ``gain_db_ci``: over the first, of
    the others.
    """
    rows = []
    for case in dict.fromkeys(one["case"] for one in found):
        own = [one for one in found if one["case"] == case]
        for snr_db in [*dict.fromkeys(one["snr_db"] for one in own), None]:
            part = [one for one in own if snr_db in (None, one["snr_db"])]
            scores = np.array([one["psnr_db"] for one in part])  # (runs, weights)
            gains = [mean(scores[:, i] - scores[:, 0]) for i in range(1, count)]
            rows.append(
                {
                    "case": case,
                    "snr_db": snr_db,
                    "runs": len(part),
                    "lost": _rounded(np.mean([one["lost"] for one in part], axis=0)),
                    "psnr_db": _rounded(scores.mean(axis=0)),
                    "gain_db": _rounded([gain.value for gain in gains]),
                    "gain_db_ci": [_rounded(gain[1:]) for gain in gains],
                }
            )
    return rows


def _rounded(values: Any) -> list[float | None]:
    """Numbers of a table; None where one run alone tells no interval."""
    return [round(float(v), 4) if np.isfinite(v) else None for v in values]


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw and store; returns the exit code. Raises ConfigError, ModelError."""
    check(args)
    photos = photos_of(args)
    # Here, not above: the command line asks for the options without paying for torch.
    from models.image_codec import ImageCodec
    from models.weights_io import WEIGHTS_DIR, read_card, write_atomic

    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    codecs = [ImageCodec.load(name, directory=directory) for name in args.names]
    for codec in codecs:
        require_choice("rate", args.rate, codec.rates)
    total = len(photos) * len(args.case) * len(args.snr_db) * args.seeds
    console = Console(stderr=True)
    found = list(track(runs(args, codecs, photos), "channels", total, console=console))
    rows = rows_of(found, len(codecs))
    result = {
        "command": "./semcom eval jscc-link",
        "weights": args.names,
        "sha256": [read_card(name, directory)["sha256"] for name in args.names],
        "photos": {name: list(photo.shape[:2]) for name, photo in photos.items()},
        "rate": args.rate,
        "snr": "Es/N0 per complex symbol",
        "equalizer": args.equalizer,
        "precoding": args.precoding,
        "seeds": list(range(args.seed, args.seed + args.seeds)),
        "cases": {name: CASES[name].text for name in args.case},
        "rows": rows,
    }
    title = f"mean PSNR in dB of {', '.join(args.names)}; gain over {args.names[0]}"
    show(Console(), title, [_line(row) for row in rows], ("channel", "SNR", "lost", "PSNR", "gain"))
    if args.json:
        write_json(args.json, result)
        log.info("wrote %s", args.json)
    if args.plot:
        from host.evaluate.jscc_link_plots import page_of

        write_atomic(Path(args.plot), page_of(result))
    return 0


def _line(row: Record) -> Record:
    gains = [
        f"{gain:+.2f} ({low:+.2f} to {high:+.2f})" if low is not None else f"{gain:+.2f}"
        for gain, (low, high) in zip(row["gain_db"], row["gain_db_ci"], strict=True)
    ]
    return {
        "channel": row["case"],
        "SNR": "all" if row["snr_db"] is None else f"{row['snr_db']:g} dB",
        "lost": f"{np.mean(row['lost']):.1%}",
        "PSNR": " ".join(f"{value:.2f}" for value in row["psnr_db"]),
        "gain": ", ".join(gains),
    }
