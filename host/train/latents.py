# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents of drawn scenes, kept in a file: several trainings need the same, and encoding is slow.

The file is safetensors: float16 latents (N,C,16,16), and in its header which autoencoder, how many
scenes and which seed they come from. The scenes themselves are drawn again from the seed.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from semcom_blocks.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from models.generation.vae import Vae
    from models.scenes.sample import SceneBatch

log = logging.getLogger(__name__)

KEY = "latents"


def scene_latents(
    vae: Vae, vae_sha256: str, number: int, side: int, seed: int, kept: str | None
) -> tuple[Tensor, SceneBatch]:
    """``number`` scenes of ``seed`` and their latents, from the file ``kept`` where it has them.

    A file that is not there is written; one of other scenes is refused with :class:`ConfigError`.
    """
    import torch
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save

    from host.train.flow import encode_scenes
    from models.scenes.sample import sample
    from models.weights_io import write_atomic

    scenes = sample(number, torch.Generator().manual_seed(seed))
    about = {"vae": vae_sha256, "scenes": number, "side": side, "seed": seed}
    if kept is None:
        return encode_scenes(vae, scenes, side), scenes
    path = Path(kept)
    if path.exists():
        try:
            with safe_open(path, "pt") as file:
                found = json.loads((file.metadata() or {}).get("about", "{}"))
                latents = file.get_tensor(KEY) if found == about else None
        except (OSError, SafetensorError, ValueError) as error:
            raise ConfigError(f"latents is {kept!r}, permitted: latents ({error})") from None
        if latents is None:
            raise ConfigError(f"latents is {kept!r} of {found}, permitted: of {about}")
        log.info("latents of %d scenes from %s", number, path)
        return latents, scenes
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"latents is {kept!r}, permitted: a file in an existing folder")
    latents = encode_scenes(vae, scenes, side)
    write_atomic(path, save({KEY: latents}, {"about": json.dumps(about)}))
    return latents, scenes
