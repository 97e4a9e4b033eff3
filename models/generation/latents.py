# SPDX-License-Identifier: GPL-3.0-or-later
"""The latent codec role by the embedded autoencoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.generation.loading import load_network
from models.generation.vae import STRIDE, Vae, VaeConfig
from models.pictures import check_picture, picture_tensor, to_bytes
from models.roles import Latents, Picture
from semcom_blocks.errors import ConfigError

WEIGHTS = "vae-v1"
MULTIPLE = 2 * STRIDE  # pixels: receivers look at latents by two and two


class VaeLatents:
    """A picture uint8 (H,W,3) ↔ standardised latents float32 (4,H/4,W/4)."""

    def __init__(self, vae: Vae, name: str = WEIGHTS) -> None:
        self.vae = vae.eval()
        self.name = name

    @classmethod
    def load(cls, name: str = WEIGHTS, directory: Path | None = None) -> VaeLatents:
        """With stored weights. Raises :class:`semcom_blocks.errors.ModelError`."""
        return cls(load_network(Vae, VaeConfig, name, directory), name)

    @torch.no_grad()
    def encode(self, picture: Picture) -> Latents:
        """The posterior's mean; both sides of the picture must be multiples of MULTIPLE."""
        check_picture(picture)
        height, width = picture.shape[:2]
        if height % MULTIPLE or width % MULTIPLE:
            raise ConfigError(
                f"picture is {width}x{height}, permitted: sides in multiples of {MULTIPLE}"
            )
        return self.vae.encode(picture_tensor(picture))[0].numpy()

    @torch.no_grad()
    def decode(self, latents: Latents) -> Picture:
        """The picture of ``latents``."""
        channels = self.vae.config.channels
        if latents.ndim != 3 or latents.shape[0] != channels or not latents.size:
            raise ConfigError(f"latents is {latents.shape}, permitted: ({channels}, h, w)")
        values = torch.from_numpy(np.array(latents, dtype=np.float32))[None]
        picture = self.vae.decode(values)[0].permute(1, 2, 0)
        return np.ascontiguousarray(to_bytes(picture))
