# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the edge network on boundaries that people drew, and on rendered scenes.

``./semcom train hed --data BSDS500``. Photos: ``train`` and ``val`` but for 20 photos of ``val``,
that only give the curve; nothing is chosen on ``test``. A pixel is an edge where an annotator drew
one and at least half of all annotators did so within a pixel (people do not agree to the pixel, so
the plain average of their maps knows hardly any certain edge); where fewer agree it carries no
loss. Scenes: the exact boundaries of their shapes.

Loss of each side output: cross-entropy balanced by class, as HED (eq. 2) but with the square root
of the ratio: fully balanced, every edge comes out some pixels broad, and a coder pays for breadth.
The fused output adds a Dice loss, which asks for thin lines (Deng et al., ECCV 2018).
Augmentation: crops, flips, quarter turns, three sizes, exposure and colour balance, noise.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from host.boundaries import Annotated, load_boundaries
from host.train import loop
from host.train.card import About
from semcom_blocks.errors import require_range

if TYPE_CHECKING:
    from torch import Tensor

SIZES = (1.0, 0.75, 0.5)  # of photos; smaller ones look like what a 128-pixel thumbnail shows
CROP = 160  # pixels a side; ten positions of the coarsest stage
HELD_OUT = 20  # photos of ``val``
IGNORED = -1.0
NOISE = 0.1  # standard deviation at most, of white
AGREE = 0.5  # of annotators, within a pixel
SHAPING = ("scene_share",)
SUMMARY = (
    "Edges as people draw them: a small network in the manner of HED with central-difference "
    "convolutions and deep supervision, trained from scratch. Loss: cross-entropy balanced by the "
    "root of the class ratio on four side outputs and the fused one, Dice on the fused one."
)
LIMITS = (
    "Trained on 280 photos and on rendered scenes: without the million photos that published HED "
    "weights have seen first, texture is mistaken for boundaries more often. Terms of BSDS500: "
    "non-commercial research."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train hed``."""
    loop.add_arguments(parser, name="hed-v1", minutes=15, batch=6, lr=2e-3)
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help="BSDS500, a folder or a zip")
    add("--scene-share", type=float, default=0.25, help="of steps on scenes (default: %(default)s)")


def target(boundaries: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Annotators' maps (A,H,W) to (H,W): 1 edge, 0 none, IGNORED where people differ."""
    from scipy.ndimage import binary_dilation

    near = binary_dilation(boundaries, np.ones((1, 3, 3), bool)).mean(0)
    drawn = boundaries.any(0)
    return np.where(drawn, np.where(near >= AGREE, 1.0, IGNORED), 0.0).astype(np.float32)


def resized(item: Annotated, size: float) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Photo and boundaries at ``size`` ≤ 1 of theirs; a boundary stays one pixel broad."""
    from PIL import Image

    if size == 1.0:
        return item.picture, item.boundaries
    height, width = (round(side * size) for side in item.picture.shape[:2])
    small = np.asarray(Image.fromarray(item.picture).resize((width, height), Image.Resampling.BOX))
    who, row, column = np.nonzero(item.boundaries)
    boundaries = np.zeros((len(item.boundaries), height, width), bool)
    row, column = (row * size).astype(int), (column * size).astype(int)
    boundaries[who, row.clip(max=height - 1), column.clip(max=width - 1)] = True
    return small, boundaries


class Photos:
    """Draws crops of photos with their targets."""

    def __init__(self, items: list[Annotated]) -> None:
        import torch

        self.pairs = []
        for item in items:
            for size in SIZES:
                picture, boundaries = resized(item, size)
                if min(picture.shape[:2]) >= CROP:
                    found = torch.from_numpy(target(boundaries).astype(np.int8))[None]
                    colours = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
                    self.pairs.append((colours, found))

    def draw(self, batch: int, generator) -> tuple[Tensor, Tensor]:
        """(B,3,CROP,CROP) in [0,1] and (B,1,CROP,CROP)."""
        import torch

        def below(high: int) -> int:
            return int(torch.randint(high, (), generator=generator))

        pictures, targets = [], []
        for _ in range(batch):
            pair = self.pairs[below(len(self.pairs))]
            top = below(pair[0].shape[1] - CROP + 1)
            left = below(pair[0].shape[2] - CROP + 1)
            turn, flip = below(4), below(2)
            cut = [x[:, top : top + CROP, left : left + CROP] for x in pair]
            cut = [torch.rot90(x.flip(2) if flip else x, turn, (1, 2)) for x in cut]
            pictures.append(cut[0])
            targets.append(cut[1])
        colours = torch.stack(pictures).float() / 255
        gamma = torch.exp(0.25 * torch.randn((batch, 1, 1, 1), generator=generator))
        gain = torch.exp(0.1 * torch.randn((batch, 3, 1, 1), generator=generator))
        colours = (colours.clamp_min(1e-3) ** gamma * gain).clamp(0, 1)
        return colours, torch.stack(targets).float()


def edge_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy balanced by the root of the class ratio, mean over pixels that count."""
    import torch.nn.functional as F

    counts = (wanted >= 0).float()
    share = (wanted > 0).float().sum() / counts.sum().clamp_min(1)
    ratio = ((1 - share) / share.clamp_min(1e-3)).sqrt()
    weight = counts * (1 + (ratio - 1) * (wanted > 0))
    loss = F.binary_cross_entropy_with_logits(logits, wanted.clamp_min(0), reduction="none")
    return (loss * weight).sum() / weight.sum().clamp_min(1)


def dice_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """1 − 2·Σpt/(Σp² + Σt²) per picture, mean; pixels that do not count left out."""
    chance = logits.sigmoid() * (wanted >= 0)
    truth = wanted.clamp_min(0)
    overlap = (chance * truth).sum((1, 2, 3))
    return (1 - (2 * overlap + 1) / (chance**2 + truth**2).sum((1, 2, 3)).add(1)).mean()


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from models.edges.hed import Hed, HedConfig
    from models.scenes.boundaries import boundaries
    from models.scenes.render import render
    from models.scenes.sample import sample

    require_range("scene-share", args.scene_share, 0, 1)
    items = load_boundaries(args.data, ("train", "val"))
    held_out = load_boundaries(args.data, ("val",), HELD_OUT)
    names = {item.name for item in held_out}
    photos = Photos([item for item in items if item.name not in names])

    def draw(batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if float(torch.rand((), generator=generator)) >= args.scene_share:
            return photos.draw(batch, generator)
        side = 64 if float(torch.rand((), generator=generator)) < 0.5 else 128
        # About as many pixels as a batch of crops has.
        scenes = sample(max(1, batch * CROP**2 // side**2), generator)
        return render(scenes, side), boundaries(scenes, side)[:, None].float()

    def loss(module: torch.nn.Module, generator: torch.Generator):
        pictures, wanted = draw(args.batch, generator)
        level = NOISE * torch.rand((len(pictures), 1, 1, 1), generator=generator) ** 2
        noise = torch.randn(pictures.shape, generator=generator)
        pictures = (pictures + level * noise).clamp(0, 1)
        maps = module(pictures.contiguous(memory_format=torch.channels_last))
        maps = [logits.float() for logits in maps]
        sides = sum(edge_loss(logits, wanted) for logits in maps[:-1])
        fused, dice = edge_loss(maps[-1], wanted), dice_loss(maps[-1], wanted)
        return 0.25 * sides + fused + dice, {
            "fused": float(fused.detach()),
            "dice": float(dice.detach()),
        }

    fixed = Photos(held_out).draw(24, torch.Generator().manual_seed(5))

    @torch.no_grad()
    def validate(module: torch.nn.Module) -> dict[str, float]:
        logits = module(fixed[0])[-1]
        return {
            "val_fused": float(edge_loss(logits, fixed[1])),
            "val_f1": best_f1(logits, fixed[1]),
        }

    config = HedConfig()
    about = About(
        architecture="models.edges.hed.Hed",
        config=asdict(config),
        summary=SUMMARY,
        data=(
            f"BSDS500, splits train and val: {len(items) - len(held_out)} photos at "
            f"{len(SIZES)} sizes; the {len(held_out)} held out give the curve",
            f"rendered scenes of 64 and 128 pixels, {args.scene_share:.0%} of the steps",
        ),
        limits=LIMITS,
        max_bytes=2**20,
    )
    loop.train(
        args,
        lambda: Hed(config).to(memory_format=torch.channels_last),
        loss,
        about,
        shaping=SHAPING,
        validate=validate,
    )
    return 0


def best_f1(logits: Tensor, wanted: Tensor) -> float:
    """Largest F1 of single pixels over 19 thresholds: strict, for the curve only."""
    import torch

    chance, counts = logits.sigmoid(), wanted >= 0
    truth = (wanted > 0) & counts
    best = 0.0
    for threshold in torch.arange(0.05, 1.0, 0.05).tolist():
        found = (chance > threshold) & counts
        best = max(
            best, float(2 * (found & truth).sum() / (found.sum() + truth.sum()).clamp_min(1))
        )
    return best
