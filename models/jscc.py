# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSCC network: a picture to channel symbols and back, one model for all SNRs and rates.

::

    picture (B,3,H,W) in [0,1]            received (B,L,h,w), noise variance (B,L/2,h,w)
      | - mean                              |
      +--------> trunk                      | mean of each coefficient given what was received
      |            |                        v
      v            |                      x spread, inverse block transform
      + <----------+                        |
      v                                     +--------> trunk
    block transform (32x32 DCT)             |            |
      | / spread                            v            |
      v x amplitude; strong ones bent       + <----------+
    latents (B,L,h,w), h = H/4, w = W/4     v + mean
    channels 2j, 2j+1 are the real and    picture (B,3,H,W)
    imaginary part of plane j

    trunk: PixelUnshuffle(4), conv3x3 (48 -> C), N gated residual blocks, conv3x3 (C -> 48),
           PixelShuffle(4)
    half of a gated block:
           u, v = split(FiLM(conv3x3(norm(x))));    x + conv1x1(u * (1 + v))

Choices, and why
* What theory knows is solved, not learned: a block transform sorts the picture into coefficients
  by their variance, and they get the power that is best for a Gaussian source at the SNR and the
  rate (:func:`models.rates.best_code`). A linear code would give each one symbol; strong ones here
  take two or three, along a curve (:mod:`models.curves`). The receiver computes the mean of each
  given what it heard. Training starts from this code and refines its tables; the convolutions
  learn what it cannot do, before and behind it.
* The trunks run at a quarter of the resolution: a convolution costs 16 times less than at full
  resolution.
* SNR conditioning is the attention of ADJSCC *without* its global average pooling: the gate depends
  on SNR, rate, fading, erased share and gain alone. The receptive field is finite
  (:attr:`JsccConfig.halo` latents), hence a big picture computed in overlapping tiles is the same
  as one computed whole, and no statistic of one corner reaches another.
* A lower rate is a prefix of the symbol planes, and a plane that was not sent looks to the decoder
  like one that was erased; but the encoder knows the rate and shares out its power accordingly.

Papers
* E. Bourtsoulatze, D. Burth Kurka, D. Gündüz, "Deep joint source-channel coding for wireless image
  transmission", IEEE TCCN 2019, arXiv:1809.01733.
* J. Xu, B. Ai, W. Chen, A. Yang, P. Sun, M. Rodrigues, "Wireless image transmission using deep
  source channel coding with attention modules" (ADJSCC), IEEE TCSVT 2021, arXiv:2012.00533.
* D. Burth Kurka, D. Gündüz, "Bandwidth-agile image transmission with deep joint source-channel
  coding", IEEE TWC 2021, arXiv:2009.12480.
* L. Chen, X. Chu, X. Zhang, J. Sun, "Simple baselines for image restoration" (gated blocks),
  ECCV 2022, arXiv:2204.04676.
* E. Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018,
  arXiv:1709.07871.

Training: :mod:`host.train.jscc`; sizes and what was reached: ``models/weights/jscc-v3.card.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.rates import TABLE, at_condition, best_code, scale_planes
from models.strong import StrongPairs
from models.symbols import GAIN_SPREAD, Reception, scale_snr
from models.transform import BLOCK, PATCH, STRIDE, BlockTransform
from semcom_blocks.errors import ConfigError, require_range

CONSTELLATIONS = (0, 2, 4, 6, 8)  # bits per symbol; 0 is none
SLOPE = 0.1  # of the leaky rectifier
CONTRAST = 4.0  # pixels have a standard deviation of about a quarter
FILM_WIDTH = 32
ENCODER_CONDITIONS, DECODER_CONDITIONS = 3, 6
SMALLEST_VARIANCE = 1e-7  # of a coefficient: far below a rounding step of 8-bit pictures
SMALLEST_NOISE = 1e-6  # 60 dB
#: Curves are drawn for an SNR, from node to node: a symbol is trusted so much more than that, and
#: not beyond what nodes are close enough for.
MOST_SURPRISE_DB, BEST_DRAWN_DB = 10.0, 23.0
#: Share of the symbols sent from which on the decoder's trunk knows what it sees, and below which
#: it makes things worse.
TRAINED_HEARD, LEAST_HEARD = 0.6, 0.2


@dataclass(frozen=True)
class JsccConfig:
    """Sizes of the network.

    latents: real channels per 4x4 patch at the highest rate, 48·rate·2; even.
    width: channels C of the trunks, even.
    encoder_blocks, decoder_blocks: gated blocks N on each side.
    bits_per_symbol: of the constellation that symbols are taken from (:mod:`models.constellation`);
    0: analog symbols.
    """

    latents: int = 32
    width: int = 128
    encoder_blocks: int = 3
    decoder_blocks: int = 4
    bits_per_symbol: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise ConfigError(f"{name} is {value!r}, permitted: an integer")
        require_range("latents", self.latents, 2, PATCH)
        require_range("latents modulo 2", self.latents % 2, 0, 0)
        require_range("width", self.width, 2, 1024)
        require_range("width modulo 2", self.width % 2, 0, 0)
        require_range("encoder_blocks", self.encoder_blocks, 0, 64)
        require_range("decoder_blocks", self.decoder_blocks, 0, 64)
        if self.bits_per_symbol not in CONSTELLATIONS:
            permitted = ", ".join(map(str, CONSTELLATIONS))
            raise ConfigError(f"bits_per_symbol is {self.bits_per_symbol}, permitted: {permitted}")

    @property
    def halo(self) -> int:
        """What a tile needs around it, in latents: the trunks' reach in whole blocks.

        Every 3x3 convolution adds 1; the transform on the other side of a trunk takes whole blocks.
        """
        reach = 2 * max(self.encoder_blocks, self.decoder_blocks) + 2
        return -(-reach // BLOCK) * BLOCK


def channel_norm(x: Tensor) -> Tensor:
    """Each position's C channels to mean 0 and variance 1: (B,C,h,w), channels last inside."""
    return F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],)).permute(0, 3, 1, 2)


class GatedBlock(nn.Module):
    """Two gated residual steps whose hidden channels are scaled and shifted by the condition."""

    def __init__(self, width: int, conditions: int) -> None:
        super().__init__()
        self.wide = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Conv2d(width // 2, width, 1) for _ in range(2))
        self.film = nn.Sequential(
            nn.Linear(conditions, FILM_WIDTH),
            nn.LeakyReLU(SLOPE),
            nn.Linear(FILM_WIDTH, 4 * width),
        )
        with torch.no_grad():  # start near the identity
            for conv in self.narrow:
                conv.weight.mul_(0.3)
            self.film[2].weight.mul_(0.3)
            self.film[2].bias.zero_()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x (B,C,h,w), condition (B,K) → (B,C,h,w)."""
        film = self.film(condition)[:, :, None, None].chunk(4, dim=1)
        for step in range(2):
            scale, shift = film[2 * step : 2 * step + 2]
            # The convolution's result comes first, so that channels stay last in memory.
            hidden = self.wide[step](channel_norm(x)) * (1 + scale) + shift
            content, gate = hidden.chunk(2, dim=1)
            x = x + self.narrow[step](content * (1 + gate))
        return x


class Trunk(nn.Module):
    """Picture (B,3,4h,4w) about 0 → its correction, same shape, float32."""

    def __init__(self, width: int, blocks: int, conditions: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(PATCH, width, 3, padding=1)
        self.blocks = nn.ModuleList(GatedBlock(width, conditions) for _ in range(blocks))
        self.tail = nn.Conv2d(width, PATCH, 3, padding=1)
        nn.init.normal_(self.tail.weight, std=1e-3)
        nn.init.zeros_(self.tail.bias)

    def forward(self, picture: Tensor, condition: Tensor) -> Tensor:
        kind = self.head.weight.dtype  # bfloat16 where the codec computes in it
        x = self.head(F.pixel_unshuffle(picture * CONTRAST, STRIDE).to(kind))
        for block in self.blocks:
            x = block(x, condition.to(kind))
        return F.pixel_shuffle(self.tail(x).float(), STRIDE)


class Side(nn.Module):
    """What encoder and decoder each own: a trunk and the tables of its code.

    amplitude (2,R,S,64·L): of each coefficient at unit variance, by fading, rate and SNR.
    log_spread (64·L,): log of the coefficients' standard deviations.  mean (3,): of the colours.
    """

    def __init__(self, config: JsccConfig, blocks: int, conditions: int) -> None:
        super().__init__()
        entries = config.latents * BLOCK * BLOCK
        self.trunk = Trunk(config.width, blocks, conditions)
        self.mean = nn.Parameter(torch.full((3,), 0.5))
        self.amplitude = nn.Parameter(torch.ones(*TABLE, entries))
        self.log_spread = nn.Parameter(torch.zeros(entries))

    def tables(self) -> list[nn.Parameter]:
        """Known from the start, so they are refined in small steps."""
        return [self.mean, self.amplitude, self.log_spread]


class Jscc(nn.Module):
    """Encoder and decoder together, as they are trained and stored."""

    def __init__(self, config: JsccConfig | None = None) -> None:
        super().__init__()
        self.config = config or JsccConfig()
        self.transform = BlockTransform(self.config.latents)
        self.strong = StrongPairs(self.config.latents)
        self.encoder = Side(self.config, self.config.encoder_blocks, ENCODER_CONDITIONS)
        self.decoder = Side(self.config, self.config.decoder_blocks, DECODER_CONDITIONS)

    def encode(self, picture: Tensor, snr_db: Tensor, planes: Tensor, fading: Tensor) -> Tensor:
        """Picture (B,3,H,W) in [0,1] → latents (B,L,h,w).

        Of each, (B,): SNR in dB, planes to be sent, and whether the SNR is that of a channel which
        fades or loses symbols (bool).

        H and W are multiples of 4. Latents are neither normalised nor is their gain inserted:
        :func:`models.symbols.transmit`.
        """
        side = self.encoder
        condition = torch.stack([scale_snr(snr_db), scale_planes(planes), fading.float()], dim=1)
        picture = picture - side.mean[:, None, None]
        picture = picture + side.trunk(picture, condition)
        with torch.autocast(picture.device.type, enabled=False):  # a sum of 3072 terms
            latents = self.transform(picture)
            ranks = self.transform.ranks(*latents.shape[2:])
            unit = latents * (-side.log_spread).exp()[ranks]
            known = snr_db, planes, fading
            amplitude = at_condition(side.amplitude, *known)[:, ranks]
            plan = self.strong.plan(*known, ranks)
            return self.strong.bend(unit, amplitude, plan)

    def decode(self, received: Tensor, noise_var: Tensor, whole: Reception) -> Tensor:
        """Received latents (B,L,h,w) and noise (B,L/2,h,w), all or a part → picture (B,3,4h,4w).

        noise_var is σ² per complex symbol, inf where nothing was received and the latent is 0.
        ``whole``: what :func:`models.symbols.receive` found in the whole picture. With amplitude
        a, spread s, gain g and y = √2·received, a coefficient that is sent alone is estimated as

            y · s·a·g / (a² + g²·σ²)

        and one of a pair as :func:`models.pairing.estimate` says.
        """
        side = self.decoder
        with torch.autocast(received.device.type, enabled=False):
            ranks = self.transform.ranks(*received.shape[2:])
            known = whole.snr_db, whole.planes, whole.fading
            amplitude = at_condition(side.amplitude, *known)[:, ranks]
            gain = (GAIN_SPREAD * whole.gain).exp()[:, None, None, None]
            best_db = (whole.snr_db + MOST_SURPRISE_DB).clamp_max(BEST_DRAWN_DB)
            least = 10 ** (-best_db.maximum(whole.snr_db) / 10)
            least = torch.where(whole.fading, SMALLEST_NOISE, least.clamp_min(SMALLEST_NOISE))
            trust = 1 / noise_var.maximum(least[:, None, None, None])
            trust = trust.repeat_interleave(2, dim=1)
            scaled = amplitude / gain
            heard = 2**0.5 * received * trust
            plan = self.strong.plan(*known, ranks)
            unit = self.strong.find(heard, trust, scaled, plan, whole.planes)
            linear = self.transform.inverse(side.log_spread.exp()[ranks] * unit)
        learned = ((whole.heard - LEAST_HEARD) / (TRAINED_HEARD - LEAST_HEARD)).clamp(0, 1)
        correction = learned[:, None, None, None] * side.trunk(linear, whole.condition)
        return linear + correction + side.mean[:, None, None]

    @torch.no_grad()
    def init_code(self, pictures: Tensor) -> None:
        """Start as the best code without trunks for blocks (B,3,32,32) in [0,1]."""
        self.transform.measure(pictures)
        mean = pictures.mean((0, 2, 3))
        entries = self.transform(pictures - mean[:, None, None])  # (B,L,8,8)
        variance = entries.flatten(1).square().mean(0)
        variance[0] = variance[1]  # the slot of the gain takes its share of the power
        variance = variance.clamp_min(SMALLEST_VARIANCE)
        amplitude, level, third = best_code(variance, self.config.latents)
        self.strong.level.copy_(level)
        self.strong.third.copy_(third)
        for side in (self.encoder, self.decoder):
            side.mean.copy_(mean)
            side.amplitude.copy_(amplitude)
            side.log_spread.copy_(variance.log() / 2)
