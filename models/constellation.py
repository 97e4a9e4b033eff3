# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents as points of a square M-QAM constellation, soft while training, hard in use.

Symbols are mixed first (:mod:`models.mixing`): they are near to Gaussian. Per real dimension
the points are c_j = Δ·(j - (N-1)/2), N = sqrt(M), with the step Δ that quantises a Gaussian best
(J. Max, "Quantizing for minimum distortion", IRE Trans. 1960, table II). With hardness β

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

import torch
from torch import Tensor

from models.mixing import mix
from models.symbols import kept_channels, normalise_power
from semcom_blocks.errors import ConfigError

#: Bits per symbol → the best step for a Gaussian of unit variance per real dimension.
STEPS = {2: 1.596, 4: 0.9957, 6: 0.5860, 8: 0.3352}
FIRST_HARDNESS, LAST_HARDNESS = 0.5, 20.0  # neighbours share a point; weights are all but 0 and 1
HARD_FROM = 0.8  # share of the training after which points are taken whole


def points(bits_per_symbol: int) -> Tensor:
    """The N levels of one real dimension for symbols of unit power, (N,), rising."""
    if bits_per_symbol not in STEPS:
        permitted = ", ".join(map(str, STEPS))
        raise ConfigError(f"bits_per_symbol is {bits_per_symbol}, permitted: {permitted}")
    count = 1 << (bits_per_symbol // 2)
    step = STEPS[bits_per_symbol] * math.sqrt(0.5)  # half the power in each dimension
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
    planes: Tensor,
    bits_per_symbol: int,
    hardness: float = math.inf,
    shared: bool = False,
) -> Tensor:
    """Unit-power latents (B,L,h,w), 2·planes (B,) sent → mixed points of unit mean power.

    ``shared`` as in :func:`models.symbols.normalise_power`; channels that are not sent come back as
    0. An infinite hardness gives points whole; where gradients are recorded theirs is that of
    LAST_HARDNESS.
    """
    mixed = mix(latents, planes)
    if math.isinf(hardness):
        found = nearest(mixed, bits_per_symbol)
        if mixed.requires_grad:
            bent = soft(mixed, bits_per_symbol, LAST_HARDNESS)
            found = bent + (found - bent).detach()
    else:
        found = soft(mixed, bits_per_symbol, hardness)
    return normalise_power(found, kept_channels(planes, latents.shape[1]), shared)
