# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the JSCC image codec: ``./semcom train jscc --data CIFAR --data PHOTOS --minutes 60``.

Loss: mean over the batch of log(MSE + 1e-5), i.e. the mean PSNR that is reported, at SNRs drawn
uniformly and rates drawn per picture, through the link that ``--link`` names: noise, fading and
erasures of symbols (:mod:`host.train.link`), or OFDM with an estimated channel
(:mod:`host.train.ofdm_link`). What the network knows from the start, its tables, is refined at
a tenth of the learning rate. With ``--steps`` the schedule follows the steps, and a resumed run
equals an uninterrupted one bit by bit; with ``--minutes`` it follows the seconds of training, so
that a busy machine still ends in time. Files in ``--out``: see :mod:`host.train.loop`.
"""

from __future__ import annotations

import argparse
import importlib
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from host.datasets import CROP, SMALL_SIDE, load_pictures
from host.train import options
from semcom_blocks.errors import ConfigError, require_range

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from host.train.batches import Batches
    from models.jscc import Jscc

log = logging.getLogger(__name__)

VALIDATION_PICTURES = 250  # of the first data source's held-out part
VALIDATION_SNRS_DB = (1, 4, 7, 10, 13, 19)
VALIDATION_RATES = ("1/12", "1/6")
VALIDATION_SEED = 5  # the same noise each time, so that the curve shows the weights alone
LINKS = {"awgn": "host.train.link", "ofdm": "host.train.ofdm_link"}
CONSTELLATIONS = ("analog", "4", "16", "64", "256")
#: 50 dB: below it a picture weighs less, so that flat ones do not rule the gradient.
MSE_FLOOR = 1e-5
SHARED_POWER_SHARE = 0.5  # of photo batches: one power factor for all crops, as in one big photo
INIT_BLOCKS = 6_000  # for the variances of 3072 coefficients
TABLE_LR = 0.1  # of the rate of the rest, for what is known from the start
LEVEL_LR = 10.0  # of decibels
MAX_BYTES = 8 * 2**20
SUMMARY = (
    "JSCC image codec: any photo to complex channel symbols and back, one network for all SNRs and "
    "the rates 1/24 to 1/3 (complex symbols per source value). Loss: mean of log(MSE + 1e-5); SNR "
    "uniform in -2…22 dB (Es/N0 per complex symbol). In the curve: mean PSNR in dB of "
    f"{VALIDATION_PICTURES} held-out pictures of the first source in AWGN, by rate and SNR."
)
LIMITS = (
    "Trained on the pictures named above only: thumbnails and natural photos. Line art, text and "
    "screens come out softer than a codec for them would make them. Below -2 dB or above 22 dB it "
    "was not trained. Terms of the training data: see the sources of the data sets."
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
    add("--photo-share", type=float, default=0.2, help="of the steps, on crops of photos, 0 to 1")
    add("--link", choices=tuple(LINKS), default="awgn", help="that is trained through")
    add(
        "--trunks",
        metavar="NAME|FILE",
        help="weights whose trunks to begin with, while the rest of the code is solved anew",
    )
    add("--latents", type=int, default=32, help="real channels per 4x4 patch")
    add("--width", type=int, default=128, help="channels of the trunks")
    add("--encoder-blocks", type=int, default=3, help="of the encoder")
    add("--decoder-blocks", type=int, default=4, help="of the decoder")
    add(
        "--constellation",
        choices=CONSTELLATIONS,
        default=CONSTELLATIONS[0],
        help="points that symbols are taken from, soft to hard as training goes on",
    )
    add(
        "--fixed-convolutions",
        action="store_true",
        help="leave the trunks' 3x3 convolutions as they are in --start: the weights then hold "
        "only the rest, a fifth",
    )
    options.add_arguments(parser, name="jscc-v3", minutes=60.0, batch=48, lr=1e-3)
    parser.set_defaults(weight_decay=1e-4, out="runs/jscc")


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    # Here, not above: the command line asks for the options without paying for torch.
    import torch

    from host.train import loop
    from host.train.batches import Batches
    from host.train.card import About
    from host.train.start import load_part
    from models.constellation import hardness_at
    from models.jscc import Jscc, JsccConfig
    from models.rates import RATES
    from models.transform import STRIDE

    options.check(args)
    require_range("photo-share", args.photo_share, 0, 1)
    if args.fixed_convolutions and args.start is None:
        raise ConfigError("fixed-convolutions is given, permitted with a start only")
    if args.trunks is not None and args.start is not None:
        raise ConfigError("trunks is given, permitted without a start only")
    bits = 0 if args.constellation == "analog" else int(args.constellation).bit_length() - 1
    config = JsccConfig(args.latents, args.width, args.encoder_blocks, args.decoder_blocks, bits)
    link = importlib.import_module(LINKS[args.link])
    args.trunks_name = args.trunks and Path(args.trunks).name

    args.data_names = [path.rstrip("/").rsplit("/", 1)[-1] for path in args.data]
    sets = [load_pictures(path, "train") for path in args.data]
    for s in sets:
        log.info("%s: %d pictures, %d skipped", s.source, len(s.pictures), s.skipped)
    batches = Batches([p for s in sets for p in s.pictures], args.batch, args.photo_share)
    held_out = _validation_pictures(args.data[0])

    def build() -> nn.Module:
        model = Jscc(config)
        if args.start is None:
            model.init_code(_blocks(batches, torch.Generator().manual_seed(args.seed)))
        if args.trunks is not None:
            load_part(model, args.trunks, ("encoder.trunk", "decoder.trunk"))
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not (args.fixed_convolutions and ".wide." in name))
        return model.to(memory_format=torch.channels_last)

    def groups(model: Jscc) -> list[dict]:
        known = [
            {"params": [*model.encoder.tables(), *model.decoder.tables()], "share": TABLE_LR},
            {"params": list(model.strong.curves.parameters()), "share": 1.0},
            {"params": [model.strong.level], "share": LEVEL_LR},
            {"params": [model.strong.third], "share": 1.0},
        ]
        ids = {id(p) for group in known for p in group["params"]}
        rest = [p for p in model.parameters() if p.requires_grad and id(p) not in ids]
        return [{"params": rest}, *(group | {"weight_decay": 0.0} for group in known)]

    def loss(model: Jscc, generator: torch.Generator, done: float) -> Tensor:
        pictures, photos = batches.draw(generator)
        shared = photos and bool(torch.rand((), generator=generator) < SHARED_POWER_SHARE)
        batch, _, height, width = pictures.shape
        shape = (batch, config.latents, height // STRIDE, width // STRIDE)
        conditions = link.draw_conditions(shape, generator)
        decoded = link.through_link(
            model, pictures, conditions, generator, shared, hardness_at(done)
        )
        error = (decoded - pictures).square().mean((1, 2, 3))
        return (error + MSE_FLOOR).log().mean()

    about = About(
        architecture=f"{Jscc.__module__}.{Jscc.__name__}",
        config=asdict(config),
        summary=SUMMARY,
        data=tuple(
            f"`{name}`, split `{s.split}`: {len(s.pictures)} pictures, {s.skipped} skipped"
            for name, s in zip(args.data_names, sets, strict=True)
        ),
        limits=LIMITS,
        max_bytes=MAX_BYTES,
        more={"rates": list(RATES)},
    )
    sizes = ("latents", "width", "encoder_blocks", "decoder_blocks", "constellation")
    loop.train(
        args,
        build,
        loss,
        about,
        shaping=("data_names", "photo_share", "link", "trunks_name", "fixed_convolutions", *sizes),
        validate=lambda model: validate(model, held_out),
        groups=groups,
        annealed=True,
        free=("bits_per_symbol",),  # the same weights, sent as points
        based=args.fixed_convolutions,
    )
    return 0


def _blocks(batches: Batches, generator: torch.Generator) -> Tensor:
    """At least INIT_BLOCKS blocks (B,3,32,32) of the training data, smaller pictures padded."""
    import torch
    import torch.nn.functional as F

    from models.transform import BLOCK_PIXELS

    drawn: list[Tensor] = []
    while sum(map(len, drawn)) < INIT_BLOCKS:
        pictures, _ = batches.draw(generator)  # (B,3,H,W)
        missing = [-size % BLOCK_PIXELS for size in pictures.shape[2:]]
        pictures = F.pad(pictures, (0, missing[1], 0, missing[0]), mode="replicate")
        parts = F.unfold(pictures, BLOCK_PIXELS, stride=BLOCK_PIXELS)  # (B,3072,blocks)
        drawn.append(parts.transpose(1, 2).reshape(-1, 3, BLOCK_PIXELS, BLOCK_PIXELS))
    return torch.cat(drawn)


def _validation_pictures(path: str) -> Tensor:
    """Held-out pictures (B,3,H,W) in [0,1], cut to the smallest of them in multiples of 4."""
    import torch

    from models.transform import STRIDE

    pictures = load_pictures(path, "val", VALIDATION_PICTURES).pictures
    height, width = (min(p.shape[i] for p in pictures) // STRIDE * STRIDE for i in (0, 1))
    if not min(height, width):
        raise ConfigError(f"{path}: a validation picture is under {STRIDE} pixels a side")
    stack = np.stack([p[:height, :width] for p in pictures])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255


def validate(model: Jscc, pictures: Tensor) -> dict[str, float]:
    """Mean PSNR in dB of 8-bit pictures (B,3,H,W) in AWGN, by rate and SNR."""
    import torch

    from host.train.link import Conditions, through_link
    from models.rates import RATE_PLANES, RATES
    from models.transform import STRIDE

    result = {}
    batch, _, height, width = pictures.shape
    grid = (batch, model.config.latents // 2, height // STRIDE, width // STRIDE)
    for rate in VALIDATION_RATES:
        planes = min(RATE_PLANES[RATES.index(rate)], grid[1])
        for snr_db in VALIDATION_SNRS_DB:
            noise_var = torch.full(grid, 10 ** (-snr_db / 10))
            noise_var[:, planes:] = torch.inf
            known = torch.full((batch,), float(snr_db))
            even = torch.zeros(batch, dtype=torch.bool)
            conditions = Conditions(torch.full((batch,), planes), known, even, noise_var)
            generator = torch.Generator().manual_seed(VALIDATION_SEED)
            with torch.no_grad():
                decoded = through_link(model, pictures, conditions, generator).clamp(0, 1)
            mse = ((decoded * 255).round() / 255 - pictures).square().mean((1, 2, 3))
            psnr = -10 * mse.clamp_min(1e-10).log10().mean()
            result[f"psnr_{rate.replace('/', '_')}_at_{snr_db}dB"] = float(psnr)
    return result
