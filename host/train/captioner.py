# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the captioner of scenes: ``./semcom train captioner``; the scenes are rendered.

Loss: cross-entropy of each next word given the true words before it, plus that of the cells' heads
(:func:`models.scene_trunk.cell_loss`) as a second task. Half of the pictures are lightly worn
(:mod:`host.train.wear`): the captioner stands at the sender, before the link.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from host.train import loop
from host.train.card import About

STRENGTH, CLEAN_SHARE = 0.5, 0.5
CELL_WEIGHT = 0.3
HELD_OUT = 128
SUMMARY = (
    "Captions pictures of scenes in the words of the scene grammar: trunk to nine cells, "
    "autoregressive transformer, greedy among the words that the grammar allows next."
)
LIMITS = "Knows the scene world alone: of any other picture it tells a scene that is not there."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train captioner``."""
    loop.add_arguments(parser, name="captioner-v1", minutes=20, batch=64, lr=2e-3)
    parser.set_defaults(seed=202)


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch
    import torch.nn.functional as F

    from host.train.scene_batches import draw, held_out
    from models.captioner import (
        INDEX,
        PAD,
        CaptionerConfig,
        CaptionerNetwork,
        SceneCaptioner,
        tokens,
    )
    from models.scene_trunk import cell_loss, cell_targets
    from models.scenes.grammar import write

    config = CaptionerConfig()

    def loss(module: CaptionerNetwork, generator: torch.Generator):
        scenes, pictures = draw(args.batch, STRENGTH, CLEAN_SHARE, generator)
        words = tokens([write(scene) for scene in scenes.scenes()])
        words = words[:, : int((words != INDEX[PAD]).sum(1).max())]
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        cells, memory = module.look(pictures)
        logits = module.tell(memory, words[:, :-1]).float().transpose(1, 2)  # (B,V,T)
        told = F.cross_entropy(logits, words[:, 1:], ignore_index=INDEX[PAD])
        seen = cell_loss(module.heads(cells), cell_targets(scenes))
        return 5 * told + CELL_WEIGHT * seen, {"words": float(told.detach())}

    fixed = {"64": held_out(HELD_OUT, 64), "128": held_out(HELD_OUT, 128)}

    def validate(module: CaptionerNetwork) -> dict[str, float]:
        reader = SceneCaptioner(module)
        scores = {}
        for name, (scenes, pictures) in fixed.items():
            told = [caption.text for caption in reader.captions(pictures)]
            right = [text == write(s) for text, s in zip(told, scenes.scenes(), strict=True)]
            scores[f"exact {name}"] = sum(right) / len(right)
        return scores

    about = About(
        architecture="models.captioner.CaptionerNetwork",
        config=asdict(config),
        summary=SUMMARY,
        data=("rendered scenes without end, a third of them at 128 pixels, half lightly worn",),
        limits=LIMITS,
        max_bytes=2 * 2**20,
    )
    loop.train(
        args,
        lambda: CaptionerNetwork(config).to(memory_format=torch.channels_last),
        loss,
        about,
        validate=validate,
    )
    return 0
