# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the refiner of coarse photos: ``./semcom train refiner --data BSDS500 --data CIFAR``.

Before the first step, crops of photos and small pictures go through the JSCC codec at rates 1/24
and 1/12 and a channel of 1…15 dB each: the network sees what the receiver sees. Loss:

    10·L1 + 2·D_hed + 0.3·hinge

D_hed: mean square distance of features of the frozen edge network, each position's scaled to unit
length (as LPIPS does with another network). The adversary sees picture and coarse picture and says
at every eighth pixel how real it is; hinge loss, and it is not stored.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import track

from host.datasets import SMALL_SIDE, load_pictures
from host.train import options
from host.train.coarse import RATES, SNR_DB, crops, drawn
from semcom_blocks.errors import ConfigError, require_range

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

log = logging.getLogger(__name__)

CROP = 96  # pixels a side, as sent
PATCH = 64  # pixels a side of a training example
HELD_OUT = 24  # crops of the split val
L1_WEIGHT = 10.0
FEATURE_WEIGHT = 2.0
ADVERSARIAL_WEIGHT = 0.3
STAGES = 3  # of the edge network whose features count
MAX_BYTES = 5 * 2**19
ADVERSARY_WIDTHS = (32, 64, 96)
LIMITS = (
    "Detail is invented, not received: it looks like a photo's, and where it lies is a guess. "
    "Never use it where the picture is evidence. Trained on one codec at 1/24 and 1/12, 1 to 15 dB."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train refiner``."""
    add = parser.add_argument
    add("--data", action="append", required=True, metavar="PATH",
        help="folder or zip of photos or small pictures, may be repeated")  # fmt: skip
    add("--crops", type=int, default=600, help="of photos, coded before the first step")
    add("--small", type=int, default=600, help="pictures up to 64 pixels, likewise")
    add("--small-share", type=float, default=0.15, help="of the steps on them, 0 to 1")
    add("--codec", default="jscc-v3", help="name of the codec's weights")
    add("--features", default="hed-v1", help="name of the edge network's weights")
    add("--weights", metavar="DIR", help="folder of these weights (default: those shipped)")
    add("--width", type=int, default=80, help="of the refiner at a quarter of the resolution")
    options.add_arguments(parser, name="refiner-v1", minutes=12.0, batch=12, lr=5e-4)


def hed_features(hed: nn.Module, pictures: Tensor) -> list[Tensor]:
    """Features of the first STAGES stages, of unit length at each position."""
    import torch.nn.functional as F

    from models.edges.hed import SLOPE

    x = F.pixel_unshuffle(pictures * 2 - 1, 2)
    found = []
    for down, stage in list(zip(hed.down, hed.stages, strict=True))[:STAGES]:
        x = stage(F.leaky_relu(down(x), SLOPE))
        found.append(F.normalize(x.float(), dim=1))
    return found


def feature_distance(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """Mean over stages of the mean square distance of unit features."""
    return sum(((x - y).square().sum(1).mean() for x, y in zip(a, b, strict=True)), 0.0) / len(a)


def adversary() -> nn.Module:
    """Picture and coarse picture (B,6,H,W) → how real, at every eighth pixel.

    Its weights are normalised to spectral norm 1 (T. Miyato et al., ICLR 2018, arXiv:1802.05957):
    without a bound its loss runs away after a thousand steps and takes the refiner with it.
    """
    from torch import nn
    from torch.nn.utils.parametrizations import spectral_norm

    def conv(*sizes: int, **options: int) -> nn.Module:
        return spectral_norm(nn.Conv2d(*sizes, **options))

    a, b, c = ADVERSARY_WIDTHS
    slope = 0.2
    return nn.Sequential(
        nn.PixelUnshuffle(2),
        conv(24, a, 3, padding=1), nn.LeakyReLU(slope),
        conv(a, b, 4, stride=2, padding=1), nn.LeakyReLU(slope),
        conv(b, c, 4, stride=2, padding=1), nn.LeakyReLU(slope),
        conv(c, 1, 3, padding=1),
    )  # fmt: skip


class Pairs:
    """Pictures and their coarse ones, drawn as patches."""

    def __init__(self, pictures: list[np.ndarray], coarse: list[np.ndarray]) -> None:
        import torch

        both = np.concatenate([np.stack(pictures), np.stack(coarse)], axis=3)
        self.both = torch.from_numpy(both).permute(0, 3, 1, 2)  # (N,6,H,W)

    def draw(self, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Patches (B,3,h,w) in [0,1] and their coarse ones, flipped and turned at random."""
        import torch

        side = min(PATCH, self.both.shape[2])
        number = max(1, number * PATCH**2 // side**2 if side < PATCH else number)

        def below(high: int) -> int:
            return int(torch.randint(high, (), generator=generator))

        cut = []
        for _ in range(number):
            pair = self.both[below(len(self.both))]
            # In multiples of the codec's 4 pixels: its artefacts have that raster.
            top, left = (4 * below((n - side) // 4 + 1) for n in pair.shape[1:])
            pair = pair[:, top : top + side, left : left + side]
            pair = pair.flip(2) if below(2) else pair
            cut.append(torch.rot90(pair, below(4), (1, 2)))
        return (torch.stack(cut).float() / 255).chunk(2, 1)


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    from host.train import loop
    from host.train.card import About
    from models.edges.hed import HedExtractor
    from models.image_codec import ImageCodec
    from models.refiner import Refiner, RefinerConfig
    from models.weights_io import WEIGHTS_DIR, read_card

    options.check(args)
    require_range("crops", args.crops, 0, 10**6)
    require_range("small", args.small, 0, 10**6)
    require_range("small-share", args.small_share, 0, 1)
    config = RefinerConfig(width=args.width)
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    codec = ImageCodec.load(args.codec, directory=directory)
    hed = HedExtractor.load(args.features, directory).network.requires_grad_(False)
    args.codec_sha256 = read_card(args.codec, directory)["sha256"]
    args.data_names = [path.rsplit("/", 1)[-1] for path in args.data]
    torch.set_num_threads(args.threads or torch.get_num_threads())

    pools, held, told = sources(args, codec)
    held_x, held_y = held

    def loss(pair: nn.ModuleDict, generator: torch.Generator):
        refiner, judge = pair["refiner"], pair["adversary"]
        small = bool(torch.rand((), generator=generator) < args.small_share)
        pool = pools.get("small" if small else "photos") or next(iter(pools.values()))
        x, y = (z.contiguous(memory_format=torch.channels_last)
                for z in pool.draw(args.batch, generator))  # fmt: skip
        refined = y + refiner(y)
        real = judge(torch.cat([x, y], 1)).float()
        false = judge(torch.cat([refined.detach(), y], 1)).float()
        judged = F.relu(1 - real).mean() + F.relu(1 + false).mean()
        judge.requires_grad_(False)
        fooled = -judge(torch.cat([refined, y], 1)).float().mean()
        judge.requires_grad_(True)
        l1 = (refined - x).abs().mean()
        with torch.no_grad():
            wanted = hed_features(hed, x)
        features = feature_distance(hed_features(hed, refined), wanted)
        total = L1_WEIGHT * l1 + FEATURE_WEIGHT * features + ADVERSARIAL_WEIGHT * fooled + judged
        parts = {"l1": l1, "features": features, "fooled": fooled, "judged": judged}
        return total, {k: float(v.detach()) for k, v in parts.items()}

    @torch.no_grad()
    def validate(pair: nn.ModuleDict) -> dict[str, float]:
        refined = (held_y + pair["refiner"](held_y)).clamp(0, 1)
        wanted = hed_features(hed, held_x)
        scores = {}
        for name, pictures in (("coarse", held_y), ("refined", refined)):
            mse = (pictures - held_x).square().mean((1, 2, 3))
            scores[f"psnr_{name}_db"] = float((-10 * mse.log10()).mean())
            distance = feature_distance(hed_features(hed, pictures), wanted)
            scores[f"hed_{name}"] = float(distance)
        return scores

    def build() -> nn.Module:
        pair = nn.ModuleDict({"refiner": Refiner(config), "adversary": adversary()})
        return pair.to(memory_format=torch.channels_last)

    about = About(
        architecture="models.refiner.Refiner",
        config=asdict(config),
        summary="Refiner of coarse photos: puts texture back into what the JSCC decoder gives. "
        f"Loss: {L1_WEIGHT:g}·L1 + {FEATURE_WEIGHT:g}·(distance of features of "
        f"`{args.features}`) + {ADVERSARIAL_WEIGHT:g}·(hinge loss of an adversary).",
        data=told,
        limits=LIMITS,
        max_bytes=MAX_BYTES,
        part="refiner",
    )
    shaping = ("codec", "codec_sha256", "features", "data_names", "crops", "small",
               "small_share", "width")  # fmt: skip
    loop.train(args, build, loss, about, shaping=shaping, validate=validate)
    return 0


def sources(args: argparse.Namespace, codec) -> tuple[dict[str, Pairs], tuple, tuple[str, ...]]:
    """Pools ``photos`` and ``small``; held-out crops and their coarse ones; lines for the card."""
    photos, small, told = [], [], []
    held: list[np.ndarray] = []
    for path, name in zip(args.data, args.data_names, strict=True):
        found = load_pictures(path, "train")
        own = [p for p in found.pictures if min(p.shape[:2]) >= CROP]
        tiny = [p for p in found.pictures if max(p.shape[:2]) <= SMALL_SIDE]
        photos += own
        small += tiny
        if own:
            held += crops(load_pictures(path, "val").pictures, HELD_OUT, CROP, args.seed)
        told.append(f"`{name}`, split `train`: {len(own)} photos, {len(tiny)} small pictures")
    channel = f"{' and '.join(RATES)}, {SNR_DB[0]:g} to {SNR_DB[1]:g} dB"
    told.append(
        f"{args.crops} crops, {args.small} small pictures through `{args.codec}`: {channel}"
    )
    sent = {
        "photos": crops(photos, args.crops, CROP, args.seed),
        "small": small[:: max(1, len(small) // args.small)][: args.small] if args.small else [],
    }
    if sizes := sorted({p.shape[:2] for p in sent["small"]})[1:]:
        raise ConfigError(f"small pictures have a second size {sizes[0]}, permitted: one")
    if not any(sent.values()):
        raise ConfigError(f"data has no picture of at least {CROP} or at most {SMALL_SIDE} pixels")
    pools = {}
    for key, pictures in sent.items():
        if pictures:
            numbered = track(pictures, f"coding {len(pictures)} pictures")
            pools[key] = Pairs(pictures, drawn(codec, numbered, args.seed))
    held = held or next(iter(sent.values()))[:HELD_OUT]
    fixed = Pairs(held, drawn(codec, held, args.seed + 1)).both.float() / 255
    return pools, tuple(fixed.chunk(2, 1)), tuple(told)
