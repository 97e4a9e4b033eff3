# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the generator: ``./semcom train flow --minutes 60`` on latents of the shipped autoencoder.

Scenes are drawn and encoded once, before the first step; captions are written anew at each step:
whole ones, and looser ones that leave places or other attributes open. Loss: mean square error of
the velocity at times t = sigmoid(n), n normal; a tenth of the captions is replaced by the empty
one, for classifier-free guidance. ``--large-share`` mixes in 128x128.
"""

from __future__ import annotations

import argparse
import logging
import random
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import track

from host.train import options
from models.scenes.vocabulary import MAX_OBJECTS
from semcom_blocks.errors import require_range

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from models.generation.vae import Vae
    from models.scenes.sample import SceneBatch
    from models.scenes.scene import Scene

log = logging.getLogger(__name__)

SIDE, LARGE_SIDE = 64, 128
ENCODED_AT_ONCE = 250
EMPTY_SHARE = 0.1
WHOLE_SHARE = 0.5  # of captions that say everything
VALIDATION_SCENES = 512
VALIDATION_SEED = 102
VALIDATION_TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)
MAX_BYTES = 8 * 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train flow``."""
    add = parser.add_argument
    add_source_options(parser)
    add("--large-scenes", type=int, default=0, help="of 128x128, encoded before the first step")
    add("--large-share", type=float, default=0.0, help="of the steps, on 128x128, 0 to 1")
    add("--width", type=int, default=128, help="of the transformer")
    add("--blocks", type=int, default=7, help="of the transformer")
    add("--heads", type=int, default=4, help="of its attention")
    options.add_arguments(parser, name="flow-v1", minutes=60.0, batch=32, lr=1.5e-3)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Where latents come from: also for trainings on top of the flow."""
    add = parser.add_argument
    add("--scenes", type=int, default=60_000, help="of 64x64, encoded before the first step")
    add("--vae", default="vae-v1", help="name of the autoencoder's weights")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")


def encode_scenes(vae: Vae, scenes: SceneBatch, side: int) -> Tensor:
    """Latents (N,C,side/4,side/4), float16 to spare memory."""
    import torch

    from models.scenes.render import render

    found = []
    starts = range(0, len(scenes), ENCODED_AT_ONCE)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in track(starts, f"encoding {len(scenes)} scenes of {side}x{side}"):
            part = scenes[start : start + ENCODED_AT_ONCE]
            found.append(vae.encode(render(part, side)).half())
    return torch.cat(found)


class Pool:
    """Latents of scenes and their words, drawn in batches whose scenes have one object count.

    Their captions are of about one length, so little is computed on padding; batches of three
    objects are three times as frequent as those of one, since they are harder.
    """

    def __init__(self, latents: Tensor, batch: SceneBatch) -> None:
        self.latents, self.scenes = latents, batch.scenes()
        by_count = [(batch.count == n).nonzero()[:, 0] for n in range(1, MAX_OBJECTS + 1)]
        self.by_count = [(n, rows) for n, rows in enumerate(by_count, 1) if len(rows)]

    def draw(self, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (N,C,h,w), tokens (N,3,T), which scenes they are (N,)."""
        import torch

        odds = torch.tensor([float(n) for n, _ in self.by_count])
        _, rows = self.by_count[int(torch.multinomial(odds, 1, generator=generator))]
        picked = rows[torch.randint(len(rows), (number,), generator=generator)]
        text = draw_texts([self.scenes[i] for i in picked.tolist()], generator)
        return self.latents[picked].float(), text, picked


def caption(scene: Scene, rng: random.Random) -> str:
    """One of the ways to describe ``scene``."""
    from models.scenes.grammar import write
    from models.scenes.loosen import loosen

    return write(scene if rng.random() < WHOLE_SHARE else loosen(scene, rng))


def draw_texts(scenes: list[Scene], generator: torch.Generator) -> Tensor:
    """Tokens of a caption of each scene, a tenth of them empty."""
    import torch

    from models.generation.text import batch_tokens

    rng = random.Random(int(torch.randint(2**62, (), generator=generator)))
    texts = [caption(s, rng) if rng.random() >= EMPTY_SHARE else "" for s in scenes]
    return batch_tokens(texts)


def draw_times(number: int, generator: torch.Generator) -> Tensor:
    """Logit-normal times (N,) in 0…1."""
    import torch

    return torch.sigmoid(torch.randn(number, generator=generator))


def mix(z: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """(1-t)·z + t·noise for t (B,)."""
    import torch

    return torch.lerp(z, noise, t[:, None, None, None])


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch
    import torch.nn.functional as F

    from host.train import loop
    from host.train.card import About
    from models.generation.flow import Flow, FlowConfig
    from models.generation.loading import load_network
    from models.generation.text import batch_tokens
    from models.generation.vae import Vae, VaeConfig
    from models.scenes.grammar import write
    from models.scenes.sample import sample
    from models.weights_io import read_card

    options.check(args)
    require_range("scenes", args.scenes, 1, 10**7)
    require_range("large-scenes", args.large_scenes, 0, 10**7)
    require_range("large-share", args.large_share, 0, 1)
    if args.large_share:
        require_range("large-scenes with a large-share", args.large_scenes, 1, 10**7)
    config = FlowConfig(width=args.width, heads=args.heads, blocks=args.blocks)
    directory = Path(args.weights) if args.weights else None
    vae = load_network(Vae, VaeConfig, args.vae, directory)
    where = (directory,) if directory else ()
    args.vae_sha256 = read_card(args.vae, *where)["sha256"]
    torch.set_num_threads(args.threads or torch.get_num_threads())

    generator = torch.Generator().manual_seed(args.seed)
    pools = {}
    for side, number in ((SIDE, args.scenes), (LARGE_SIDE, args.large_scenes)):
        if number:
            scenes = sample(number, generator)
            pools[side] = Pool(encode_scenes(vae, scenes, side), scenes)

    def loss(flow: Flow, generator: torch.Generator) -> Tensor:
        large = bool(torch.rand((), generator=generator) < args.large_share)
        number = max(1, args.batch // 4) if large else args.batch
        z, text, _ = pools[LARGE_SIDE if large else SIDE].draw(number, generator)
        noise = torch.randn(z.shape, generator=generator)
        t = draw_times(number, generator)
        return F.mse_loss(flow(mix(z, noise, t), t, text), noise - z)

    held_out = sample(VALIDATION_SCENES, torch.Generator().manual_seed(VALIDATION_SEED))
    held_z = encode_scenes(vae, held_out, SIDE).float()
    held_text = batch_tokens([write(s) for s in held_out.scenes()])
    held_noise = torch.randn(held_z.shape, generator=torch.Generator().manual_seed(VALIDATION_SEED))

    @torch.no_grad()
    def validate(flow: Flow) -> dict[str, float]:
        scores = {}
        for time in VALIDATION_TIMES:
            t = torch.full((len(held_z),), time)
            with torch.autocast("cpu", torch.bfloat16):
                v = flow(mix(held_z, held_noise, t), t, held_text)
            scores[f"mse_t{time:g}"] = float(F.mse_loss(v, held_noise - held_z))
        return scores

    about = About(
        architecture="models.generation.flow.Flow",
        config=asdict(config),
        summary="Rectified flow from noise to latents of scenes, conditioned on their captions.",
        data=(
            f"{args.scenes} scenes of 64x64 and {args.large_scenes} of 128x128 from "
            f"`models/scenes`, latents of `{args.vae}`, captions written anew at each step",
        ),
        limits="Knows the scene world and its grammar only.",
        max_bytes=MAX_BYTES,
    )

    shaping = (
        "vae",
        "vae_sha256",
        "scenes",
        "large_scenes",
        "large_share",
        "width",
        "blocks",
        "heads",
    )
    loop.train(args, lambda: Flow(config), loss, about, shaping=shaping, validate=validate)
    return 0
