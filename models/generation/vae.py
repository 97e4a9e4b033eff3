# SPDX-License-Identifier: GPL-3.0-or-later
"""A small variational autoencoder: picture ↔ latents at a quarter of the resolution.

::

    picture (B,3,H,W) in [0,1]                    latents (B,4,H/4,W/4)
      | PixelUnshuffle(4)                           | conv3x3 (4 -> D)
      v                                             v
    conv3x3 (48 -> E)                             N x residual block (D)
      |                                             |
    M x residual block (E)                        conv1x1 (D -> 4F), PixelShuffle(2)
      |                                             |
    conv3x3 (E -> 8)                              K x residual block (F)   at half resolution
      |                                             |
    mean, log variance (B,4,H/4,W/4)              conv3x3 (F -> 12), PixelShuffle(2)

    residual block: x + conv3x3(silu(conv3x3(silu(x))))

Choices, and why
* Four channels at a quarter of the resolution, 1/12 of the picture's values: 64x64 becomes 16x16x4,
  so that the outline of a shape survives; with a side of 8 the shape was the first thing lost.
* No normalisation and no attention: the receptive field is finite, so any picture size works and
  natural pictures pass through the same latents.
* :meth:`Vae.encode` gives standardised latents, zero mean and unit variance per channel over the
  training data, as the flow needs them; the two statistics are buffers, stored with the weights.

Papers: D. Kingma, M. Welling, "Auto-encoding variational Bayes", arXiv:1312.6114; R. Rombach et
al., "High-resolution image synthesis with latent diffusion models", CVPR 2022, arXiv:2112.10752.

Training: :mod:`host.train.vae`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom_blocks.errors import ConfigError, require_range

STRIDE = 4  # pixels per latent along each side
LOG_VARIANCE = (-10.0, 4.0)  # beyond lies nothing but overflow
STATISTICS_MOMENTUM = 0.01


@dataclass(frozen=True)
class VaeConfig:
    """channels of a latent; widths E, D, F of the diagram; blocks M, N, K."""

    channels: int = 4
    encoder_width: int = 96
    encoder_blocks: int = 3
    width: int = 128
    blocks: int = 4
    fine_width: int = 48
    fine_blocks: int = 2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise ConfigError(f"{name} is {value!r}, permitted: an integer")
            require_range(name, value, 0 if name.endswith("blocks") else 1, 1024)


class ResidualBlock(nn.Module):
    """x + conv3x3(silu(conv3x3(silu(x)))), near the identity at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class Vae(nn.Module):
    """Encoder, decoder and the statistics of the latents."""

    def __init__(self, config: VaeConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or VaeConfig()
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(STRIDE),
            nn.Conv2d(3 * STRIDE**2, c.encoder_width, 3, padding=1),
            *(ResidualBlock(c.encoder_width) for _ in range(c.encoder_blocks)),
            nn.Conv2d(c.encoder_width, 2 * c.channels, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(c.channels, c.width, 3, padding=1),
            *(ResidualBlock(c.width) for _ in range(c.blocks)),
            nn.Conv2d(c.width, 4 * c.fine_width, 1),
            nn.PixelShuffle(2),
            *(ResidualBlock(c.fine_width) for _ in range(c.fine_blocks)),
            nn.Conv2d(c.fine_width, 3 * 4, 3, padding=1),
            nn.PixelShuffle(2),
        )
        self.register_buffer("mean", torch.zeros(c.channels))
        self.register_buffer("deviation", torch.ones(c.channels))

    def posterior(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Picture (B,3,H,W) in [0,1] → mean and log variance (B,C,H/4,W/4), not standardised.

        H and W are multiples of 4.
        """
        mean, log_variance = self.encoder(2 * picture - 1).float().chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE)

    def reconstruct(self, raw: Tensor) -> Tensor:
        """Latents that are not standardised → picture, not clamped."""
        return (self.decoder(raw).float() + 1) / 2

    def encode(self, picture: Tensor) -> Tensor:
        """Picture (B,3,H,W) in [0,1] → standardised latents (B,C,H/4,W/4), the posterior's mean."""
        raw, _ = self.posterior(picture)
        return (raw - self.mean[:, None, None]) / self.deviation[:, None, None]

    def decode(self, latents: Tensor) -> Tensor:
        """Standardised latents (B,C,h,w) → picture (B,3,4h,4w) in [0,1]."""
        raw = latents * self.deviation[:, None, None] + self.mean[:, None, None]
        return self.reconstruct(raw).clamp(0, 1)

    @torch.no_grad()
    def track(self, raw: Tensor) -> None:
        """Let the statistics follow a batch of latents (B,C,h,w)."""
        raw = raw.detach()
        self.mean.lerp_(raw.mean((0, 2, 3)), STATISTICS_MOMENTUM)
        self.deviation.lerp_(raw.std((0, 2, 3)), STATISTICS_MOMENTUM)
