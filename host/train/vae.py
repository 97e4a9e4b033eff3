# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the autoencoder: ``./semcom train vae --data CIFAR --data PHOTOS --minutes 20``.

Scenes are drawn fresh at each step; a share of the steps takes natural pictures where ``--data``
names some, so that latents serve photos too. Loss per value, pictures in [-1,1]: MSE + 0.1·L1 +
edges + 5e-4·KL, where edges is the mean square error of finite differences over 1, 2 and 4 pixels:
the outline of a shape weighs as much as its area. ``--start vae-v1 --decoder-only`` goes on with
the decoder alone, for latents that must stay.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from host.datasets import PictureSet, load_pictures
from host.train import options
from semcom_blocks.errors import ConfigError, require_range

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

SIDE = 64
VALIDATION_SCENES = 256
VALIDATION_PHOTOS = 64
VALIDATION_SEED = 101
L1_WEIGHT = 0.1
EDGE_WEIGHT = 1.0
EDGE_SPANS = (1, 2, 4)  # pixels
KL_WEIGHT = 5e-4  # posterior noise then costs about 42 dB, far below what else is lost
MAX_BYTES = 5 * 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train vae``."""
    add = parser.add_argument
    add(
        "--data",
        action="append",
        default=[],
        metavar="PATH",
        help="folder or zip of natural pictures, may be repeated",
    )
    add("--weights", metavar="DIR", help="folder of these weights (default: those shipped)")
    add(
        "--decoder-only",
        action="store_true",
        help="leave the encoder and the latents as they are, so that a flow trained on them fits",
    )
    add("--natural-share", type=float, default=0.2, help="of the steps, 0 to 1")
    add("--photo-share", type=float, default=0.5, help="of those on crops of larger photos")
    options.add_arguments(parser, name="vae-v1", minutes=20.0, batch=32, lr=1.5e-3)


def edge_error(error: Tensor) -> Tensor:
    """Mean square of the finite differences of ``error`` (B,3,H,W) over EDGE_SPANS, both ways."""
    total = error.new_zeros(())
    for span in EDGE_SPANS:
        total = total + (error[..., span:] - error[..., :-span]).square().mean()
        total = total + (error[..., span:, :] - error[..., :-span, :]).square().mean()
    return total / len(EDGE_SPANS)


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from host.train import loop
    from host.train.batches import Batches
    from host.train.card import About
    from models.generation.vae import Vae, VaeConfig
    from models.scenes.render import render
    from models.scenes.sample import sample

    options.check(args)
    require_range("natural-share", args.natural_share, 0, 1)
    require_range("photo-share", args.photo_share, 0, 1)
    if args.decoder_only and args.start is None:
        raise ConfigError("decoder-only is given, permitted with a start only")
    args.data_names = [path.rsplit("/", 1)[-1] for path in args.data]
    sets: list[PictureSet] = [load_pictures(path, "train") for path in args.data]
    for s in sets:
        log.info("%s: %d pictures, %d skipped", s.source, len(s.pictures), s.skipped)
    batches = None
    if sets and args.natural_share > 0:
        pictures = [p for s in sets for p in s.pictures]
        batches = Batches(pictures, args.batch * (SIDE // 32) ** 2, args.photo_share)

    def draw(generator: torch.Generator) -> Tensor:
        natural = bool(torch.rand((), generator=generator) < args.natural_share)
        if batches and natural:
            return batches.draw(generator)[0]
        return render(sample(args.batch, generator), SIDE)

    def loss(vae: Vae, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        picture = draw(generator).contiguous(memory_format=torch.channels_last)
        mean, log_variance = vae.posterior(picture)
        if vae.training and not args.decoder_only:
            vae.track(mean)
        noise = torch.randn(mean.shape, generator=generator)
        error = 2 * (vae.reconstruct(mean + noise * (log_variance / 2).exp()) - picture)
        mse = error.square().mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        total = mse + L1_WEIGHT * error.abs().mean() + EDGE_WEIGHT * edge_error(error)
        return total + KL_WEIGHT * kl, {"mse": float(mse.detach()), "kl": float(kl.detach())}

    held_out = render(
        sample(VALIDATION_SCENES, torch.Generator().manual_seed(VALIDATION_SEED)), SIDE
    )
    photos = _held_out(args.data)

    @torch.no_grad()
    def validate(vae: Vae) -> dict[str, float]:
        scores = {}
        for name, pictures in [("scenes", [held_out]), *photos.items()]:
            psnr = []
            for x in pictures:
                mse = (vae.decode(vae.encode(x)) - x).square().mean((1, 2, 3))
                psnr += (-10 * mse.clamp_min(1e-10).log10()).tolist()
            scores[f"psnr_{name}_db"] = sum(psnr) / len(psnr)
        return scores

    config = VaeConfig()
    about = About(
        architecture="models.generation.vae.Vae",
        config=asdict(config),
        summary="Variational autoencoder: pictures to latents at a quarter of the resolution, "
        "4 channels. Trained with MSE, L1, errors of finite differences and KL divergence.",
        data=(
            "scenes of `models/scenes`, drawn fresh, seeded",
            *(
                f"`{n}`, split `train`: {len(s.pictures)} pictures, {s.skipped} skipped"
                for n, s in zip(args.data_names, sets, strict=True)
            ),
        ),
        limits="Made for the scene world; natural photos come out soft (see the curve).",
        max_bytes=MAX_BYTES,
    )

    def build() -> Vae:
        vae = Vae(config)
        vae.encoder.requires_grad_(not args.decoder_only)
        return vae.to(memory_format=torch.channels_last)

    shaping = ("decoder_only", "data_names", "natural_share", "photo_share")
    loop.train(args, build, loss, about, shaping=shaping, validate=validate)
    return 0


def _held_out(paths: list[str]) -> dict[str, list[Tensor]]:
    """Held-out natural pictures (1,3,H,W) of each source, cut to multiples of 4."""
    import torch

    found = {}
    for path in paths:
        pictures = load_pictures(path, "val", VALIDATION_PHOTOS).pictures
        cut = [p[: p.shape[0] // 4 * 4, : p.shape[1] // 4 * 4] for p in pictures]
        name = path.rsplit("/", 1)[-1].split(".")[0]
        found[name] = [torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255 for p in cut]
    return found
