# SPDX-License-Identifier: GPL-3.0-or-later
"""The GAN receiver: one pass from noise and what arrived to what did not arrive.

::

    noise (B,E,h/2,w/2) --+
    what arrived, caption +-> trunk -> conv3x3 -> n -> x = w·y + sqrt(1-w)·n

Trained against a discriminator that sees x, the true one or this, beside what arrived and the
caption, and says at each position how real it is. The loss is relativistic: the discriminator D has
to tell the two apart, not to say what either is (A. Jolicoeur-Martineau, "The relativistic
discriminator", ICLR 2019, arXiv:1807.00734; paired and without a mean, as in N. Huang et al.,
"The GAN is dead; long live the GAN!", arXiv:2501.05441)::

    D: mean softplus(D(false) - D(true)),    G: mean softplus(D(true) - D(false))

and the generator has a second term, λ·mean|x - true|, which holds it to what was sent
(P. Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017).
The discriminator is needed for training alone and does not ship.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.receivers.received import Received
from models.receivers.trunk import Trunk, TrunkConfig, spread_out, squared
from semcom_blocks.errors import require_range

NAME = "receiver-gan-v1"


@dataclass(frozen=True)
class AdversarialConfig:
    """Sizes of the trunk, channels of the noise."""

    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    noise: int = 8

    def __post_init__(self) -> None:
        if isinstance(self.trunk, dict):  # as a card has it
            object.__setattr__(self, "trunk", TrunkConfig(**self.trunk))
        require_range("noise", self.noise, 1, 1024)


class AdversarialReceiver(nn.Module):
    """The generator."""

    name = "gan"

    def __init__(self, config: AdversarialConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or AdversarialConfig()
        self.trunk = Trunk(c.trunk, extra=c.noise)
        self.leave = nn.Conv2d(c.trunk.width, c.trunk.values, 3, padding=1)
        with torch.no_grad():
            self.leave.weight.mul_(0.3)

    def forward(self, received: Received, noise: Tensor) -> Tensor:
        """x (B,C,h,w) for noise (B,E,h/2,w/2)."""
        unknown = self.leave(F.silu(self.trunk(received, noise))).float()
        return received.complete(spread_out(unknown))

    def noise_for(self, received: Received, generator: torch.Generator) -> Tensor:
        """Standard normal (B,E,h/2,w/2)."""
        batch, _, rows, columns = squared(received.latents).shape
        return torch.randn(batch, self.config.noise, rows, columns, generator=generator)

    @torch.no_grad()
    def restore(self, received: Received, seed: int = 0) -> Tensor:
        """One sample."""
        return self(received, self.noise_for(received, torch.Generator().manual_seed(seed)))


class Discriminator(nn.Module):
    """How real latents look at each position, given what arrived."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config, extra=config.values)
        self.leave = nn.Conv2d(config.width, 1, 1)

    def forward(self, received: Received, latents: Tensor) -> Tensor:
        """Logits (B,1,h/2,w/2)."""
        return self.leave(F.silu(self.trunk(received, squared(latents)))).float()
