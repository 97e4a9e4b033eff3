# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the contrastive picture-text network: ``./semcom train contrastive --data CIFAR10``.

Each step: half scenes with captions, whole or shortened, each with two captions that are wrong in
one thing; half CIFAR-10 pictures with a sentence for each class. Loss: a picture must choose its
caption among all captions of the step, the class sentences and its own wrong ones; a scene caption
must choose its picture among all pictures (InfoNCE both ways, as CLIP).
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from host.train import loop
from host.train.card import About
from semcom_blocks.errors import require_range

STRENGTH, CLEAN_SHARE = 0.6, 0.4
WRONG = 2  # captions wrong in one thing, a scene
SHORT_SHARE = 0.5
CLASS_HELD_OUT = 500
SUMMARY = (
    "Contrastive picture-text network on scenes and on the classes of CIFAR-10; the role of CLIP, "
    "under its own name. InfoNCE both ways, with captions wrong in one thing as hard negatives."
)
LIMITS = (
    "Knows scene captions and ten classes. Scores are comparable among themselves alone, not with "
    "CLIP's. Words that it never saw have no meaning to it."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train contrastive``."""
    loop.add_arguments(parser, name="contrastive-v1", minutes=30, batch=96, lr=1.5e-3)
    parser.set_defaults(seed=303)
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help="CIFAR-10, a folder or a zip")


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch
    import torch.nn.functional as F

    from host.train.captions import shortened, wrong
    from host.train.class_pictures import class_pictures, class_sentences, shifted
    from host.train.scene_batches import draw, held_out
    from models.contrastive import ContrastiveConfig, ContrastiveNetwork, word_numbers
    from models.scene_trunk import at_side
    from models.scenes.grammar import write

    require_range("batch", args.batch, 4, 65_536)
    config = ContrastiveConfig()
    pictures, numbers, names = class_pictures(args.data, "train")
    held = torch.arange(0, len(pictures), max(1, len(pictures) // CLASS_HELD_OUT))
    rest = torch.ones(len(pictures), dtype=torch.bool)
    rest[held] = False
    kept = rest.nonzero()[:, 0]

    def loss(module: ContrastiveNetwork, generator: torch.Generator):
        half = args.batch // 2
        scenes, seen = draw(half, STRENGTH, CLEAN_SHARE, generator)
        told = [
            shortened(s, generator)
            if float(torch.rand((), generator=generator)) < SHORT_SHARE
            else s
            for s in scenes.scenes()
        ]
        false = [write(wrong(s, generator)) for s in told for _ in range(WRONG)]
        which = kept[torch.randint(len(kept), (half,), generator=generator)]
        photos = at_side(shifted(pictures[which], generator))
        both = torch.cat((seen, photos)).contiguous(memory_format=torch.channels_last)
        texts = [write(s) for s in told] + class_sentences(names, generator) + false
        image = module.of_pictures(both)
        text = module.of_words(word_numbers(texts))
        scale = module.scale()
        right, wrongs = text[: half + len(names)], text[half + len(names) :]
        logits = scale * image @ right.T  # (2·half, half + classes)
        own = scale * (image[:half, None] * wrongs.view(half, WRONG, -1)).sum(2)
        goal = torch.cat((torch.arange(half), half + numbers[which]))
        chosen = F.cross_entropy(torch.cat((logits[:half], own), 1), goal[:half])
        classes = F.cross_entropy(logits[half:], goal[half:])
        back = F.cross_entropy(logits[:, :half].T, torch.arange(half))
        parts = {"scenes": float(chosen.detach()), "classes": float(classes.detach())}
        return chosen + classes + 0.5 * back, parts

    scenes, clean = held_out(256, 64)
    drawn = torch.Generator().manual_seed(7)
    truths = [write(s) for s in scenes.scenes()]
    falses = [write(wrong(s, drawn)) for s in scenes.scenes() for _ in range(4)]

    @torch.no_grad()
    def validate(module: ContrastiveNetwork) -> dict[str, float]:
        image = module.of_pictures(clean)
        true = module.of_words(word_numbers(truths))
        false = module.of_words(word_numbers(falses)).view(len(truths), 4, -1)
        own = (image * true).sum(1)
        beats = own[:, None] > (image[:, None] * false).sum(2)
        sentences = module.of_words(word_numbers([f"a photo of a {n}." for n in names]))
        photos = module.of_pictures(at_side(pictures[held].float() / 255))
        hit = (photos @ sentences.T).argmax(1) == numbers[held]
        return {
            "caption of 256": float(
                ((image @ true.T).argmax(1) == torch.arange(len(own))).float().mean()
            ),
            "above a wrong one": float(beats.float().mean()),
            "class": float(hit.float().mean()),
        }

    about = About(
        architecture="models.contrastive.ContrastiveNetwork",
        config=asdict(config),
        summary=SUMMARY,
        data=(
            f"CIFAR-10, split train: {len(kept)} pictures; {len(held)} held out give the curve",
            "rendered scenes without end",
        ),
        limits=LIMITS,
        max_bytes=3 * 2**20,
    )
    loop.train(
        args,
        lambda: ContrastiveNetwork(config).to(memory_format=torch.channels_last),
        loss,
        about,
        validate=validate,
    )
    return 0
