# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a receiver: ``./semcom train receiver --kind vae|nflow|gan --minutes 10``.

Latents of drawn scenes go through a channel that is drawn for each picture: the share of packets
that is lost (all of them in every eighth picture), places in a packet, an SNR of 0…20 dB. Captions
are there for six in ten pictures; some leave places or attributes open. ``vae`` and ``nflow``
maximise the likelihood of what was lost, ``gan`` is trained against a discriminator (see
:mod:`models.receivers.adversarial`). The diffusion receiver needs no training: it is the flow.

``--latents FILE`` keeps the encoded scenes, so that the next kind does not encode them again.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from host.train import options
from semcom_blocks.errors import require_range

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from host.train.flow import Pool
    from models.receivers.received import Received

KINDS = ("vae", "nflow", "gan")
SIDE = 64
SNR_DB = (0.0, 20.0)
PACKETS = (1, 4, 8, 16, 32)  # places in a packet: from symbols scattered to two rows
ALL_LOST_SHARE = 0.125
CAPTION_SHARE = 0.65  # of pictures; draw_texts leaves a tenth of them empty
VALIDATION_SCENES = 256
VALIDATION_SEED = 103
VALIDATION_SNR_DB = 15.0
VALIDATION_LOST = (0.25, 0.75)
ADVERSARIAL_WEIGHT = 0.15  # beside L1 of unit weight: latents have unit variance
DISCRIMINATOR = {"width": 64, "blocks": 1}
MAX_BYTES = 2**20
SUMMARY = {
    "vae": "VAE receiver: mean and variance of latents that did not arrive. Loss: likelihood.",
    "nflow": "Normalising-flow receiver: latents that did not arrive, drawn together by a "
    "conditional flow of affine couplings. Loss: exact likelihood.",
    "gan": "GAN receiver: latents that did not arrive from noise in one pass. Loss: L1 and a "
    "relativistic discriminator, which is not stored.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train receiver``."""
    add = parser.add_argument
    add("--kind", choices=KINDS, required=True, help="of the receiver")
    add("--scenes", type=int, default=12_000, help="of 64x64, encoded before the first step")
    add("--latents", metavar="FILE", help="keep the encoded scenes there, or take them from there")
    add("--vae", default="vae-v1", help="name of the autoencoder's weights")
    add("--weights", metavar="DIR", help="folder of these weights (default: those shipped)")
    add("--width", type=int, default=96, help="of the features")
    options.add_arguments(parser, name="", minutes=10.0, batch=32, lr=1.5e-3)
    parser.set_defaults(name=None, out=None)


def draw(pool: Pool, number: int, generator: torch.Generator) -> tuple[Received, Tensor]:
    """What arrives of ``number`` pictures, and their latents."""
    import torch

    from models.receivers.received import transmit

    latents, text, _ = pool.draw(number, generator)
    said = torch.rand(number, generator=generator) < CAPTION_SHARE
    lost = torch.rand(number, generator=generator)
    lost[torch.rand(number, generator=generator) < ALL_LOST_SHARE] = 1.0
    low, high = SNR_DB
    snr_db = low + (high - low) * torch.rand(number, generator=generator)
    packet = PACKETS[int(torch.randint(len(PACKETS), (), generator=generator))]
    text = text * said[:, None, None]
    return transmit(latents, lost, snr_db, generator, packet, text), latents


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from host.train import loop
    from host.train.card import About
    from host.train.flow import Pool
    from host.train.latents import scene_latents
    from models.generation.loading import load_network
    from models.generation.text import batch_tokens
    from models.generation.vae import Vae, VaeConfig
    from models.receivers.loading import TRAINED
    from models.receivers.received import transmit
    from models.receivers.trunk import TrunkConfig
    from models.scenes.grammar import write
    from models.weights_io import WEIGHTS_DIR, read_card

    network, config_kind, name = TRAINED[args.kind]
    args.name = args.name or name
    args.out = args.out or f"runs/{args.name}"
    options.check(args)
    require_range("scenes", args.scenes, 1, 10**7)
    trunk = TrunkConfig(width=args.width, blocks=1 if args.kind == "nflow" else 2)
    config = config_kind(trunk)
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    vae = load_network(Vae, VaeConfig, args.vae, directory)
    args.vae_sha256 = read_card(args.vae, directory)["sha256"]
    torch.set_num_threads(args.threads or torch.get_num_threads())

    pool = Pool(*scene_latents(vae, args.vae_sha256, args.scenes, SIDE, args.seed, args.latents))
    held_z, held = scene_latents(
        vae, args.vae_sha256, VALIDATION_SCENES, SIDE, VALIDATION_SEED, None
    )
    held_z, held_text = held_z.float(), batch_tokens([write(s) for s in held.scenes()])

    def loss(module: nn.Module, generator: torch.Generator):
        received, latents = draw(pool, args.batch, generator)
        if args.kind == "gan":
            return adversarial_loss(module, received, latents, generator)
        return module.loss(received, latents)

    def validate(module: nn.Module) -> dict[str, float]:
        receiver = getattr(module, "receiver", module)
        scores = {}
        for lost in VALIDATION_LOST:
            generator = torch.Generator().manual_seed(VALIDATION_SEED)
            sent = transmit(held_z, lost, VALIDATION_SNR_DB, generator, text=held_text)
            for label, received in (("caption", sent), ("alone", sent.without_text())):
                error = (receiver.restore(received) - held_z).square().mean()
                scores[f"mse_{lost:.0%}_{label}"] = float(error)
        return scores

    def build() -> nn.Module:
        return adversaries(config) if args.kind == "gan" else network(config)

    about = About(
        architecture=f"{network.__module__}.{network.__name__}",
        config=asdict(config),
        summary=SUMMARY[args.kind],
        data=(f"{args.scenes} scenes of 64x64 from `models/scenes`, latents of `{args.vae}`",),
        limits="Knows latents of the scene world and of this autoencoder only; 0 to 20 dB.",
        max_bytes=MAX_BYTES,
        part="receiver" if args.kind == "gan" else None,
    )
    shaping = ("kind", "vae", "vae_sha256", "scenes", "width")
    loop.train(args, build, loss, about, shaping=shaping, validate=validate)
    return 0


def adversaries(config) -> nn.Module:
    """The GAN receiver as ``receiver`` and its discriminator as ``critic``."""
    from torch import nn

    from models.receivers.adversarial import AdversarialReceiver, Discriminator
    from models.receivers.trunk import TrunkConfig

    critic = TrunkConfig(channels=config.trunk.channels, **DISCRIMINATOR)
    return nn.ModuleDict({"receiver": AdversarialReceiver(config), "critic": Discriminator(critic)})


def adversarial_loss(
    pair: nn.Module, received: Received, latents: Tensor, generator: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """One step of both at once: no gradient of either's loss reaches the other's weights."""
    import torch.nn.functional as F

    receiver, critic = pair["receiver"], pair["critic"]
    drawn = receiver(received, receiver.noise_for(received, generator))
    real = critic(received, latents)
    judged = F.softplus(critic(received, drawn.detach()) - real).mean()
    critic.requires_grad_(False)
    fooled = F.softplus(real.detach() - critic(received, drawn)).mean()
    critic.requires_grad_(True)
    distance = (drawn - latents).abs().mean()
    total = judged + ADVERSARIAL_WEIGHT * fooled + distance
    parts = {"l1": distance, "critic": judged, "adversarial": fooled}
    return total, {k: float(v.detach()) for k, v in parts.items()}
