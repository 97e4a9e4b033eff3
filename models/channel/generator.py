# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator: what to change of the robust LMMSE, given the received pilots and the SNR.

::

    condition (B,16,D) ──┬─ conv ↓2 ─┬─ conv ↓2 ─┬─ conv ↓2 ─┐
                         │           │           └─ deconv ↑2 (+ skip) ─┐
                         │           └──────────── deconv ↑2 (+ skip) ──┘
                         └─ output layer: deconv ↑2 (+ skip), conv, conv ─ power p over the delay
                                                                               │
                     residual = R (R + E)⁻¹ H_ls − H_lmmse,  R = Σ_d p_d s_d s_dᴴ + q I

The network paints the power-delay profile of this very frame over that of the received pilots, and
over the likely one among exponentials, and says what power q lies anywhere else. The last layer is
the Wiener filter of that profile, with E the error variances of LS on each carrier: so the network
decides what is signal and what is noise, and the filter does, exactly, what follows for the
carriers.
All convolutions take any length that 8 divides: one set of weights serves every numerology.

Source: three convolutions down, two deconvolutions up, an output layer and LeakyReLU as in
F. Jiang et al., "Large AI model empowered multimodal semantic communications", IEEE Commun. Mag.
63, 2025, section III-D; conditional GAN for channels as in Y. Dong, H. Wang, Y.-D. Yao, IEEE
Commun. Lett. 25, 2021; a filter whose covariance a network finds as in D. Neumann, T. Wiese,
W. Utschick, "Learning the MMSE channel estimator", IEEE Trans. Signal Process. 66, 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.channel.observed import CONDITION_CHANNELS, SEEN_POWER, Images, grid
from semcom_blocks.errors import require_range
from semcom_blocks.phy.numerology import Numerology

SLOPE = 0.2  # of LeakyReLU
LOG_POWERS = (-14.0, 14.0)  # of a delay, in σ²: beyond, nothing changes any more
MORE_BEYOND = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)  # in σ²
DOUBT = 6.0  # evidence that speaks for the network as it is
MOST_TRUST = 3.0  # logarithm of how often the likely profile counts


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
    """Images → residual on the start, complex64 (B,n), in σ and without the onset."""

    def __init__(self, config: GeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or GeneratorConfig()
        first, second, third = c.down
        self.down = nn.ModuleList(
            nn.Conv1d(a, b, k, stride=2, padding=k // 2)
            for a, b, k in ((CONDITION_CHANNELS, first, 7), (first, second, 5), (second, third, 5))
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose1d(a, b, 4, stride=2, padding=1)
            for a, b in ((third, second), (2 * second, first))
        )
        self.full = nn.ConvTranspose1d(2 * first, c.out, 4, stride=2, padding=1)
        self.mix = nn.Conv1d(c.out + CONDITION_CHANNELS, c.out, 5, padding=2)
        self.leave = nn.Conv1d(c.out, 3, 5, padding=2)

    def forward(self, images: Images) -> Tensor:
        """Complex64 (B,n)."""
        return (wiener(*self.profile(images), images) - images.start).to(torch.complex64)

    def profile(self, images: Images) -> tuple[Tensor, Tensor]:
        """Powers over the delay, float32 (B,D), and the power elsewhere (B,), in σ²."""
        x, skips = images.condition, []
        for layer in self.down:
            x = F.leaky_relu(layer(x), SLOPE)
            skips.append(x)
        for layer, skip in zip(self.up, skips[1::-1], strict=True):
            x = torch.cat((F.leaky_relu(layer(x), SLOPE), skip), dim=1)
        x = F.leaky_relu(self.full(x), SLOPE)
        x = F.leaky_relu(self.mix(torch.cat((x, images.condition), dim=1)), SLOPE)
        change, trust, beyond = self.leave(x).float().unbind(1)
        seen = images.condition[:, SEEN_POWER] - math.log(images.ls.shape[1])
        low, high = LOG_POWERS
        powers = (seen + change - 1).clamp(low, high).exp()
        powers = powers + images.likely * (trust - 1).clamp(low, MOST_TRUST).exp()
        return powers, (beyond.mean(1) - 4).clamp(low, high).exp()


def wiener(profile: Tensor, beyond: Tensor, images: Images) -> Tensor:
    """H_ls − E (R + E)⁻¹ H_ls, complex128 (B,n), for powers over the delay (B,D) and beyond (B,).

    R is Toeplitz but for the unused carrier: R[k,l] = r(k − l), r the transform of the profile.
    """
    ls = images.ls.to(torch.complex128)
    return ls - images.error.double() * torch.linalg.solve(_covariance(profile, beyond, images), ls)


def more_beyond(profile: Tensor, beyond: Tensor, images: Images) -> Tensor:
    """The power elsewhere that has the most evidence, of ``beyond`` and some larger ones; (B,).

    Evidence is −log det C − H_lsᴴ C⁻¹ H_ls with C = R + E. What the network has not painted, since
    it lies outside the images or is of a kind that it has not learnt, is at least not lost.
    """
    ls = images.ls.to(torch.complex128)[..., None]
    tried, evidence = [beyond + more for more in MORE_BEYOND], []
    for power in tried:
        factor, _ = torch.linalg.cholesky_ex(_covariance(profile, power, images))
        left = torch.linalg.solve_triangular(factor, ls, upper=False)
        height = torch.diagonal(factor, dim1=1, dim2=2).real.log().sum(dim=1)
        evidence.append(-2 * height - left.abs().square().sum(dim=(1, 2)))
    evidence[0] = evidence[0] + DOUBT
    best = torch.stack(evidence).argmax(dim=0)
    return torch.stack(tried).gather(0, best[None])[0]


def noise_freedom(profile: Tensor, beyond: Tensor, images: Images) -> np.ndarray:
    """tr E (R + E)⁻¹, float (B,): of n degrees of freedom those that :func:`wiener` calls noise."""
    inverse = torch.linalg.inv(_covariance(profile, beyond, images))
    diagonal = torch.diagonal(inverse, dim1=1, dim2=2).real
    return (images.error.double() * diagonal).sum(dim=1).numpy()


def _covariance(profile: Tensor, beyond: Tensor, images: Images) -> Tensor:
    """R + E, complex128 (B,n,n)."""
    transform, index = _lags(images.numerology)
    lags = profile.double().to(torch.complex128) @ transform
    diagonal = images.error.double() + beyond.double()[:, None]
    return lags[:, index] + torch.diag_embed(diagonal).to(torch.complex128)


@lru_cache(maxsize=16)
def _lags(numerology: Numerology) -> tuple[Tensor, Tensor]:
    """exp(−j 2π m d / N), complex128 (D,lags), and the lag k − l of each entry, int64 (n,n)."""
    k = numerology.carriers
    apart = k[:, None] - k[None, :]
    lags = np.arange(apart.min(), apart.max() + 1)
    turn = -2j * np.pi * np.outer(grid(numerology), lags) / numerology.fft_size
    return torch.from_numpy(np.exp(turn)), torch.from_numpy(apart - apart.min())
