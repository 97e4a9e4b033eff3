# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the network's latents and complex channel symbols: power, gain, order, reliability.

Symbols are ordered plane by plane, row by row: a lower rate is a prefix of a higher one, up to the
power that each coefficient gets. SNR is Es/N0 per complex symbol; σ² is the noise variance of a
complex symbol (σ²/2 per real dimension), and symbols have unit average power per picture.

A picture's latents are divided by their root mean square g, and the decoder has to know g: without
it, contrast is lost. log(g)/GAIN_SPREAD is therefore sent in the first entry of every block of the
transform, in all of them together with the energy of :func:`gain_energy`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.pairing import turn
from models.rates import MOST_PLANES, scale_planes
from models.transform import BLOCK

SNR_LOW_DB, SNR_HIGH_DB = -10.0, 25.0  # conditions saturate here: beyond lies no training data
POWER_FLOOR = 1e-12  # an all-zero latent must not divide by zero
SMALLEST_SHARE = 2.0**-6  # of the planes received; the condition saturates here
GAIN_SPREAD = 0.25  # standard deviation of log(g) over CIFAR-10 (0.25 at every rate and SNR)
GAIN_LOW, GAIN_HIGH = -24.0, 4.0  # standard deviations; a flat picture lies far below
GAIN_SHARE = 0.025  # of a small picture's power; of a big one's less
SMALLEST_REST = 0.02  # of the power for a picture itself
GAIN_REALS = 1024  # real dimensions of a picture that is big


class Reception(NamedTuple):
    """What a decoder knows of a whole picture; each (B,) but the condition.

    snr_db, fading: that the encoder assumed.  planes: that it sent.  gain: log(g)/GAIN_SPREAD as
    estimated, g what latents were divided by in the end.  heard: share of what was sent that was
    received.
    condition (B,6), each about -1…1: the assumed SNR; the mean of the SNR in dB over the symbols
    received, each within SNR_LOW_DB…SNR_HIGH_DB; log₂ of the share of all planes that was received;
    the gain; the planes; fading.
    """

    snr_db: Tensor
    planes: Tensor
    fading: Tensor
    gain: Tensor
    heard: Tensor
    condition: Tensor


def scale_snr(snr_db: Tensor) -> Tensor:
    """Map an SNR in dB to -1…1, saturating at SNR_LOW_DB and SNR_HIGH_DB; any shape."""
    middle, half = (SNR_HIGH_DB + SNR_LOW_DB) / 2, (SNR_HIGH_DB - SNR_LOW_DB) / 2
    return (snr_db.clamp(SNR_LOW_DB, SNR_HIGH_DB) - middle) / half


def kept_channels(planes: Tensor, latents: int) -> Tensor:
    """Mask (B,L,1,1) of 1.0 for the first 2·planes (B,) real channels."""
    index = torch.arange(latents, device=planes.device)
    return (index[None, :] < 2 * planes[:, None]).float()[:, :, None, None]


def _slots(grid: Tensor) -> Tensor:
    """The gain's entries of (B,P,h,w): the first latent of each block, (B,m,n)."""
    return grid[:, 0, ::BLOCK, ::BLOCK]


def _totals(values: Tensor, shared: bool) -> Tensor:
    """Sums over all but the first axis, (B,); ``shared``: over that one as well."""
    total = values.flatten(1).sum(1)
    return total.sum().expand_as(total) if shared else total


def gain_energy(symbols: Tensor) -> Tensor:
    """Energy E of the gain for pictures of so many complex symbols, in units of a real dimension.

    With K reals, a gain known to 1/sqrt(1 + E·snr) of its spread costs c/(E·snr) of picture error
    and E/K of power, so the best E grows with sqrt(K); for small pictures error grows as well.
    """
    reals = 2 * symbols
    return GAIN_SHARE * reals.minimum((GAIN_REALS * reals).sqrt())


def _marks(symbols: Tensor, blocks: Tensor) -> Tensor:
    """Amplitude (B,1,1) of the gain in each block."""
    return (gain_energy(symbols) / blocks).sqrt()[:, None, None]


def normalise_power(latents: Tensor, kept: Tensor, shared: bool = False) -> Tensor:
    """Scale latents to unit mean power per complex symbol over the kept planes.

    latents (B,L,h,w); kept (B,L,1,1) of 0.0 and 1.0. Channels that are not kept come back as 0.
    ``shared``: one factor for the whole batch, as if its pictures were parts of one big picture
    (training only).
    """
    latents = latents * kept
    energy = _totals(latents.square(), shared)
    symbols = _totals(kept.expand_as(latents), shared) / 2
    return latents * (symbols / energy.clamp_min(POWER_FLOOR)).sqrt()[:, None, None, None]


def transmit(latents: Tensor, planes: Tensor, shared: bool = False) -> Tensor:
    """Latents (B,L,h,w) of whole pictures → what is sent, same shape: gain, pairs, unit power.

    planes (B,) as the encoder got them; ``shared`` as in :func:`normalise_power`.
    """
    kept = kept_channels(planes, latents.shape[1])
    latents = latents * kept
    reals = _totals(kept.expand_as(latents), shared)
    level = (_totals(latents.square(), shared) / reals).clamp_min(POWER_FLOOR).sqrt()
    gain = (level.log() / GAIN_SPREAD).clamp(GAIN_LOW, GAIN_HIGH)
    blocks = _totals(torch.ones_like(_slots(latents)), shared)
    slots = torch.zeros_like(latents)
    value = _marks(reals / 2, blocks) * (gain * level)[:, None, None]
    _slots(slots).copy_(value.expand_as(_slots(slots)))
    return normalise_power(turn(latents + slots, planes), kept, shared)


def receive(
    received: Tensor,
    noise_var: Tensor,
    snr_db: Tensor,
    planes: Tensor,
    fading: Tensor,
    shared: bool = False,
) -> Reception:
    """Received latents (B,L,h,w) with σ² per symbol (B,L/2,h,w) of whole pictures → Reception.

    σ² is ``inf`` for an erased symbol or a plane that was not sent; its latents must be 0. L may
    end with the planes that were sent. The gain is the linear MMSE estimate under unit variance.
    """
    symbols = (planes * noise_var.shape[2] * noise_var.shape[3]).float()
    if shared:
        symbols = symbols.sum().expand_as(symbols)
    trust = 1 / _slots(noise_var)
    blocks = _totals(torch.ones_like(trust), shared)
    mark = _marks(symbols, blocks)
    found = _totals(mark * 2**0.5 * _slots(received) * trust, shared)
    seen = found / (1 + _totals(mark.square() * trust, shared))
    # What was seen has been divided by sqrt(1 + taken·inserted²) too, for the gain's own power.
    taken = gain_energy(symbols) / (2 * symbols)
    rest = (1 - taken * seen.square()).clamp_min(SMALLEST_REST)
    inserted = (seen / rest.sqrt()).clamp(GAIN_LOW, GAIN_HIGH)
    gain = inserted - rest.log() / (2 * GAIN_SPREAD)
    condition = condition_of(noise_var, snr_db, planes, fading, gain)
    heard = torch.isfinite(noise_var).sum((1, 2, 3)) / (planes * noise_var[0, 0].numel())
    return Reception(snr_db, planes, fading, gain, heard, condition)


def condition_of(
    noise_var: Tensor, snr_db: Tensor, planes: Tensor, fading: Tensor, gain: Tensor
) -> Tensor:
    """The condition (B,6) of :class:`Reception`."""
    heard = torch.isfinite(noise_var)
    snr = scale_snr(-10 * torch.log10(noise_var.clamp(1e-6, 1e6)))
    count = heard.sum((1, 2, 3))
    mean = torch.where(heard, snr, 0.0).sum((1, 2, 3)) / count.clamp_min(1)
    mean = torch.where(count > 0, mean, -1.0)
    share = count / (MOST_PLANES * noise_var.shape[2] * noise_var.shape[3])
    share = share.clamp_min(SMALLEST_SHARE).log2() / 1.5 + 1
    values = [scale_snr(snr_db), mean, share, (gain / 2).clamp(-2, 2), scale_planes(planes)]
    values.append(fading)
    return torch.stack([value.float() for value in values], dim=1)
