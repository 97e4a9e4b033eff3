# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge codec's networks: a nonlinear transform to bits that are trained through bit errors.

::

    edge map (B,1,H,W) in [0,1]                      received bits (B,P,h,w), -1…1
      | PixelUnshuffle(4)                              | x (1 - 2·BER); 0 where lost
      v                                                v
    1/4  conv, block                                 conv <- one more plane: 1 - 2·BER
      | stride 2                                       v
    1/8  conv, block                                 1/16 blocks
      | stride 2                                       | PixelShuffle(2)
    1/16 conv, blocks                                1/8  blocks
      v                                                | PixelShuffle(2)
    P planes of (B,P,h,w), h = H/16, sign -> ±1      1/4  blocks
      |                                                | PixelShuffle(4)
      +---- binary symmetric channel, random BER ----> edge map, logits (B,1,H,W)

Nonlinear transform coding (Ballé et al., IEEE JSTSP 2021, arXiv:2007.03034) quantises the
transform's output and codes it with a learned entropy model. At 0.02 bits a pixel a thumbnail's map
has some hundred bits, and the first wrong one would end an entropy-coded stream. So the quantiser
has two levels and a fixed number of planes: every bit stands for itself, and transform and
synthesis are trained together *through* a binary symmetric channel of random error rate (joint
source-channel coding with bits: Choi et al., "Neural joint source-channel coding", ICML 2019,
arXiv:1811.07557). The synthesis is told the error rate: what it sees is the mean of each sent bit
given the received one, (1 − 2·BER)·(±1).

Planes are ordered: in training the last ones are often left out, so fewer planes are a lower rate
of the same network, and lost bits are a mean of zero.

:class:`BitModel` says how likely each bit is given those before it, for the entropy-coded variant.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom_blocks.errors import require_range

STRIDE = 16  # pixels per position along each side
SLOPE = 0.1  # of the leaky rectifier
MEMORY = 0.01  # weight of a batch in the remembered mean and variance
MAX_BER = 0.5  # there a bit says nothing


@dataclass(frozen=True)
class TransformConfig:
    """planes: bits per position.  analysis, synthesis: channels at 1/4, 1/8 and 1/16."""

    planes: int = 7
    analysis: tuple[int, int, int] = (32, 64, 96)
    synthesis: tuple[int, int, int] = (32, 64, 96)
    context: int = 32

    def __post_init__(self) -> None:
        require_range("planes", self.planes, 1, 64)
        for name in ("analysis", "synthesis"):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)  # a card read from JSON brings lists
            require_range(f"number of {name} widths", len(values), 3, 3)
            for width in values:
                require_range("width", width, 4, 512)
        require_range("context", self.context, 4, 512)


class Block(nn.Module):
    """x + conv3x3(lrelu(conv3x3(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,h,w) to the same."""
        return F.leaky_relu(x + self.second(F.leaky_relu(self.first(x), SLOPE)), SLOPE)


def _upscale(source: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(source, 4 * width, 1), nn.PixelShuffle(2), nn.LeakyReLU(SLOPE))


class Standardise(nn.Module):
    """Each plane to mean 0 and variance 1, over the batch in training, else as remembered.

    Without it the planes run off to one sign each, the synthesis hears nothing new from them, and
    their gradient is gone. (nn.BatchNorm2d keeps a counter, which weights files here may not hold.)
    """

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(planes))
        self.register_buffer("variance", torch.ones(planes))
        self.shift = nn.Parameter(torch.zeros(planes))

    def forward(self, x: Tensor) -> Tensor:
        """(B,P,h,w) to the same."""
        x = x.float()
        mean, variance = self.mean, self.variance
        if self.training:
            variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
            with torch.no_grad():
                self.mean.lerp_(mean, MEMORY)
                self.variance.lerp_(variance, MEMORY)
        scale = (variance + 1e-4).rsqrt()
        return (x - mean.view(-1, 1, 1)) * scale.view(-1, 1, 1) + self.shift.view(-1, 1, 1)


class EdgeTransform(nn.Module):
    """Analysis and synthesis."""

    def __init__(self, config: TransformConfig) -> None:
        super().__init__()
        self.config = config
        a, s = config.analysis, config.synthesis

        def conv(source: int, width: int, stride: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(source, width, 3, stride, 1), nn.LeakyReLU(SLOPE))

        self.analysis = nn.Sequential(
            nn.PixelUnshuffle(4),
            conv(16, a[0], 1),
            Block(a[0]),
            conv(a[0], a[1], 2),
            Block(a[1]),
            conv(a[1], a[2], 2),
            Block(a[2]),
            Block(a[2]),
            nn.Conv2d(a[2], config.planes, 3, padding=1),
            Standardise(config.planes),
        )
        self.synthesis = nn.Sequential(
            nn.Conv2d(config.planes + 1, s[2], 3, padding=1),
            Block(s[2]),
            Block(s[2]),
            Block(s[2]),
            _upscale(s[2], s[1]),
            Block(s[1]),
            Block(s[1]),
            _upscale(s[1], s[0]),
            Block(s[0]),
            Block(s[0]),
            nn.Conv2d(s[0], 16, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def analyse(self, edges: Tensor) -> Tensor:
        """(B,1,H,W) in [0,1], sides multiples of STRIDE, to (B,P,H/16,W/16) before the sign."""
        return self.analysis(2 * edges)  # 0 where there is nothing: no bias to unlearn

    def synthesise(self, received: Tensor, ber: Tensor) -> Tensor:
        """Received ±1, 0 where lost (B,P,h,w), and error rates (B,) to logits (B,1,16h,16w)."""
        trust = (1 - 2 * ber).view(-1, 1, 1, 1)
        plane = trust.expand(-1, 1, *received.shape[-2:])
        return self.synthesis(torch.cat((received * trust, plane), 1))


def binarise(values: Tensor) -> Tensor:
    """sign(x) as ±1, what is sent."""
    return torch.where(values >= 0, 1.0, -1.0)


def binarise_at_random(values: Tensor, generator: torch.Generator) -> Tensor:
    """±1 with mean tanh(x), whose gradient passes: what is trained.

    Signs alone stay as they are first drawn: a bit must be able to try both values before the
    synthesis listens to it (Toderici et al., ICLR 2016, arXiv:1511.06085, section 3.1).
    """
    soft = torch.tanh(values)
    threshold = 2 * torch.rand(values.shape, generator=generator) - 1
    hard = torch.where(soft >= threshold, 1.0, -1.0)
    return soft + (hard - soft).detach()


def flips(shape: torch.Size, ber: Tensor, generator: torch.Generator) -> Tensor:
    """A binary symmetric channel: factors ±1 (B,P,h,w), −1 with probability ``ber`` (B,)."""
    wrong = torch.rand(shape, generator=generator) < ber.view(-1, 1, 1, 1)
    return 1 - 2 * wrong.float()


class BitModel(nn.Module):
    """How likely a bit is 1, given the bits before it.

    Bits come plane by plane, of each plane first the positions with even row + column (half 0),
    then the others (half 1): each of the 2·P groups is coded at once, given all groups before it.
    """

    def __init__(self, planes: int, width: int) -> None:
        super().__init__()
        self.planes = planes
        self.layers = nn.Sequential(
            nn.Conv2d(2 * planes, width, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, planes, 1),
        )

    def known(self, shape: torch.Size, plane: Tensor, half: Tensor) -> Tensor:
        """1 where a bit comes before group (plane, half), both (B,), else 0; (B,P,h,w)."""
        index = torch.arange(shape[1]).view(1, -1, 1, 1)
        plane, half = plane.view(-1, 1, 1, 1), half.view(-1, 1, 1, 1)
        first = parity(shape[2], shape[3])[None, None] == 0
        return ((index < plane) | ((index == plane) & (half == 1) & first)).float().expand(shape)

    def forward(self, bits: Tensor, known: Tensor) -> Tensor:
        """±1 bits (B,P,h,w), of which only ``known`` ones are looked at, to logits of being +1."""
        return self.layers(torch.cat((bits * known, known), 1))


def parity(height: int, width: int) -> Tensor:
    """(row + column) mod 2, int64 (h,w)."""
    return (torch.arange(height)[:, None] + torch.arange(width)[None]) % 2


class EdgeCodecNetworks(nn.Module):
    """Transform and entropy model, stored together."""

    def __init__(self, config: TransformConfig) -> None:
        super().__init__()
        self.config = config
        self.transform = EdgeTransform(config)
        self.bit_model = BitModel(config.planes, config.context)
