# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSCC network: a picture to channel symbols and back, one model for all SNRs and rates.

::

    picture (B,3,H,W) in [0,1]                   received (B,L,h,w)   reliability (B,L/2,h,w)
      | PixelUnshuffle(4)                          | 1/(1+σ²)           |
      v                                            +---------------+----+
    u (B,48,h,w), h = H/4, w = W/4                 |               v
      |                                            |        conv3x3 (L + L/2 -> C)
      +--------------+                             |               v
      |              v                             |        N x [FiLM residual block] <- SNR here
      |       conv3x3 (48 -> C)                    |               v           and at the encoder,
      |              v                             |        conv3x3 (C -> 48)     share received
      |       N x [FiLM residual block] <- SNR     |               |
      v              v                             v               |
    conv1x1       conv3x3 (C -> L)               conv1x1 (L -> 48) |
      |              |                             |               |
      +----> + <-----+                             +-----> + <-----+
             v                                             v PixelShuffle(4)
    latents (B,L,h,w): channels 2j, 2j+1 are     picture (B,3,H,W)
    the real and imaginary part of plane j

    FiLM residual block: x + conv3x3(lrelu((1 + scale) * conv3x3(x) + shift)),
                         scale, shift = MLP(condition)

Choices, and why
* Everything runs at a quarter of the resolution: a convolution costs 16 times less than at full
  resolution, so that an hour of two processor cores is enough to train.
* The 1x1 paths start as the Karhunen-Loève transform of 4x4 patches (:meth:`Jscc.init_linear`), so
  training starts from the best linear code; the convolutional paths learn what it cannot do.
* SNR conditioning is the attention of ADJSCC *without* its global average pooling: the gate depends
  on the SNR, the rate and the erased share alone. The receptive field is finite
  (:attr:`JsccConfig.halo` latents), hence a big picture computed in overlapping tiles is the same
  as one computed whole, and no statistic of one corner reaches another.
* The encoder does not know the rate: lower rates are a prefix of the symbol planes, and a plane
  that was not sent looks to the decoder like one that was erased.

Papers
* E. Bourtsoulatze, D. Burth Kurka, D. Gündüz, "Deep joint source-channel coding for wireless image
  transmission", IEEE TCCN 2019, arXiv:1809.01733.
* J. Xu, B. Ai, W. Chen, A. Yang, P. Sun, M. Rodrigues, "Wireless image transmission using deep
  source channel coding with attention modules" (ADJSCC), IEEE TCSVT 2021, arXiv:2012.00533.
* D. Burth Kurka, D. Gündüz, "Bandwidth-agile image transmission with deep joint source-channel
  coding", IEEE TWC 2021, arXiv:2009.12480.
* E. Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018,
  arXiv:1709.07871.

Training: :mod:`host.train.jscc`; sizes and what was reached: ``models/weights/jscc-v1.card.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom_blocks.errors import ConfigError, require_range

STRIDE = 4  # pixels per latent along each side; the padding multiple
PATCH = 3 * STRIDE * STRIDE  # source values under one latent position
SNR_LOW_DB, SNR_HIGH_DB = -10.0, 25.0  # the condition saturates here: beyond lies no training data
CONSTELLATIONS = (0, 2, 4, 6, 8)  # bits per symbol; 0 is none
SLOPE = 0.1  # of the leaky rectifier


@dataclass(frozen=True)
class JsccConfig:
    """Sizes of the network.

    latents: real channels per 4x4 patch at the highest rate, 48·rate·2; even.
    width: channels C of the residual trunk.  blocks: residual blocks N on each side.
    bits_per_symbol: of the constellation that symbols are taken from (:mod:`models.constellation`);
    0: analog symbols.
    """

    latents: int = 32
    width: int = 128
    blocks: int = 4
    bits_per_symbol: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise ConfigError(f"{name} is {value!r}, permitted: an integer")
        require_range("latents", self.latents, 2, PATCH)
        require_range("latents modulo 2", self.latents % 2, 0, 0)
        require_range("width", self.width, 1, 1024)
        require_range("blocks", self.blocks, 0, 64)
        if self.bits_per_symbol not in CONSTELLATIONS:
            permitted = ", ".join(map(str, CONSTELLATIONS))
            raise ConfigError(f"bits_per_symbol is {self.bits_per_symbol}, permitted: {permitted}")

    @property
    def halo(self) -> int:
        """Radius of either side's receptive field in latents: every 3x3 convolution adds 1."""
        return 2 * self.blocks + 2


def scale_snr(snr_db: Tensor) -> Tensor:
    """Map an SNR in dB to -1…1, saturating at SNR_LOW_DB and SNR_HIGH_DB; any shape."""
    middle, half = (SNR_HIGH_DB + SNR_LOW_DB) / 2, (SNR_HIGH_DB - SNR_LOW_DB) / 2
    return (snr_db.clamp(SNR_LOW_DB, SNR_HIGH_DB) - middle) / half


class FilmBlock(nn.Module):
    """Residual block whose hidden channels are scaled and shifted by the channel's condition."""

    def __init__(self, width: int, conditions: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Sequential(
            nn.Linear(conditions, 32), nn.LeakyReLU(SLOPE), nn.Linear(32, 2 * width)
        )
        with torch.no_grad():  # start near the identity: without normalisation, depth stays tame
            self.second.weight.mul_(0.3)
            self.film[2].weight.mul_(0.3)
            self.film[2].bias.zero_()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x (B,C,h,w), condition (B,K) → (B,C,h,w)."""
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        return x + self.second(F.leaky_relu(torch.addcmul(shift, self.first(x), 1 + scale), SLOPE))


class JsccEncoder(nn.Module):
    """Picture (B,3,H,W) in [0,1] and SNR in dB (B,) → latents (B,L,H/4,W/4), not normalised.

    H and W are multiples of 4.
    """

    def __init__(self, config: JsccConfig) -> None:
        super().__init__()
        self.head = nn.Conv2d(PATCH, config.width, 3, padding=1)
        self.trunk = nn.ModuleList(FilmBlock(config.width, 1) for _ in range(config.blocks))
        self.tail = nn.Conv2d(config.width, config.latents, 3, padding=1)
        self.linear = nn.Conv2d(PATCH, config.latents, 1)
        nn.init.normal_(self.tail.weight, std=1e-3)
        nn.init.zeros_(self.tail.bias)

    def forward(self, picture: Tensor, snr_db: Tensor) -> Tensor:
        patches = F.pixel_unshuffle(picture - 0.5, STRIDE)  # (B,48,h,w)
        condition = scale_snr(snr_db)[:, None]
        x = self.head(patches)
        for block in self.trunk:
            x = block(x, condition)
        return self.tail(x).float() + self.linear(patches).float()


class JsccDecoder(nn.Module):
    """Received latents (B,L,h,w), reliability (B,L/2,h,w), condition (B,3) → picture (B,3,4h,4w).

    The inputs are made by :func:`models.symbols.decoder_inputs`.
    """

    def __init__(self, config: JsccConfig) -> None:
        super().__init__()
        self.head = nn.Conv2d(config.latents * 3 // 2, config.width, 3, padding=1)
        self.trunk = nn.ModuleList(FilmBlock(config.width, 3) for _ in range(config.blocks))
        self.tail = nn.Conv2d(config.width, PATCH, 3, padding=1)
        self.linear = nn.Conv2d(config.latents, PATCH, 1)
        nn.init.normal_(self.tail.weight, std=1e-3)
        nn.init.zeros_(self.tail.bias)

    def forward(self, latents: Tensor, reliability: Tensor, condition: Tensor) -> Tensor:
        x = self.head(torch.cat([latents, reliability], dim=1))
        for block in self.trunk:
            x = block(x, condition)
        patches = self.tail(x).float() + self.linear(latents).float()  # (B,48,h,w)
        return F.pixel_shuffle(patches, STRIDE) + 0.5


class Jscc(nn.Module):
    """Encoder and decoder together, as they are trained and stored."""

    def __init__(self, config: JsccConfig | None = None) -> None:
        super().__init__()
        self.config = config or JsccConfig()
        self.encoder = JsccEncoder(self.config)
        self.decoder = JsccDecoder(self.config)

    @torch.no_grad()
    def init_linear(self, pictures: Tensor, typical_latents: int = 16) -> None:
        """Start the 1x1 paths as the best linear code for ``pictures`` (B,3,H,W) in [0,1].

        With patch covariance V·diag(λ)·Vᵀ the encoder sends λᵢ^(-1/4)·vᵢᵀ(u - ū), the mean-square
        optimal power allocation at high SNR (K.-H. Lee and D. Petersen, "Optimal linear coding for
        vector channels", IEEE Trans. Commun. 1976), and the decoder inverts it for the power that
        the first ``typical_latents`` channels get after normalisation to 1/2 per real dimension.
        """
        patches = F.pixel_unshuffle(pictures - 0.5, STRIDE).permute(0, 2, 3, 1).reshape(-1, PATCH)
        mean = patches.mean(0)
        variance, basis = torch.linalg.eigh(torch.cov((patches - mean).T.double()))
        variance = variance.flip(0)[: self.config.latents].clamp_min(1e-6).float()
        basis = basis.flip(1)[:, : self.config.latents].T.float()  # (L,48), strongest first
        gain = variance**-0.25
        power = (gain**2 * variance)[:typical_latents].mean()
        gain = gain / (2 * power).sqrt()  # so that the normaliser starts near 1
        analysis = gain[:, None] * basis
        self.encoder.linear.weight.copy_(analysis[:, :, None, None])
        self.encoder.linear.bias.copy_(-analysis @ mean)
        synthesis = basis / gain[:, None] / 2**0.5  # the decoder sees unit power per real dimension
        self.decoder.linear.weight.copy_(synthesis.T[:, :, None, None])
        self.decoder.linear.bias.copy_(mean)
