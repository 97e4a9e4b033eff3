# SPDX-License-Identifier: GPL-3.0-or-later
"""How natural pictures look, measured on features of a named network and on their gradients.

The network is an encoder of ours, so a distance carries its name: figures compare among themselves,
never with published LPIPS or FID values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from models.generation.vae import Vae

Features = NDArray[np.float64]  # (places, channels)
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def encoder_features(vae: Vae, picture: NDArray[np.uint8]) -> Features:
    """Last features of the autoencoder's encoder before the latents, at every fourth pixel."""
    import torch

    from models.pictures import picture_tensor

    height, width = (side // 4 * 4 for side in picture.shape[:2])
    with torch.no_grad():
        x: Tensor = 2 * picture_tensor(picture[:height, :width]) - 1
        for layer in list(vae.encoder)[:-1]:
            x = layer(x)
    return x[0].flatten(1).T.double().numpy()


def feature_distance(a: Features, b: Features) -> float:
    """Mean square distance of features, each position's scaled to unit length, 0…4."""
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in (a, b)]
    return float(np.square(unit[0] - unit[1]).sum(1).mean())


def frechet_distance(a: Features, b: Features) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2·(C1·C2)^½) of two sets of features (M. Heusel et al., 2017)."""
    means = a.mean(0) - b.mean(0)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # C1·C2 has the eigenvalues of a positive semidefinite matrix; what is not real is rounding.
    eigenvalues = np.linalg.eigvals(first @ second).real.clip(min=0)
    trace = np.trace(first) + np.trace(second) - 2 * np.sqrt(eigenvalues).sum()
    return float(means @ means + trace)


def gradients(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Magnitudes of the luminance's gradient between neighbours, in levels of 255."""
    luma = picture.astype(np.float64) @ LUMA
    down, across = np.diff(luma, axis=0)[:, :-1], np.diff(luma, axis=1)[:-1]
    return np.hypot(down, across).ravel()


def wasserstein(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Mean distance of the sorted values of two samples of one size."""
    return float(np.abs(np.sort(a) - np.sort(b)).mean())
