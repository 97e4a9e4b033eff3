# SPDX-License-Identifier: GPL-3.0-or-later
"""The differentiable link that the JSCC network trains through, and the draw of its conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from models.constellation import quantise
from models.jscc import Jscc
from models.mixing import unmix
from models.rates import RATE_PLANES
from models.symbols import kept_channels, receive, transmit

TRAIN_SNR_DB = (-2.0, 22.0)  # a little beyond the reported 1…19 dB, so that the ends are no corner
RATE_WEIGHTS = (0.12, 0.3, 0.46, 0.12)  # 1/24, 1/12, 1/6, 1/3: most to those compared with others
MISMATCH_SHARE, MISMATCH_DB = 0.15, 4.0  # the encoder's SNR is a stale estimate
MISTAKEN_SHARE = 0.08  # it takes an even channel for one that fades, or the other way round
FADING_SHARE = (
    0.14  # interleaved Rayleigh/Rice: SNR differs from symbol to symbol after equalisation
)
ERASURE_SHARE, ERASURE_MAX = 0.1, 0.4  # lost frames, interleaved
MIN_FADE = 0.01  # -20 dB: below, the receiver calls a symbol erased


class Condition(Protocol):
    """What every link draws: planes sent, what the encoder assumes of the channel, (B,) each."""

    @property
    def planes(self) -> Tensor: ...

    @property
    def encoder_snr_db(self) -> Tensor: ...

    @property
    def fading(self) -> Tensor: ...


@dataclass(frozen=True)
class Conditions:
    """What a batch meets; noise_var (B,L/2,h,w) is inf where nothing is received, the rest (B,)."""

    planes: Tensor
    encoder_snr_db: Tensor
    fading: Tensor
    noise_var: Tensor


def draw_conditions(
    shape: tuple[int, int, int, int], generator: torch.Generator, plain: bool = False
) -> Conditions:
    """Draw rates and channels for latents of ``shape`` (B,L,h,w).

    ``plain``: white noise and a true SNR for all, without the mismatch, fading and erasures above.
    """
    batch, latents, height, width = shape

    def rand(*size: int) -> Tensor:
        return torch.rand(*size, generator=generator)

    index = torch.multinomial(torch.tensor(RATE_WEIGHTS), batch, True, generator=generator)
    planes = torch.tensor(RATE_PLANES)[index]
    low, high = TRAIN_SNR_DB
    snr_db = low + (high - low) * rand(batch)
    noise_var = (10 ** (-snr_db / 10))[:, None, None, None].expand(-1, latents // 2, height, width)
    noise_var = noise_var.clone()
    sent = kept_channels(planes, latents)[:, ::2].bool()
    encoder_snr_db = snr_db.clone()
    uneven = torch.zeros(batch, dtype=torch.bool)
    kind = rand(batch)
    if not plain:
        stale = rand(batch) < MISMATCH_SHARE
        error = MISMATCH_DB * torch.randn(batch, generator=generator)
        encoder_snr_db = torch.where(stale, snr_db + error, snr_db)
        fading = (kind < FADING_SHARE).nonzero()[:, 0]
        if len(fading):
            size = (len(fading), latents // 2, height, width)
            scatter = rand(len(fading))[:, None, None, None]  # 1 = Rayleigh, 0 = line of sight
            real = torch.randn(size, generator=generator) * (scatter / 2).sqrt()
            imag = torch.randn(size, generator=generator) * (scatter / 2).sqrt()
            fade = (real + (1 - scatter).sqrt()).square() + imag.square()
            noise_var[fading] /= fade.clamp_min(MIN_FADE)
        erased = (kind > 1 - ERASURE_SHARE).nonzero()[:, 0]
        if len(erased):
            share = ERASURE_MAX * rand(len(erased))[:, None, None, None]
            lost = rand(len(erased), latents // 2, height, width) < share
            noise_var[erased] = noise_var[erased].masked_fill(lost, torch.inf)
        uneven = (kind < FADING_SHARE) | (kind > 1 - ERASURE_SHARE)
        uneven = uneven ^ (rand(batch) < MISTAKEN_SHARE)
    return Conditions(planes, encoder_snr_db, uneven, noise_var.masked_fill(~sent, torch.inf))


def through(
    model: Jscc,
    pictures: Tensor,
    conditions: Condition,
    channel: Callable[[Tensor], tuple[Tensor, Tensor]],
    shared_power: bool = False,
    hardness: float = math.inf,
) -> Tensor:
    """Encode (B,3,H,W) in [0,1], send unit-power latents (B,L,h,w) through ``channel``, decode.

    ``channel``: what was received, 0 where lost, and its noise variance (B,L/2,h,w), inf there.
    A model with a constellation sends its points, ``hardness`` as in :mod:`models.constellation`.
    The result is not clamped.
    """
    planes = conditions.planes
    known = conditions.encoder_snr_db, planes, conditions.fading
    latents = model.encode(pictures, *known)
    sent = transmit(latents, planes, shared_power)
    if model.config.bits_per_symbol:
        sent = quantise(sent, planes, model.config.bits_per_symbol, hardness, shared_power)
    received, noise_var = channel(sent)
    if model.config.bits_per_symbol:
        received, noise_var = unmix(received, noise_var, planes)
    whole = receive(received, noise_var, *known, shared_power)
    return model.decode(received, noise_var, whole)


def through_link(
    model: Jscc,
    pictures: Tensor,
    conditions: Conditions,
    generator: torch.Generator,
    shared_power: bool = False,
    hardness: float = math.inf,
) -> Tensor:
    """:func:`through` complex white noise of the conditions' variances."""

    def channel(sent: Tensor) -> tuple[Tensor, Tensor]:
        sigma = (conditions.noise_var / 2).sqrt().repeat_interleave(2, dim=1)  # per real dimension
        lost = torch.isinf(sigma)
        noise = torch.randn(sent.shape, generator=generator) * sigma.masked_fill(lost, 0.0)
        return (sent + noise).masked_fill(lost, 0.0), conditions.noise_var

    return through(model, pictures, conditions, channel, shared_power, hardness)
