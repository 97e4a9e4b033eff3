# SPDX-License-Identifier: GPL-3.0-or-later
"""The diffusion receiver: the generator's own flow, held at each step to what arrived.

No training of its own. On the way from noise (t = 1) to latents (t = 0) the flow says at each step
where it is heading, x̂ = z - t·v(z, t). What arrived corrects that before the step is taken::

    x' = x̂ + r²/(r² + s)·(y - x̂),     v' = (z - x')/t,     r² = t²/(t² + (1-t)²)

with s the variance of the noise of y, inf where lost, and r² about the variance of x̂: early, when
x̂ is a guess, even a noisy y counts; late, x̂ is better than y and stays. The step goes along v'.
At the end what arrived without noise is there as it arrived.

After J. Song et al., "Pseudoinverse-guided diffusion models for inverse problems", ICLR 2023
(its r²), without the gradient through the network; B. Kawar et al., "Denoising diffusion
restoration models", NeurIPS 2022, arXiv:2201.11793.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from models.generation.flow import Flow
from models.generation.sampler import guided, times
from models.receivers.received import Received
from semcom_blocks.errors import require_range

STEPS = 8
GUIDANCE = 2.0
MAX_STEPS = 64
MAX_GUIDANCE = 10.0


class DiffusionReceiver:
    """Inpainting and denoising with a flow that was trained for generation alone."""

    name = "diffusion"

    def __init__(self, flow: Flow, steps: int = STEPS, guidance: float = GUIDANCE) -> None:
        require_range("steps", steps, 1, MAX_STEPS)
        require_range("guidance", guidance, 0, MAX_GUIDANCE)
        self.flow = flow.eval()
        self.steps = steps
        self.guidance = guidance

    @torch.no_grad()
    def restore(self, received: Received, seed: int = 0) -> Tensor:
        """Draw what is lost around what arrived."""
        shape = received.latents.shape
        z = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        said = received.text.any().item()
        velocity = guided(self.flow, received.text, self.guidance if said else 1.0)
        for t, following in pairwise(times(self.steps)):
            aim = corrected(z - t * velocity(z, t), received, t)
            z = aim + (following / t) * (z - aim)
        return z


def corrected(aim: Tensor, received: Received, t: float) -> Tensor:
    """x' of x̂ at time t."""
    doubt = t**2 / (t**2 + (1 - t) ** 2)
    trust = doubt / (doubt + received.noise_var)  # 0 where lost
    return aim + trust * (received.latents - aim)
