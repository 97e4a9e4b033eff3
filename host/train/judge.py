# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the judge of scenes: ``./semcom train judge``; needs no data, the scenes are rendered.

Loss: cross-entropy of each head (:func:`models.scene_trunk.cell_loss`). Four fifths of the pictures
are worn (:mod:`host.train.wear`), and none comes from a generator of this repository, so that no
generator is judged by what it taught.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from host.train import loop
from host.train.card import About

STRENGTH, CLEAN_SHARE = 1.0, 0.2
HELD_OUT = 256
SUMMARY = (
    "Reads scenes off pictures, cell by cell, so that the fidelity of generated pictures can be "
    "counted. Own trunk, own seed; it shares nothing with the captioner or a generator."
)
LIMITS = (
    "Knows the scene world alone: of any other picture it reads nonsense. Objects are looked for "
    "on the 3x3 grid; one between two cells is read as in either."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train judge``."""
    loop.add_arguments(parser, name="scene-judge-v1", minutes=15, batch=64, lr=2e-3)
    parser.set_defaults(seed=101)


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from host.train.scene_batches import draw, held_out
    from models.scene_judge import JudgeConfig, JudgeNetwork, scenes_of
    from models.scene_trunk import cell_loss, cell_targets
    from models.scenes.fidelity import compare_all

    config = JudgeConfig()

    def loss(module: torch.nn.Module, generator: torch.Generator) -> torch.Tensor:
        scenes, pictures = draw(args.batch, STRENGTH, CLEAN_SHARE, generator)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        return cell_loss(module(pictures), cell_targets(scenes))

    fixed = {
        "clean": held_out(HELD_OUT, 64),
        "128": held_out(HELD_OUT, 128),
        "worn": held_out(HELD_OUT, 64, STRENGTH),
    }

    @torch.no_grad()
    def validate(module: torch.nn.Module) -> dict[str, float]:
        scores = {}
        for name, (scenes, pictures) in fixed.items():
            pairs = zip(scenes.scenes(), scenes_of(module(pictures)), strict=True)
            counted = compare_all(pairs)
            scores[f"{name} attributes"] = counted.attributes or 0.0
            scores[f"{name} exact"] = counted.exact / counted.scenes
        return scores

    about = About(
        architecture="models.scene_judge.JudgeNetwork",
        config=asdict(config),
        summary=SUMMARY,
        data=("rendered scenes without end, a third of them at 128 pixels, four fifths worn",),
        limits=LIMITS,
        max_bytes=2**20,
    )
    loop.train(
        args,
        lambda: JudgeNetwork(config).to(memory_format=torch.channels_last),
        loss,
        about,
        validate=validate,
    )
    return 0
