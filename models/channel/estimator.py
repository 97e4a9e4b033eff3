# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel estimator that the model service runs: LS fits in, responses out.

    Ĥ = H_lmmse + s · σ · G(pilots, SNR),        0 ≤ s ≤ 1

s is 1 unless the estimate would contradict what was received. With w the weights of the LS values,

    misfit(s) = Σ_k w_k |H_ls,k − Ĥ_k|² / σ_n²

is about n for the true channel, with a standard deviation of sqrt(n + n²/f) where the noise
variance was estimated with f degrees of freedom. Beyond three of these s is the largest that is
not: so a network that meets what it has not learnt is never far worse than the LMMSE.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.channel.generator import Generator, GeneratorConfig
from models.channel.observed import Observed, images
from models.generation.loading import load_network
from models.weights_io import WEIGHTS_DIR
from semcom_blocks.errors import ModelError
from semcom_blocks.phy import estimators
from semcom_blocks.phy.known import KnownCells
from semcom_blocks.phy.numerology import Numerology

NAME = "cgan-v1"
L2_NAME = "cgan-l2-v1"
DEVIATIONS = 3.0  # of the misfit: one true channel in some thousands has more


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
        change = (self.network(seen) * seen.turn).numpy() * observed.sigma[:, None]
        if not np.isfinite(change).all():
            raise ModelError(f"{self.name}: estimate is not finite")
        share = consistent_share(observed, change, freedom)
        return (observed.start + share[:, None] * change).astype(np.complex64)

    def estimate_known(
        self, received: KnownCells, reference: KnownCells, numerology: Numerology
    ) -> np.ndarray:
        """One frame's response complex64 (n,) from its known cells, as a receiver has them."""
        ls, weight, noise_var = estimators.fit_known(received, reference, numerology)
        freedom = received.rows.size + received.comb.size - numerology.n_used
        observed = Observed.of(ls[None], weight[None], np.array([noise_var]), numerology)
        return self.estimate(observed, np.array([max(freedom, 1)]))[0]


def consistent_share(observed: Observed, change: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """The largest share s of ``change`` (B,n), 0 to 1, that the received pilots allow; (B,)."""
    precision = observed.weight / np.maximum(observed.noise_var, 1e-30)[:, None]
    left = observed.ls - observed.start
    count = observed.ls.shape[1]
    bound = count + DEVIATIONS * np.sqrt(count + count**2 / np.maximum(freedom, 1))
    # misfit(s) = a s² − 2 b s + c
    a = np.sum(precision * np.abs(change) ** 2, axis=1)
    b = np.sum(precision * (np.conj(change) * left).real, axis=1)
    c = np.sum(precision * np.abs(left) ** 2, axis=1)
    bound = np.maximum(bound, c)  # a start that is beyond already: no further away
    root = np.sqrt(np.maximum(b**2 - a * (c - bound), 0))
    return np.clip((b + root) / np.maximum(a, 1e-30), 0, 1)
