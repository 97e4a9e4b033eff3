# SPDX-License-Identifier: GPL-3.0-or-later
"""How close a received picture is to the one that was sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semcom_blocks.errors import ConfigError

PEAK = 255.0
# Wang, Simoncelli and Bovik, "Multiscale structural similarity", 2003, section 3.2.
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11  # the Gaussian window of SSIM, sigma 1.5


@dataclass(frozen=True)
class Quality:
    """``psnr_db`` is infinite for equal pictures; ``ms_ssim`` is ``None`` below 11 pixels."""

    psnr_db: float
    ms_ssim: float | None
    ms_ssim_scales: int


def check_pair(reference: np.ndarray, image: np.ndarray) -> None:
    """Raise ``ConfigError`` unless both are uint8 (H, W, 3) of one size."""
    for name, array in (("reference", reference), ("image", image)):
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
            raise ConfigError(f"{name} is {array.dtype} {array.shape}, permitted: uint8 (H, W, 3)")
    if reference.shape != image.shape:
        raise ConfigError(f"image is {image.shape}, permitted: the reference's {reference.shape}")


def psnr_db(reference: np.ndarray, image: np.ndarray) -> float:
    """``10·log10(255² / MSE)`` in dB over all pixels and colours of two uint8 pictures."""
    error = reference.astype(np.int16) - image.astype(np.int16)
    mse = float(np.mean(np.square(error, dtype=np.int32), dtype=np.float64))
    return float("inf") if mse == 0 else float(10 * np.log10(PEAK**2 / mse))


def ms_ssim_scales(shape: tuple[int, ...]) -> int:
    """How many of the five scales fit: the coarsest must still hold one window.

    0 if not even the finest does. torchmetrics asks for a little more than the
    window at five scales (176 pixels), so its rule is obeyed too.
    """
    side = min(shape[:2])
    for scales in range(len(MS_SSIM_WEIGHTS), 0, -1):
        fits_window = side // 2 ** (scales - 1) >= WINDOW
        fits_torchmetrics = side // max(1, scales - 1) ** 2 > WINDOW - 1
        if fits_window and fits_torchmetrics:
            return scales
    return 0


def ms_ssim(reference: np.ndarray, image: np.ndarray) -> tuple[float | None, int]:
    """Multi-scale SSIM in 0…1 and the number of scales it used.

    Pictures too small for five scales use the finest ones that fit, their weights
    scaled to sum to 1: comparable among themselves, not with full MS-SSIM.
    """
    scales = ms_ssim_scales(reference.shape)
    if scales == 0:
        return None, 0
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    weights = np.array(MS_SSIM_WEIGHTS[:scales])
    pair = [
        torch.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1))).float().unsqueeze(0)  # 1 3 H W
        for a in (image, reference)
    ]
    with torch.inference_mode():
        value = multiscale_structural_similarity_index_measure(
            *pair,
            data_range=PEAK,
            betas=tuple(float(w) for w in weights / weights.sum()),
            normalize="relu",
        )
    return float(value), scales


def quality(reference: np.ndarray, image: np.ndarray) -> Quality:
    """PSNR and MS-SSIM of ``image`` against ``reference``, uint8 (H, W, 3)."""
    check_pair(reference, image)
    value, scales = ms_ssim(reference, image)
    return Quality(psnr_db(reference, image), value, scales)
