# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the edge codec through bit errors, on edge maps of scenes and photos.

``./semcom train edge-codec --data BSDS500``. The maps are what the edge network of ``--hed`` finds
in photos of BSDS500 (splits train and val, three sizes, crops, flips, quarter turns) and in noisy
scenes, and exact outlines of scenes. Each example has its own bit error rate: none for a third,
else log-uniform in 0.001…0.2; for one in eight some positions are lost; for four in ten the last
planes are not sent.

Loss: cross-entropy with edges weighted by EDGE_WEIGHT (they are a twentieth of the pixels), plus
Dice, which asks for lines rather than for a mist; the entropy model's cross-entropy goes beside it
and does not touch the transform.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from host.boundaries import load_boundaries
from host.train import loop
from host.train.card import About
from host.train.hed import HELD_OUT, SIZES, resized
from semcom_blocks.errors import require_range

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CROP = 128  # pixels a side of photos' maps
PIXELS = 64 * 64  # --batch counts examples of this size
PHOTO_SHARE, LARGE_SHARE = 0.4, 0.25  # of steps; the rest are scenes of 64 pixels
EXACT_SHARE = 0.4  # of scenes: outlines instead of what the edge network sees
NOISE = 0.08  # standard deviation at most, of white, in scenes before the edge network
CLEAN_SHARE, LOW_BER, HIGH_BER = 1 / 3, 1e-3, 0.2
LOST_SHARE, LOST_POSITIONS = 1 / 8, 0.3
FULL_SHARE, FEWEST_PLANES = 0.6, 3
EDGE_WEIGHT = 3.0
SHARPNESS = 2.0  # of the random binarisation
SHAPING = ("planes",)
SUMMARY = (
    "Edge maps as bits that survive errors: a nonlinear transform to planes of one bit per 16x16 "
    "pixels, trained through a binary symmetric channel whose error rate the synthesis is told; "
    "and a model of the bits for the entropy-coded variant. Loss: weighted cross-entropy plus Dice."
)
LIMITS = (
    "Made for thin lines on black: what our edge network draws. Fine texture of photos comes out "
    "simplified at 0.03 bits a pixel. Bits may be wrong up to a fifth of them. Terms of BSDS500: "
    "non-commercial research."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train edge-codec``."""
    loop.add_arguments(parser, name="edge-codec-v1", minutes=20, batch=24, lr=1.5e-3)
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help="BSDS500, a folder or a zip")
    add("--planes", type=int, default=7, help="bits per 16x16 pixels (default: %(default)s)")
    add("--hed", metavar="DIR", help="folder of the edge network's weights (default: shipped)")


class Maps:
    """Draws batches of edge maps (B,1,S,S)."""

    def __init__(self, path: str, hed: Path | None) -> None:
        import torch

        from models.edges.hed import HedExtractor
        from models.weights_io import WEIGHTS_DIR

        self.extractor = HedExtractor.load(directory=hed or WEIGHTS_DIR)
        held = load_boundaries(path, ("val",), HELD_OUT)
        names = {item.name for item in held}
        items = [i for i in load_boundaries(path, ("train", "val")) if i.name not in names]

        def maps_of(items, sizes) -> list[Tensor]:
            found = []
            for item in items:
                for size in sizes:
                    picture = resized(item, size)[0]
                    if min(picture.shape[:2]) >= CROP:
                        found.append(
                            torch.from_numpy(self.extractor.edges(np.array(picture)))[None]
                        )
            return found

        self.photos = maps_of(items, SIZES)
        self.held_out = maps_of(held, SIZES[1:2])
        self.described = f"edge maps of {len(items)} photos of BSDS500 train and val"

    def draw(self, batch: int, generator: torch.Generator) -> Tensor:
        import torch

        kind = float(torch.rand((), generator=generator))
        if kind < PHOTO_SHARE:
            return self.crops(max(1, batch * PIXELS // CROP**2), self.photos, generator)
        side = 128 if kind < PHOTO_SHARE + LARGE_SHARE else 64
        return self.scenes(max(1, batch * PIXELS // side**2), side, generator)

    @staticmethod
    def crops(batch: int, maps: list[Tensor], generator: torch.Generator) -> Tensor:
        import torch

        def below(high: int) -> int:
            return int(torch.randint(high, (), generator=generator))

        found = []
        for _ in range(batch):
            whole = maps[below(len(maps))]
            top, left = below(whole.shape[1] - CROP + 1), below(whole.shape[2] - CROP + 1)
            cut = whole[:, top : top + CROP, left : left + CROP]
            found.append(torch.rot90(cut.flip(2) if below(2) else cut, below(4), (1, 2)))
        return torch.stack(found).float() / 255

    def scenes(self, batch: int, side: int, generator: torch.Generator) -> Tensor:
        import torch

        from models.scenes.boundaries import boundaries
        from models.scenes.render import render
        from models.scenes.sample import sample

        scenes = sample(batch, generator)
        if float(torch.rand((), generator=generator)) < EXACT_SHARE:
            return boundaries(scenes, side)[:, None].float()
        level = NOISE * torch.rand((batch, 1, 1, 1), generator=generator) ** 2
        pictures = render(scenes, side)
        noisy = pictures + level * torch.randn(pictures.shape, generator=generator)
        with torch.no_grad():
            return self.extractor.network(noisy.clamp(0, 1))[-1].float().sigmoid()


def map_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Weighted cross-entropy plus Dice of logits against maps in [0,1], both (B,1,H,W)."""
    import torch.nn.functional as F

    weight = 1 + (EDGE_WEIGHT - 1) * wanted
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, weight)
    chance = logits.sigmoid()
    overlap = (chance * wanted).sum((1, 2, 3))
    both = (chance**2 + wanted**2).sum((1, 2, 3))
    return 2 * entropy + 0.3 * (1 - (2 * overlap + 1) / (both + 1)).mean()


def conditions(shape: tuple[int, ...], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Error rates (B,) and what arrives at all, 1 or 0 (B,P,h,w)."""
    import torch

    batch, planes, rows, columns = shape

    def chance(*size: int) -> Tensor:
        return torch.rand(size, generator=generator)

    spread = math.log(HIGH_BER / LOW_BER)
    ber = LOW_BER * torch.exp(chance(batch) * spread)
    ber = torch.where(chance(batch) < CLEAN_SHARE, torch.zeros(()), ber)
    fewer = torch.randint(min(FEWEST_PLANES, planes), planes + 1, (batch,), generator=generator)
    sent = torch.where(chance(batch) < FULL_SHARE, torch.tensor(planes), fewer)
    arrived = (torch.arange(planes)[None] < sent[:, None]).float()[:, :, None, None]
    some = (chance(batch) < LOST_SHARE).view(-1, 1, 1, 1)
    lost = some & (chance(batch, 1, rows, columns) < LOST_POSITIONS)
    return ber, arrived * (~lost).float()


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch
    import torch.nn.functional as F

    from models.edges.transform import (
        EdgeCodecNetworks,
        TransformConfig,
        binarise,
        binarise_at_random,
        flips,
        parity,
    )

    require_range("planes", args.planes, 1, 64)
    config = TransformConfig(planes=args.planes)
    maps = Maps(args.data, Path(args.hed) if args.hed else None)

    def bits_entropy(model, signs: Tensor, generator: torch.Generator) -> Tensor:
        """Cross-entropy in bits of one drawn group of bits of each example."""
        plane = torch.randint(args.planes, (len(signs),), generator=generator)
        half = torch.randint(2, (len(signs),), generator=generator)
        logits = model(signs, model.known(signs.shape, plane, half)).float()
        index = plane.view(-1, 1, 1, 1).expand(-1, 1, *signs.shape[2:])
        logits, bits = (x.gather(1, index)[:, 0] for x in (logits, (signs > 0).float()))
        counted = parity(*signs.shape[2:])[None] == half[:, None, None]
        loss = F.binary_cross_entropy_with_logits(logits, bits, reduction="none")
        return (loss * counted).sum() / counted.sum() / math.log(2)

    def loss(module: EdgeCodecNetworks, generator: torch.Generator):
        wanted = maps.draw(args.batch, generator)
        values = module.transform.analyse(wanted).float()
        # Saturated values are certain bits: the sign that is sent is then the one trained with.
        signs = binarise_at_random(SHARPNESS * values, generator)
        ber, arrived = conditions(tuple(signs.shape), generator)
        received = signs * flips(signs.shape, ber, generator) * arrived
        drawn = map_loss(module.transform.synthesise(received, ber).float(), wanted)
        entropy = bits_entropy(module.bit_model, signs.detach(), generator)
        return drawn + entropy, {"map": float(drawn.detach()), "bits": float(entropy.detach())}

    fixed = torch.Generator().manual_seed(5)
    held = {
        "photos": maps.crops(24, maps.held_out, fixed),
        "scenes": maps.scenes(64, 64, fixed),
    }

    @torch.no_grad()
    def validate(module: EdgeCodecNetworks) -> dict[str, float]:
        scores = {}
        for name, wanted in held.items():
            signs = binarise(module.transform.analyse(wanted))
            for rate in (0.0, 0.01, 0.1):
                ber = torch.full((len(wanted),), rate)
                noise = flips(signs.shape, ber, torch.Generator().manual_seed(6))
                logits = module.transform.synthesise(signs * noise, ber)
                scores[f"{name} {rate:g}"] = overlap_f1(logits, wanted)
        return scores

    about = About(
        architecture="models.edges.transform.EdgeCodecNetworks",
        config=asdict(config),
        summary=SUMMARY,
        data=(maps.described, "edge maps and outlines of rendered scenes, 64 and 128 pixels"),
        limits=LIMITS,
        max_bytes=3 * 2**20,
    )
    loop.train(
        args,
        lambda: EdgeCodecNetworks(config).to(memory_format=torch.channels_last),
        loss,
        about,
        shaping=SHAPING,
        validate=validate,
    )
    return 0


def overlap_f1(logits: Tensor, wanted: Tensor) -> float:
    """F1 of single pixels over one half: strict, for the curve only."""
    found, truth = logits > 0, wanted > 0.5
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()).clamp_min(1))
