# SPDX-License-Identifier: GPL-3.0-or-later
"""What the refiner brings and costs: ``./semcom eval refiner --data BSDS500 --json F --plot F``.

Middles of test photos go through the JSCC codec at rates 1/24 and 1/12 and white noise of three
SNRs; the coarse pictures are refined at several strengths, 0 being the coarse picture itself. Cost:
PSNR and MS-SSIM against the photo. Gain, each against the photo, 0 (sharpness: 1) the best:

* ``frechet_vae``: Fréchet distance of all positions' features in the encoder of ``vae-v1``, which
  had no part in training the refiner: how far the pictures as a whole are from photos as a whole;
* ``distance_vae``: mean distance of these features position by position;
* ``distance_hed``: the same in the edge network, which the refiner was trained with: flattered;
* ``gradient_distance``: Wasserstein distance of gradient magnitudes, in levels of 255;
* ``sharpness``: mean gradient magnitude over that of the photo.

None of these is LPIPS or FID; they compare among themselves.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from host.datasets import load_pictures
from host.evaluate.output import add_files, prepare, show, write_json
from host.evaluate.texture import (
    encoder_features,
    feature_distance,
    frechet_distance,
    gradients,
    wasserstein,
)
from host.metrics import ms_ssim, psnr_db
from semcom_blocks.errors import ConfigError, require_range

if TYPE_CHECKING:
    from models.edges.hed import Hed
    from models.generation.vae import Vae
    from models.refiner import PhotoRefiner

log = logging.getLogger(__name__)
Record = dict[str, Any]
Pictures = list[NDArray[np.uint8]]

SIDE = 160  # pixels, the middle of each photo
SNRS_DB = (1.0, 7.0, 15.0)
STRENGTHS = (0.0, 0.5, 1.0)
SHOWN = 3  # photos on the page of pictures
MEASURES = ("psnr_db", "ms_ssim", "frechet_vae", "distance_vae", "distance_hed",
            "gradient_distance", "sharpness")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval refiner``."""
    add_files(parser, "table")
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help="folder or zip of photos, split test")
    add("--photos", type=int, default=32, help="at most so many (default: %(default)s)")
    add("--name", default="refiner-v1", help="of the refiner's weights")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--seed", type=int, default=1, help="of the channel (default: %(default)s)")
    add("--threads", type=int, default=0, help="processor threads, 0 = all")


def middles(photos: Pictures, side: int = SIDE) -> Pictures:
    """The middle side x side of each photo that is large enough."""
    found = []
    for photo in photos:
        top, left = ((n - side) // 2 for n in photo.shape[:2])
        if min(top, left) >= 0:
            found.append(np.ascontiguousarray(photo[top : top + side, left : left + side]))
    return found


class Yardstick:
    """Features and gradients of the photos, and what others are against them."""

    def __init__(self, photos: Pictures, vae: Vae, hed: Hed) -> None:
        self.photos, self.vae, self.hed = photos, vae, hed
        self.encoded = [encoder_features(vae, p) for p in photos]
        self.gradients = [gradients(p) for p in photos]

    def hed_distance(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
        """Of two pictures, in the edge network."""
        import torch

        from host.train import refiner
        from models.pictures import picture_tensor

        with torch.no_grad():
            found = [refiner.hed_features(self.hed, picture_tensor(p)) for p in (a, b)]
        return float(refiner.feature_distance(*found))

    def score(self, pictures: Pictures) -> Record:
        """MEASURES of ``pictures``, one for each photo, means over them."""
        features = [encoder_features(self.vae, p) for p in pictures]
        pairs = list(zip(self.photos, pictures, strict=True))
        found = [gradients(p) for p in pictures]
        both = list(zip(self.gradients, found, strict=True))
        values = {
            "psnr_db": np.mean([psnr_db(a, b) for a, b in pairs]),
            "ms_ssim": np.mean([ms_ssim(a, b)[0] for a, b in pairs]),
            "frechet_vae": frechet_distance(np.concatenate(self.encoded), np.concatenate(features)),
            "distance_vae": np.mean(
                [feature_distance(a, b) for a, b in zip(self.encoded, features, strict=True)]
            ),
            "distance_hed": np.mean([self.hed_distance(a, b) for a, b in pairs]),
            "gradient_distance": np.mean([wasserstein(a, b) for a, b in both]),
            "sharpness": np.mean([b.mean() / max(a.mean(), 1e-9) for a, b in both]),
        }
        return {k: round(float(v), 4) for k, v in values.items()}


def measure(
    yardstick: Yardstick, refiner: PhotoRefiner, received: dict[tuple[str, float], Pictures]
) -> list[Record]:
    """One row for each rate, SNR and strength."""
    rows = []
    for (rate, snr_db), coarse in track(received.items(), "refining", console=Console(stderr=True)):
        for strength in STRENGTHS:
            refined = [refiner.refine(p, strength) for p in coarse]
            about = {"rate": rate, "snr_db": snr_db, "strength": strength}
            rows.append(about | yardstick.score(refined))
    return rows


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw and store; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from host.train.coarse import RATES, coarse
    from models.edges.hed import HedExtractor
    from models.generation.loading import load_network
    from models.generation.vae import Vae, VaeConfig
    from models.image_codec import ImageCodec
    from models.refiner import PhotoRefiner
    from models.weights_io import WEIGHTS_DIR, read_card, write_atomic

    require_range("photos", args.photos, 1, 10**6)
    prepare(args)
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    refiner = PhotoRefiner.load(args.name, directory)
    codec = ImageCodec.load(directory=directory)
    hed = HedExtractor.load(directory=directory).network
    vae = load_network(Vae, VaeConfig, "vae-v1", directory)
    photos = middles(load_pictures(args.data, "test", args.photos).pictures)
    if not photos:
        raise ConfigError(f"data has no photo of {SIDE}x{SIDE} pixels, permitted: at least 1")
    received = {}
    for rate in RATES:
        for snr_db in track(SNRS_DB, f"coding at {rate}", console=Console(stderr=True)):
            received[rate, snr_db] = [
                coarse(codec, p, rate, snr_db, np.random.default_rng([args.seed, i]))
                for i, p in enumerate(photos)
            ]
    rows = measure(Yardstick(photos, vae, hed), refiner, received)
    names = (args.name, "jscc-v3", "vae-v1", "hed-v1")
    result = {
        "seed": args.seed,
        "photos": len(photos),
        "side": SIDE,
        "weights": {name: read_card(name, directory)["sha256"] for name in names},
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "records": rows,
    }
    show(Console(), "Refined photos", rows, ("rate", "snr_db", "strength", *MEASURES))
    if args.json:
        write_json(args.json, result)
        log.info("wrote %s", args.json)
    if args.plot or args.pictures:
        from host.evaluate import refiner_plots

        if args.plot:
            write_atomic(Path(args.plot), refiner_plots.curves(rows))
        if args.pictures:
            page = refiner_plots.pictures(photos[:SHOWN], received, refiner)
            write_atomic(Path(args.pictures), page)
    return 0
