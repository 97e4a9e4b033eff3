# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates of the codec, and how much power each coefficient gets at a rate and an SNR.

A rate is k/n, complex symbols per source value, n = 3·H·W. One latent position covers 48 source
values, so a rate R sends the first 48·R symbol planes (one plane = two real latent channels).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from models.curves import HIGHEST_DB, LOWEST_DB, error_of
from models.transform import BLOCK, PATCH

RATES = ("1/24", "1/12", "1/6", "1/3")  # the descriptor carries the index
RATE_PLANES = tuple(PATCH // int(rate.split("/")[1]) for rate in RATES)  # 2, 4, 8, 16
MOST_PLANES = RATE_PLANES[-1]
KNOTS_DB = tuple(-2.0 + 3.0 * step for step in range(9))  # SNRs of the tables; linear in between
TABLE = (2, len(RATES), len(KNOTS_DB))  # for an even channel and for one that fades
MOST_CURVED = 4  # channels whose coefficients may take two symbols
CURVED = MOST_CURVED * BLOCK * BLOCK  # entries of a block


def curved_channels(planes: int, latents: int) -> int:
    """How many of the strongest channels may: a quarter of those sent, up to MOST_CURVED."""
    return min(2 * planes // 4, latents // 4, MOST_CURVED)


def scale_planes(planes: Tensor) -> Tensor:
    """Map the number of planes sent to -1…1 over the rates, by its logarithm; any shape."""
    low, high = RATE_PLANES[0], RATE_PLANES[-1]
    return torch.log2(planes.float() / (low * high) ** 0.5) / torch.log2(
        torch.tensor((high / low) ** 0.5)
    )


def at_condition(table: Tensor, snr_db: Tensor, planes: Tensor, fading: Tensor) -> Tensor:
    """Rows of a table (2,R,S,K) for SNRs, planes and whether it fades (B,): (B,K).

    Linear between KNOTS_DB, constant beyond; of the smallest rate that holds ``planes``.
    """
    steps = torch.tensor(RATE_PLANES[:-1], device=planes.device)
    rate = (planes[:, None] > steps).sum(1)
    place = (snr_db - KNOTS_DB[0]) / (KNOTS_DB[1] - KNOTS_DB[0])
    place = place.clamp(0, len(KNOTS_DB) - 1)
    low = place.floor().clamp_max(len(KNOTS_DB) - 2).long()
    table = table[fading.long(), rate]
    own = torch.arange(len(table), device=planes.device)
    return torch.lerp(table[own, low], table[own, low + 1], (place - low)[:, None])


def partners(planes: int, latents: int, per_channel: int) -> tuple[Tensor, Tensor, Tensor]:
    """Entries of a block that may be on curves, the mate of each, and the third, (N,) each.

    Of K = 2·planes channels sent, channel l of the first C has the mate K-1-l, as in
    :mod:`models.pairing`, and the third K-1-C-l. The gain's slot, entry 0, is left out.
    """
    channels, count = min(2 * planes, latents), curved_channels(planes, latents)
    strong = torch.arange(1, max(1, count * per_channel))
    own, place = strong // per_channel, strong % per_channel
    mate = (channels - 1 - own) * per_channel + place
    return strong, mate, mate - count * per_channel


def best_code(variance: Tensor, latents: int) -> tuple[Tensor, Tensor, Tensor]:
    """Amplitudes aᵢ ≥ 0 (2,R,S,K) for variances λ (K,), falling, and what is on curves.

    Curves: level in dB (2,R,S,CURVED), 0 where there is none, and 1 or 0 (2,R,S,CURVED) where they
    take three or two symbols. All are straight where the channel fades: what is lost or weaker than
    expected costs a straight line the least.

    At rate R the first n = K·min(2·planes, L)/L entries share one unit of power each,
    Σ pᵢ = n with p = a², such that the decoder's error is least. For a linear code with an LMMSE
    receiver that is

        Σ λᵢ/(1 + pᵢ·snr):     pᵢ = max(0, sqrt(λᵢ·snr/μ) - 1) / snr     with μ for the power

    (K.-H. Lee and D. Petersen, "Optimal linear coding for vector channels", IEEE Trans. Commun.
    1976). A strong coefficient may take the symbol of its mate, or of its mate and the third as
    well, which are then not sent: λ·D(p·snr/N) with the error D of a curve on N symbols. Each takes
    what costs least, error and μ times power of all three.
    """
    per_channel = len(variance) // latents
    amplitudes = torch.zeros(*TABLE, len(variance))
    levels, thirds = torch.zeros(2, *TABLE, CURVED)
    for r, planes in enumerate(RATE_PLANES):
        sent = len(variance) * min(2 * planes, latents) // latents
        strength = variance[:sent].double()
        places = partners(planes, latents, per_channel)
        for s, snr_db in enumerate(KNOTS_DB):
            snr = 10 ** (snr_db / 10)
            given, symbols = _within(sent, partial(_curved, strength, snr, places))
            amplitudes[0, r, s, :sent] = given.sqrt().float()
            strong = places[0]
            level = 10 * (given[strong] * snr / symbols).clamp_min(1e-9).log10()
            level = level.clamp(LOWEST_DB, HIGHEST_DB)
            levels[0, r, s, strong] = torch.where(symbols > 1, level, 0.0).float()
            thirds[0, r, s, strong] = (symbols == 3).float()
            given, _ = _within(sent, partial(_straight, strength, snr))
            amplitudes[1, r, s, :sent] = given.sqrt().float()
    return amplitudes, levels, thirds


Split = tuple[Tensor, Tensor]  # power of each coefficient, symbols that each strong one takes


def _within(budget: float, split: Callable[[float], Split]) -> Split:
    """The split whose cost of power μ is the least that keeps within the budget."""
    low, high = 1e-15, 1e9  # of μ, by bisection on its logarithm
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if split(middle)[0].sum() > budget else (low, middle)
    return split(high)


def _straight(strength: Tensor, snr: float, cost: float) -> Split:
    """The linear code where a unit of power costs so much error."""
    power = ((strength * snr / cost).sqrt() - 1).clamp_min(0) / snr
    return power, torch.ones_like(power)


def _curved(
    strength: Tensor, snr: float, places: tuple[Tensor, Tensor, Tensor], cost: float
) -> Split:
    """The same where strong coefficients may be on curves; ``places``: :func:`partners`."""
    strong, mate, third = places
    power = torch.logspace(-4, 5, 600, dtype=torch.float64)
    given, _ = _straight(strength, snr, cost)
    single = strength / (1 + given * snr) + cost * given
    two, three = (
        (strength[strong, None] * error_of(power * snr / n, n) + cost * power).min(1)
        for n in (2, 3)
    )
    costs = torch.stack(
        [
            single[strong] + single[mate] + single[third],
            two.values + strength[mate] + single[third],
            three.values + strength[mate] + strength[third],
        ]
    )
    symbols = 1 + costs.argmin(0)
    choices = torch.stack([given[strong], power[two.indices], power[three.indices]])
    given[strong] = choices.gather(0, symbols[None] - 1)[0]
    given[mate] *= symbols == 1
    given[third] *= symbols < 3
    return given, symbols
