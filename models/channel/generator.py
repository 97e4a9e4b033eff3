# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator: what to change of the robust LMMSE, given the received pilots and the SNR.

::

    condition (B,11,N) ──┬─ conv ↓2 ─┬─ conv ↓2 ─┬─ conv ↓2 ─┐
                         │           │           └─ deconv ↑2 (+ skip) ─┐
                         │           └──────────── deconv ↑2 (+ skip) ──┘
                         └─ output layer: deconv ↑2 (+ skip), conv, conv ─ 5 maps over the delay

The maps are three gates and a complex remainder c, of which at each delay is made

    residual = a · innovation + w · weighted innovation − b · start (limited to 8 σ) + c

so that the network decides what is signal and what is noise, and large values pass unquantised.
All convolutions are circular, as delays are, and of any length that 8 divides: one set of weights
serves every numerology.

Source: three convolutions down, two deconvolutions up, an output layer and LeakyReLU as in
F. Jiang et al., "Large AI model empowered multimodal semantic communications", IEEE Commun. Mag.
63, 2025, section III-D; conditional GAN for channels as in Y. Dong, H. Wang, Y.-D. Yao, IEEE
Commun. Lett. 25, 2021. The skips and the gates are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.channel.observed import CONDITION_CHANNELS, LIMIT, Images
from semcom_blocks.errors import require_range

SLOPE = 0.2  # of LeakyReLU
SHORTEST = 16  # values over the delay; FFT sizes of the testbed are multiples of 64


@dataclass(frozen=True)
class GeneratorConfig:
    """Channels after each convolution down, and of the output layer."""

    down: tuple[int, int, int] = (48, 96, 128)
    out: int = 48

    def __post_init__(self) -> None:
        object.__setattr__(self, "down", tuple(self.down))  # a card has a list
        for width in (*self.down, self.out):
            require_range("width", width, 1, 1024)


class Generator(nn.Module):
    """Images → residual on the start, complex64 (B,N) over the delay, in σ."""

    def __init__(self, config: GeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or GeneratorConfig()
        first, second, third = c.down
        self.down = nn.ModuleList(
            nn.Conv1d(a, b, k, stride=2, padding=k // 2, padding_mode="circular")
            for a, b, k in ((CONDITION_CHANNELS, first, 7), (first, second, 5), (second, third, 5))
        )
        self.up = nn.ModuleList((_Deconvolution(third, second), _Deconvolution(2 * second, first)))
        self.full = _Deconvolution(2 * first, c.out)
        given = c.out + CONDITION_CHANNELS
        self.mix = nn.Conv1d(given, c.out, 5, padding=2, padding_mode="circular")
        self.leave = nn.Conv1d(c.out, 5, 5, padding=2, padding_mode="circular")
        with torch.no_grad():
            self.leave.weight.mul_(0.1)

    def forward(self, images: Images) -> Tensor:
        """Complex64 (B,N)."""
        x, skips = images.condition, []
        for layer in self.down:
            x = F.leaky_relu(layer(x), SLOPE)
            skips.append(x)
        for layer, skip in zip(self.up, skips[1::-1], strict=True):
            x = torch.cat((F.leaky_relu(layer(x), SLOPE), skip), dim=1)
        x = F.leaky_relu(self.full(x), SLOPE)
        x = F.leaky_relu(self.mix(torch.cat((x, images.condition), dim=1)), SLOPE)
        innovation, weighted, less, real, imag = self.leave(x).float().unbind(1)
        held = images.start * (LIMIT / images.start.abs().clamp_min(LIMIT))
        gated = innovation * images.innovation + weighted * images.weighted
        # Away from the start at rest, so that what is strong stays until it is known better.
        return gated - torch.sigmoid(less - 3) * held + torch.complex(real, imag)


class _Deconvolution(nn.Module):
    """Circular transposed convolution that doubles the length, (B,a,n) → (B,b,2n)."""

    def __init__(self, given: int, width: int) -> None:
        super().__init__()
        self.layer = nn.ConvTranspose1d(given, width, 4, stride=2, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(F.pad(x, (1, 1), mode="circular"))
