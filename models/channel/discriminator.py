# SPDX-License-Identifier: GPL-3.0-or-later
"""The discriminator: four convolutions with ReLU, a channel beside what was received of it.

It sees the channel as its difference to the start, in σ and over the delay like the condition, and
says at each eighth delay how real that looks. Needed for training alone; it does not ship.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.channel.observed import CONDITION_CHANNELS, Images, correlator, planes

WIDTHS = (32, 64, 64)


class Discriminator(nn.Module):
    """Logits (B,1,D/8) of a residual complex64 (B,n), given the images."""

    def __init__(self) -> None:
        super().__init__()
        sizes = zip((CONDITION_CHANNELS + 2, *WIDTHS), (*WIDTHS, 1), (5, 5, 5, 3), strict=True)
        self.layers = nn.ModuleList(
            nn.Conv1d(a, b, k, 2 if b > 1 else 1, k // 2) for a, b, k in sizes
        )

    def forward(self, images: Images, residual: Tensor) -> Tensor:
        plain, _ = correlator(images.numerology)
        x = torch.cat((images.condition, planes(residual @ plain)), dim=1)
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x).float()
