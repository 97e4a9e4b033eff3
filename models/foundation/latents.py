# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents of a diffusion autoencoder (AutoencoderTiny, AutoencoderKL) as a semantic stream."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.foundation.checkpoint import NETWORK_CONFIG, Checkpoint
from models.foundation.placement import Placement
from semcom_blocks.errors import ConfigError

KINDS = ("AutoencoderTiny", "AutoencoderKL")


class HfLatents:
    """A picture uint8 (H,W,3) ↔ latents float32 (C,H/f,W/f), scaled as the diffusion sees them."""

    def __init__(self, spec: str, placement: Placement | None = None) -> None:
        import diffusers

        self._checkpoint = Checkpoint.parse(spec, "latent codec")
        self._placement = placement or Placement()
        kind = self._checkpoint.require("_class_name", KINDS, NETWORK_CONFIG)
        network = self._checkpoint.load(
            getattr(diffusers, kind).from_pretrained,
            dtype=self._placement.dtype,
            use_safetensors=True,
        )
        self._network = network.to(self._placement.target).eval()
        self._scale = float(network.config.scaling_factor)
        self._shift = float(getattr(network.config, "shift_factor", None) or 0.0)
        blocks = (
            network.config.get("block_out_channels") or network.config.encoder_block_out_channels
        )
        self.factor = 2 ** (len(blocks) - 1)
        self.name = spec

    @torch.inference_mode()
    def encode(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The mean latents; both sides of the picture must be multiples of ``factor``."""
        height, width = picture.shape[:2]
        if height % self.factor or width % self.factor:
            raise ConfigError(
                f"picture is {width}x{height}, permitted: sides in multiples of {self.factor}"
            )
        with self._checkpoint.named_errors():
            found = self._network.encode(self._to_tensor(picture))
        latents = found.latents if hasattr(found, "latents") else found.latent_dist.mode()
        return ((latents - self._shift) * self._scale)[0].float().cpu().numpy()

    @torch.inference_mode()
    def decode(self, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The picture of ``latents``."""
        values = torch.from_numpy(np.ascontiguousarray(latents, np.float32))[None]
        values = values.to(self._placement.target, self._placement.dtype)
        with self._checkpoint.named_errors():
            picture = self._network.decode(values / self._scale + self._shift).sample
        picture = (picture[0].float() / 2 + 0.5).clamp(0, 1) * 255
        return picture.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()

    def _to_tensor(self, picture: NDArray[np.uint8]) -> Tensor:
        values = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]
        return values.to(self._placement.target, self._placement.dtype) / 127.5 - 1
