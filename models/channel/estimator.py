# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel estimator that the model service runs: LS fits in, responses out.

    Ĥ = H_lmmse + σ · G(pilots, SNR)

with two guards, so that a network that meets what it has not learnt is hardly ever worse than LS.
First, what was received may be evidence of more power outside the painted profile; its filter then
has that. Second, an estimate that contradicts what was received is drawn back,

    H_ls + t (Ĥ − H_ls),      misfit = Σ_k w_k |H_ls,k − Ĥ_k|² / σ_n²,

w being the weights of the LS values. The misfit is about m = tr E (R + E)⁻¹, the degrees of freedom
that the filter calls noise, if its profile is right, with a standard deviation of sqrt(m + m²/f)
where the noise variance was estimated with f degrees of freedom. Where it is larger, t < 1 makes it
what it is at one deviation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.channel.generator import (
    Generator,
    GeneratorConfig,
    more_beyond,
    noise_freedom,
    wiener,
)
from models.channel.observed import Observed, grid, images
from models.generation.loading import load_network
from models.weights_io import WEIGHTS_DIR
from semcom_blocks.errors import ModelError
from semcom_blocks.phy import estimators
from semcom_blocks.phy.known import KnownCells
from semcom_blocks.phy.numerology import Numerology

NAME = "cgan-v1"
L2_NAME = "cgan-l2-v1"
DEVIATIONS = 1.0  # of the misfit


class ChannelEstimator:
    """The generator with its guard."""

    def __init__(self, network: Generator, name: str = NAME) -> None:
        self.network = network.eval().requires_grad_(False)
        self.name = name

    @classmethod
    def load(cls, name: str = NAME, directory: Path = WEIGHTS_DIR) -> ChannelEstimator:
        """With the weights of ``name``; :class:`ModelError` if they are not there or not whole."""
        return cls(load_network(Generator, GeneratorConfig, name, directory), name)

    @torch.inference_mode()
    def estimate(self, observed: Observed, freedom: np.ndarray) -> np.ndarray:
        """Responses complex64 (B,n).

        ``freedom`` (B,): degrees of freedom of ``noise_var``, known cells less carriers.
        Raises :class:`ModelError` where the network gives what is not finite.
        """
        seen = images(observed)
        powers, beyond = self.network.profile(seen)
        profile = powers, more_beyond(powers, beyond, seen)
        change = (wiener(*profile, seen) - seen.start) * seen.turn
        response = observed.start + change.numpy() * observed.sigma[:, None]
        if not np.isfinite(response).all():
            raise ModelError(f"{self.name}: estimate is not finite")
        share = consistent_share(observed, response, noise_freedom(*profile, seen), freedom)
        return (observed.ls + share[:, None] * (response - observed.ls)).astype(np.complex64)

    def estimate_known(
        self, received: KnownCells, reference: KnownCells, numerology: Numerology
    ) -> np.ndarray:
        """One frame's response complex64 (n,) from its known cells, as a receiver has them."""
        grid(numerology)  # refuses what takes too long
        ls, weight, noise_var = estimators.fit_known(received, reference, numerology)
        freedom = received.rows.size + received.comb.size - numerology.n_used
        observed = Observed.of(ls[None], weight[None], np.array([noise_var]), numerology)
        return self.estimate(observed, np.array([max(freedom, 1)]))[0]


def consistent_share(
    observed: Observed, response: np.ndarray, noisy: np.ndarray, freedom: np.ndarray
) -> np.ndarray:
    """t of each response (B,n) whose filter calls ``noisy`` (B,) degrees of freedom noise; (B,)."""
    precision = observed.weight / np.maximum(observed.noise_var, 1e-30)[:, None]
    misfit = np.sum(precision * np.abs(observed.ls - response) ** 2, axis=1)
    bound = noisy + DEVIATIONS * np.sqrt(noisy + noisy**2 / np.maximum(freedom, 1))
    return np.minimum(1, np.sqrt(bound / np.maximum(misfit, 1e-30)))
