# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene of the procedural world as a picture to send: everything in it is known."""

from __future__ import annotations

from host.images import LoadedImage

SCENE = "scene"  # the picture's name on the command line and in the experiment file


def make_scene(seed: int, side: int) -> LoadedImage:
    """The scene of ``seed``, side x side pixels, with its exact caption."""
    import torch  # only a scene needs it in the command's own process

    from models.scenes.grammar import write
    from models.scenes.render import render, to_uint8
    from models.scenes.sample import sample

    batch = sample(1, torch.Generator().manual_seed(seed))
    pixels = to_uint8(render(batch, side))[0].numpy()
    return LoadedImage(pixels, f"{SCENE}-{seed}", caption=write(batch.scenes()[0]))
