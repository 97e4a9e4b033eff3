# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates of the codec, and how much power each coefficient gets at a rate and an SNR.

A rate is k/n, complex symbols per source value, n = 3·H·W. One latent position covers 48 source
values, so a rate R sends the first 48·R symbol planes (one plane = two real latent channels).
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.transform import PATCH

RATES = ("1/24", "1/12", "1/6", "1/3")  # the descriptor carries the index
RATE_PLANES = tuple(PATCH // int(rate.split("/")[1]) for rate in RATES)  # 2, 4, 8, 16
MOST_PLANES = RATE_PLANES[-1]
KNOTS_DB = (-2.0, 4.0, 10.0, 16.0, 22.0)  # SNRs of the tables; linear in between
TABLE = (len(RATES), len(KNOTS_DB))


def scale_planes(planes: Tensor) -> Tensor:
    """Map the number of planes sent to -1…1 over the rates, by its logarithm; any shape."""
    low, high = RATE_PLANES[0], RATE_PLANES[-1]
    return torch.log2(planes.float() / (low * high) ** 0.5) / torch.log2(
        torch.tensor((high / low) ** 0.5)
    )


def at_condition(table: Tensor, snr_db: Tensor, planes: Tensor) -> Tensor:
    """Rows of a table (R,S,K) for SNRs and planes (B,): (B,K).

    Linear between KNOTS_DB, constant beyond; of the smallest rate that holds ``planes``.
    """
    steps = torch.tensor(RATE_PLANES[:-1], device=planes.device)
    rate = (planes[:, None] > steps).sum(1)
    place = (snr_db - KNOTS_DB[0]) / (KNOTS_DB[1] - KNOTS_DB[0])
    place = place.clamp(0, len(KNOTS_DB) - 1)
    low = place.floor().clamp_max(len(KNOTS_DB) - 2).long()
    return torch.lerp(table[rate, low], table[rate, low + 1], (place - low)[:, None])


def best_amplitudes(variance: Tensor, latents: int) -> Tensor:
    """Amplitudes aᵢ ≥ 0 (R,S,K) of coefficients with variances λ (K,), strongest first.

    At rate R the first K·min(2·planes, L)/L coefficients share one unit of power each,
    mean(a²) = 1, such that the linear MMSE decoder's error Σ λᵢ/(1 + aᵢ²·snr) is least:

        aᵢ² = max(0, sqrt(λᵢ·snr/μ) - 1) / snr      with μ for the power

    (K.-H. Lee and D. Petersen, "Optimal linear coding for vector channels", IEEE Trans. Commun.
    1976). The rest get 0.
    """
    rows = torch.zeros(*TABLE, len(variance))
    for r, planes in enumerate(RATE_PLANES):
        sent = len(variance) * min(2 * planes, latents) // latents
        strength = variance[:sent].double()
        for s, snr_db in enumerate(KNOTS_DB):
            snr = 10 ** (snr_db / 10)
            low, high = 1e-15, 1e9  # of μ, by bisection on its logarithm
            for _ in range(100):
                middle = (low * high) ** 0.5
                power = ((strength * snr / middle).sqrt() - 1).clamp_min(0) / snr
                low, high = (middle, high) if power.sum() > sent else (low, middle)
            rows[r, s, :sent] = power.sqrt().float()
    return rows
