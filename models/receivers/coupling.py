# SPDX-License-Identifier: GPL-3.0-or-later
"""The flow receiver: an invertible network between noise and what did not arrive.

::

    n (B,4C,h/2,w/2)          features f of what arrived (trunk)
      | (n - m(f))/d(f)  <----- mean and deviation, as the VAE receiver's
      |
    K x [ mix channels (a learned 4Cx4C matrix)
          first half stays, second half: (x + shift)·exp(scale),
          (shift, scale) = net(first half, f) ]
      v
    u, standard normal

Trained by the exact likelihood, -ln p(n) = |u|²/2 - ln|du/dn|; drawn by running it backwards from
noise (``temperature`` times a normal). Without couplings it is the VAE receiver: what they add is
that missing latents are drawn together, not each on its own.

Papers: L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017,
arXiv:1605.08803; D. Kingma, P. Dhariwal, "Glow", NeurIPS 2018, arXiv:1807.03039; L. Ardizzone et
al., "Guided image generation with conditional invertible neural networks", arXiv:1907.02392.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.receivers.received import Received
from models.receivers.trunk import Trunk, TrunkConfig, spread_out, squared
from semcom_blocks.errors import require_range

LOG_DEVIATION = (-3.5, 1.5)
LARGEST_SCALE = 1.5  # of ln: a coupling stretches by at most exp(1.5)
TEMPERATURE = 0.7  # below 1, samples are less diverse and cleaner (Glow, section 6)
NAME = "receiver-nflow-v1"


@dataclass(frozen=True)
class CouplingConfig:
    """Sizes of the trunk, couplings K, width of their networks."""

    trunk: TrunkConfig = field(default_factory=lambda: TrunkConfig(blocks=1))
    couplings: int = 8
    width: int = 40

    def __post_init__(self) -> None:
        if isinstance(self.trunk, dict):  # as a card has it
            object.__setattr__(self, "trunk", TrunkConfig(**self.trunk))
        require_range("couplings", self.couplings, 0, 64)
        require_range("width", self.width, 1, 1024)


class Coupling(nn.Module):
    """Mix the channels, then move and stretch the second half by what the first half says."""

    def __init__(self, values: int, features: int, width: int) -> None:
        super().__init__()
        self.half = values // 2
        self.mix = nn.Parameter(torch.linalg.qr(torch.randn(values, values))[0].contiguous())
        self.enter = nn.Conv2d(self.half, width, 3, padding=1)
        self.given = nn.Conv2d(features, width, 1)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.leave = nn.Conv2d(width, 2 * self.half, 1)
        nn.init.zeros_(self.leave.weight)  # the identity at the start
        nn.init.zeros_(self.leave.bias)

    def steer(self, first: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and log scale of the second half."""
        x = F.silu(self.enter(first) + self.given(features))
        shift, raw = self.leave(F.silu(self.middle(x))).float().chunk(2, 1)
        return shift, LARGEST_SCALE * torch.tanh(raw / LARGEST_SCALE)

    def forward(self, x: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """x (B,V,h,w) → the same, and ln|d out/d in| (B,)."""
        with torch.autocast("cpu", enabled=False):
            x = torch.einsum("vw,bwhk->bvhk", self.mix, x.float())
            turned = torch.linalg.slogdet(self.mix).logabsdet * x.shape[2] * x.shape[3]
        first, second = x.chunk(2, 1)
        shift, scale = self.steer(first, features)
        second = (second + shift) * scale.exp()
        return torch.cat([first, second], 1), scale.sum((1, 2, 3)) + turned

    def inverse(self, x: Tensor, features: Tensor) -> Tensor:
        """Back again."""
        first, second = x.chunk(2, 1)
        shift, scale = self.steer(first, features)
        x = torch.cat([first, second * (-scale).exp() - shift], 1)
        return torch.einsum("vw,bwhk->bvhk", torch.linalg.inv(self.mix), x)


class CouplingReceiver(nn.Module):
    """Conditional normalising flow of what did not arrive."""

    name = "nflow"

    def __init__(self, config: CouplingConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or CouplingConfig()
        self.trunk = Trunk(c.trunk)
        self.base = nn.Conv2d(c.trunk.width, 2 * c.trunk.values, 3, padding=1)
        nn.init.zeros_(self.base.weight)
        nn.init.zeros_(self.base.bias)
        self.couplings = nn.ModuleList(
            Coupling(c.trunk.values, c.trunk.width, c.width) for _ in range(c.couplings)
        )

    def _features(self, received: Received) -> tuple[Tensor, Tensor, Tensor]:
        features = F.silu(self.trunk(received))
        mean, log_deviation = self.base(features).float().chunk(2, 1)
        return features, mean, log_deviation.clamp(*LOG_DEVIATION)

    def inward(self, received: Received, unknown: Tensor) -> tuple[Tensor, Tensor]:
        """n (B,C,h,w) → u (B,4C,h/2,w/2) and ln|du/dn| (B,)."""
        features, mean, log_deviation = self._features(received)
        x = (squared(unknown) - mean) * (-log_deviation).exp()
        volume = -log_deviation.sum((1, 2, 3))
        for coupling in self.couplings:
            x, more = coupling(x, features)
            volume = volume + more
        return x, volume

    def outward(self, received: Received, u: Tensor) -> Tensor:
        """u → n."""
        features, mean, log_deviation = self._features(received)
        for coupling in reversed(self.couplings):
            u = coupling.inverse(u, features)
        return spread_out(u * log_deviation.exp() + mean)

    def loss(self, received: Received, latents: Tensor) -> Tensor:
        """Negative log likelihood of n a latent, less that of a standard normal's peak."""
        u, volume = self.inward(received, received.unknown(latents))
        return (0.5 * u.square().sum((1, 2, 3)) - volume).mean() / math.prod(latents.shape[1:])

    @torch.no_grad()
    def restore(
        self, received: Received, seed: int = 0, temperature: float = TEMPERATURE
    ) -> Tensor:
        """A sample at ``temperature``."""
        shape = squared(received.latents).shape
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        return received.complete(self.outward(received, temperature * noise))
