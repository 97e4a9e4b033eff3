# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what is to be sent, before any process is started."""

from __future__ import annotations

from collections.abc import Callable

from host.config import RunConfig
from host.images import LoadedImage, load_image
from host.prompts import caption_for, check_prompt, for_display
from host.scenes import SCENE, make_scene


def load_source(run: RunConfig, note: Callable[[str], None]) -> tuple[LoadedImage, str]:
    """The run's picture and prompt; conversions are told to ``note``."""
    if run.image == SCENE:
        image = make_scene(run.seed, run.generation.scene_size)
    else:
        image = load_image(run.image)
    caption = image.caption or caption_for(run.image)
    prompt = check_prompt(caption if run.prompt is None else run.prompt)
    for text in image.notes:
        note(for_display(f"{image.name}: {text}"))
    return image, prompt
