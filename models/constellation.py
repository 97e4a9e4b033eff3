# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents as points of a square M-QAM constellation, soft while training, hard in use.

Per real dimension the points are c_j = Δ·(j - (N-1)/2), N = sqrt(M). The step Δ is WIDENING times
that which quantises a Gaussian best (J. Max, "Quantizing for minimum distortion", IRE Trans. 1960,
table II): the planes of latents are of unequal power, so their tails are heavy (kurtosis 6.4), and
what lies beyond the last point costs most. With hardness β

    soft(x) = sum over j of c_j·w_j,   w = softmax(-β·((x - c_j) / Δ)²)        (β → ∞: nearest)

and a picture's symbols are scaled to unit mean power again: the constellation is fixed up to that
one factor. Training raises β (:func:`hardness_at`) and ends with the nearest point forwards and
soft's gradient backwards.

Papers
* E. Agustsson et al., "Soft-to-hard vector quantization for end-to-end learning compressible
  representations", NeurIPS 2017, arXiv:1704.00648.
* T.-Y. Tung, D. Burth Kurka, M. Jankowski, D. Gündüz, "DeepJSCC-Q: constellation constrained deep
  joint source-channel coding", IEEE JSAIT 2022, arXiv:2206.08100.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.symbols import POWER_FLOOR, normalise_power
from semcom_blocks.errors import ConfigError

#: Bits per symbol → the best step for a Gaussian of unit variance per real dimension.
STEPS = {2: 1.596, 4: 0.9957, 6: 0.5860, 8: 0.3352}
WIDENING = 1.6  # the best of 1 to 2.5 for jscc-v1's pictures at 10 and 19 dB, 16- to 256-QAM
FIRST_HARDNESS, LAST_HARDNESS = 0.5, 20.0  # neighbours share a point; weights are all but 0 and 1
HARD_FROM = 0.8  # share of the training after which points are taken whole


def points(bits_per_symbol: int) -> Tensor:
    """The N levels of one real dimension for symbols of unit power, (N,), rising."""
    if bits_per_symbol not in STEPS:
        permitted = ", ".join(map(str, STEPS))
        raise ConfigError(f"bits_per_symbol is {bits_per_symbol}, permitted: {permitted}")
    count = 1 << (bits_per_symbol // 2)
    step = WIDENING * STEPS[bits_per_symbol] * math.sqrt(0.5)  # half the power in each dimension
    return step * (torch.arange(count) - (count - 1) / 2)


def hardness_at(done: float) -> float:
    """β after the share ``done`` of the training, 0 to 1: geometric, ``inf`` from HARD_FROM on."""
    if done >= HARD_FROM:
        return math.inf
    return FIRST_HARDNESS * (LAST_HARDNESS / FIRST_HARDNESS) ** (max(done, 0.0) / HARD_FROM)


def nearest(latents: Tensor, bits_per_symbol: int) -> Tensor:
    """The nearest level of every latent, same shape; no gradient."""
    levels = points(bits_per_symbol).to(latents)
    step = levels[1] - levels[0]
    index = ((latents.detach() - levels[0]) / step).round().clamp(0, len(levels) - 1)
    return levels[0] + index * step


def soft(latents: Tensor, bits_per_symbol: int, hardness: float) -> Tensor:
    """The mean of the levels under softmax weights, same shape."""
    levels = points(bits_per_symbol).to(latents)
    distance = ((latents[..., None] - levels) / (levels[1] - levels[0])).square()
    return (distance * -hardness).softmax(-1) @ levels


def quantise(
    latents: Tensor,
    kept: Tensor,
    bits_per_symbol: int,
    hardness: float = math.inf,
    shared: bool = False,
) -> Tensor:
    """Unit-power latents (B,L,h,w) → points of unit mean power, same shape.

    kept (B,L,1,1) and ``shared`` as in :func:`models.symbols.normalise_power`; channels that are
    not kept come back as 0. An infinite hardness gives points whole; where gradients are recorded
    theirs is that of LAST_HARDNESS.
    """
    if math.isinf(hardness):
        found = nearest(latents, bits_per_symbol)
        if latents.requires_grad:
            bent = soft(latents, bits_per_symbol, LAST_HARDNESS)
            found = bent + (found - bent).detach()
    else:
        found = soft(latents, bits_per_symbol, hardness)
    return normalise_power(found, kept, shared)


def on_points(symbols: NDArray[np.complex64], bits_per_symbol: int) -> NDArray[np.complex64]:
    """Unit-power symbols, any shape → the nearest points, scaled to unit mean power."""
    parts = torch.from_numpy(np.ascontiguousarray(symbols).view(np.float32))
    found = nearest(parts, bits_per_symbol).numpy().view(np.complex64)
    power = np.mean(np.square(np.abs(found)), dtype=np.float64)
    return found * np.float32(1 / math.sqrt(max(power, POWER_FLOOR)))
