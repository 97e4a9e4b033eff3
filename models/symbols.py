# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the network's latents and complex channel symbols: rates, power, order, reliability.

A rate is k/n, complex symbols per source value, n = 3·H·W. One latent position covers 48 source
values, so a rate R keeps the first 48·R symbol planes (one plane = two real latent channels).
Symbols are ordered plane by plane, row by row: a lower rate is a prefix of a higher one, up to the
power normalisation. SNR is Es/N0 per complex symbol; σ² is the noise variance of a complex symbol
(σ²/2 per real dimension), and symbols have unit average power per picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.jscc import PATCH, SNR_LOW_DB, scale_snr

RATES = ("1/24", "1/12", "1/6", "1/3")  # the descriptor carries the index
RATE_PLANES = tuple(PATCH // int(rate.split("/")[1]) for rate in RATES)  # 2, 4, 8, 16
POWER_FLOOR = 1e-12  # an all-zero latent must not divide by zero
SMALLEST_SHARE = 2.0**-6  # of the planes received; the condition saturates here


def normalise_power(latents: Tensor, kept: Tensor, shared: bool = False) -> Tensor:
    """Scale latents to unit mean power per complex symbol over the kept planes.

    latents (B,L,h,w); kept (B,L,1,1) of 0.0 and 1.0. Channels that are not kept come back as 0.
    ``shared``: one factor for the whole batch, as if its pictures were parts of one big picture
    (training only).
    """
    latents = latents * kept
    energy = latents.square().sum((1, 2, 3), keepdim=True)
    symbols = kept.sum(1, keepdim=True) / 2 * latents.shape[2] * latents.shape[3]
    if shared:
        energy, symbols = energy.sum(0, keepdim=True), symbols.sum(0, keepdim=True)
    return latents * (symbols / energy.clamp_min(POWER_FLOOR)).sqrt()


def kept_channels(planes: Tensor, latents: int) -> Tensor:
    """Mask (B,L,1,1) of 1.0 for the first 2·planes (B,) real channels."""
    index = torch.arange(latents, device=planes.device)
    return (index[None, :] < 2 * planes[:, None]).float()[:, :, None, None]


def shrink(latents: Tensor, noise_var: Tensor) -> tuple[Tensor, Tensor]:
    """The decoder's view of received latents (B,L,h,w) with σ² per symbol (B,L/2,h,w).

    σ² is ``inf`` for an erased symbol or a plane that was not sent; its latents must be 0.
    Returns √2·y/(1 + σ²), the linear MMSE estimate under unit power, same shape; and the
    reliability map (B,L/2,h,w), each symbol's SNR on the scale of :func:`models.jscc.scale_snr`,
    erased = -1.
    """
    trust = 1 / (1 + noise_var)  # 0 where erased
    shrunk = latents * 2**0.5 * trust.repeat_interleave(2, dim=1)
    snr_db = -10 * torch.log10(noise_var.clamp(1e-6, 1e6))
    reliability = scale_snr(torch.where(torch.isfinite(noise_var), snr_db, SNR_LOW_DB))
    return shrunk, reliability


def condition_of(noise_var: Tensor, encoder_snr_db: Tensor, planes: int) -> Tensor:
    """The decoder's condition (B,3) of a whole picture, each entry about -1…1.

    noise_var (B,P,h,w) with P ≤ ``planes``, the planes of the highest rate; encoder_snr_db (B,).
    Entries: the SNR that the encoder assumed; the mean of the SNR in dB over the symbols received,
    each within SNR_LOW_DB…SNR_HIGH_DB; log₂ of the share of all planes that was received.
    """
    received = torch.isfinite(noise_var)
    snr = scale_snr(-10 * torch.log10(noise_var.clamp(1e-6, 1e6)))
    count = received.sum((1, 2, 3))
    mean = torch.where(received, snr, 0.0).sum((1, 2, 3)) / count.clamp_min(1)
    mean = torch.where(count > 0, mean, -1.0)
    full = planes * noise_var.shape[2] * noise_var.shape[3]
    share = (count / full).clamp_min(SMALLEST_SHARE)
    return torch.stack([scale_snr(encoder_snr_db), mean, 1 + share.log2() / 1.5], dim=1)


def decoder_inputs(
    latents: Tensor, noise_var: Tensor, encoder_snr_db: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`shrink` and :func:`condition_of` of whole pictures, in the decoder's order."""
    condition = condition_of(noise_var, encoder_snr_db, noise_var.shape[1])
    return (*shrink(latents, noise_var), condition)
