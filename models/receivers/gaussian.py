# SPDX-License-Identifier: GPL-3.0-or-later
"""The VAE receiver: statistics are sent, those that are lost are inferred.

The autoencoder's latents are the statistics of the picture (the posterior's mean; its variance is
one small constant). What is lost has a posterior of its own given what arrived, and a network
amortises it: mean and variance of every n (:mod:`models.receivers.received`), independent given
the features. Trained by the likelihood, i.e. the part of the evidence bound that loss changes::

    loss = 1/2·mean((n - m)²/v + ln v)

What is drawn is the mean of the posterior (``temperature`` 0), a sample of it where one is wished:
fast and calm, and where much is lost, blurred, since a mean of pictures is not a picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from models.receivers.received import Received
from models.receivers.trunk import Trunk, TrunkConfig, spread_out

LOG_VARIANCE = (-7.0, 3.0)
NAME = "receiver-vae-v1"


@dataclass(frozen=True)
class GaussianConfig:
    """Sizes of the trunk."""

    trunk: TrunkConfig = field(default_factory=TrunkConfig)

    def __post_init__(self) -> None:
        if isinstance(self.trunk, dict):  # as a card has it
            object.__setattr__(self, "trunk", TrunkConfig(**self.trunk))


class GaussianReceiver(nn.Module):
    """Amortised posterior of what did not arrive."""

    name = "vae"

    def __init__(self, config: GaussianConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or GaussianConfig()
        self.trunk = Trunk(c.trunk)
        self.leave = nn.Conv2d(c.trunk.width, 2 * c.trunk.values, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def posterior(self, received: Received) -> tuple[Tensor, Tensor]:
        """Mean and log variance of n, (B,C,h,w) each."""
        found = self.leave(torch.nn.functional.silu(self.trunk(received))).float()
        mean, log_variance = found.chunk(2, 1)
        return spread_out(mean), spread_out(log_variance).clamp(*LOG_VARIANCE)

    def loss(self, received: Received, latents: Tensor) -> Tensor:
        """Negative log likelihood of n a latent, constants left out."""
        mean, log_variance = self.posterior(received)
        error = (received.unknown(latents) - mean).square()
        return 0.5 * (error * (-log_variance).exp() + log_variance).mean()

    @torch.no_grad()
    def restore(self, received: Received, seed: int = 0, temperature: float = 0.0) -> Tensor:
        """The posterior's mean, or a sample with its deviations times ``temperature``."""
        mean, log_variance = self.posterior(received)
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed))
        return received.complete(mean + temperature * noise * (log_variance / 2).exp())
