# SPDX-License-Identifier: GPL-3.0-or-later
"""Strong coefficients ride with weak ones: what is lost with a symbol is little.

A coefficient that is sent alone is gone with its symbol, and a few coefficients hold most of a
picture. Channel l of the K = 2·planes that are sent and channel K-1-l, the l-th from the end, are
therefore turned by 45 degrees before they are sent:

    y_l = (x_l + x_m) / √2,     y_m = (x_l - x_m) / √2,     m = K-1-l, l < m

White noise does not see it, but where one of the two symbols is lost or faded the other still tells
the strong coefficient, to within the weak one (signal space diversity: J. Boutros and E. Viterbo,
IEEE Trans. Inf. Theory 1998; against lost packets: Jakubczak and Katabi, MobiCom 2011). Symbols of
all planes get powers that are less unequal, too. The gain's slots and their mates stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.transform import BLOCK


def mates_of(planes: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Index (B,L) of each channel's mate, itself where it is not sent; sign (B,L,1,1) of its own
    share, -1 for the weak one."""
    own = torch.arange(channels, device=planes.device)[None, :]
    count = 2 * planes[:, None]
    sent = own < count
    sign = torch.where(sent & (own >= planes[:, None]), -1.0, 1.0)
    return torch.where(sent, count - 1 - own, own), sign[:, :, None, None]


def _alone(mates: Tensor, height: int, width: int) -> Tensor:
    """Where latents are sent as they are: (B,L,h,w) of True and False."""
    device = mates.device
    corner = torch.zeros(height, width, dtype=torch.bool, device=device)
    corner[::BLOCK, ::BLOCK] = True
    own = torch.arange(mates.shape[1], device=device)[None, :]
    first = (own == 0) | (own == mates[:, :1])
    return (mates == own)[:, :, None, None] | (first[:, :, None, None] & corner)


def _of_mates(values: Tensor, mates: Tensor) -> Tensor:
    return values[torch.arange(len(values), device=values.device)[:, None], mates]


def turn(latents: Tensor, planes: Tensor) -> Tensor:
    """Latents (B,L,h,w) of which 2·planes (B,) channels are sent, in pairs; its own inverse."""
    mates, sign = mates_of(planes, latents.shape[1])
    turned = (sign * latents + _of_mates(latents, mates)) * 0.5**0.5
    return torch.where(_alone(mates, *latents.shape[2:]), latents, turned)


def estimate(heard: Tensor, trust: Tensor, power: Tensor, planes: Tensor) -> Tensor:
    """Linear MMSE estimate of what was turned, divided by ``power``: (B,L,h,w) each.

    heard: t·y per real dimension, t = 1/σ² of its noise (trust), 0 where nothing was received;
    power: variance A of each latent before it was turned. With B, t' and y' those of the mate

        x̂/A = (±(B·t' + 1)·t·y + (B·t + 1)·t'·y') / √2 / (A·B·t·t' + (A + B)/2·(t + t') + 1)
    """
    mates, sign = mates_of(planes, heard.shape[1])
    mate_trust, mate_power = _of_mates(trust, mates), _of_mates(power, mates)
    both = sign * (mate_power * mate_trust + 1) * heard
    both = (both + (mate_power * trust + 1) * _of_mates(heard, mates)) * 0.5**0.5
    among = power * mate_power * trust * mate_trust
    among = among + (power + mate_power) / 2 * (trust + mate_trust) + 1
    single = heard / (power * trust + 1)
    return torch.where(_alone(mates, *heard.shape[2:]), single, both / among)
