# SPDX-License-Identifier: GPL-3.0-or-later
"""From noise to latents along the flow: few steps, of second order at the price of first.

z' = v(z, t) is followed from t = start down to 0. The first step is Euler's; each later one
extrapolates the velocity from the last two (Adams-Bashforth), so a step costs one evaluation.
Times are spaced as t = s·u / (1 + (s-1)·u) for u even in 0…start (P. Esser et al.,
arXiv:2403.03206, equation 23): s > 1 spends more steps where the picture takes shape.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from semcom_blocks.errors import require_range

MAX_STEPS = 1000
SHIFT = 1.0


def times(steps: int, start: float = 1.0, shift: float = SHIFT) -> list[float]:
    """``steps`` + 1 falling times from ``start`` to 0."""
    require_range("steps", steps, 1, MAX_STEPS)
    require_range("start", start, 0, 1)
    even_start = start / (shift - (shift - 1) * start)  # whose shifted time is ``start``
    even = [even_start * (1 - i / steps) for i in range(steps + 1)]
    return [shift * u / (1 + (shift - 1) * u) for u in even]


def follow(
    velocity: Callable[[Tensor, float], Tensor],
    z: Tensor,
    schedule: list[float],
    done: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Latents at the end of ``schedule`` from those at its start.

    ``velocity(z, t)``; ``done(steps done, steps)`` after each step.
    """
    steps = len(schedule) - 1
    before: Tensor | None = None
    for i, (t, following) in enumerate(pairwise(schedule)):
        v = velocity(z, t)
        slope = v
        if before is not None:
            ratio = (following - t) / (2 * (t - schedule[i - 1]))
            slope = v + ratio * (v - before)
        z = z + (following - t) * slope
        before = v
        if done:
            done(i + 1, steps)
    return z


def guided(
    model: Callable[[Tensor, Tensor, Tensor], Tensor], text: Tensor, guidance: float
) -> Callable[[Tensor, float], Tensor]:
    """Velocity under classifier-free guidance; an empty text is all pads.

    ``model(z, t, text)`` with t (B,); both evaluations share a batch. Guidance 1 needs only one.
    """

    def velocity(z: Tensor, t: float) -> Tensor:
        if guidance == 1:
            return model(z, torch.full((len(z),), t), text)
        both = torch.cat([text, torch.zeros_like(text)])
        v = model(torch.cat([z, z]), torch.full((2 * len(z),), t), both)
        with_text, without = v.chunk(2)
        return without + guidance * (with_text - without)

    return velocity
