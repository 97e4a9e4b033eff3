# SPDX-License-Identifier: GPL-3.0-or-later
"""How close a received picture is to the one that was sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate1d

from semcom_blocks.errors import ConfigError

PEAK = 255.0
# Wang, Simoncelli and Bovik, "Multiscale structural similarity", 2003, section 3.2.
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11  # pixels a side of the Gaussian window of SSIM (same authors, 2004)
WINDOW_SIGMA = 1.5


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
    """How many of the five scales fit: the coarsest must still hold one window; 0 below it."""
    side = min(shape[:2])
    fitting = [n for n in range(1, len(MS_SSIM_WEIGHTS) + 1) if side >> (n - 1) >= WINDOW]
    return max(fitting, default=0)


def ms_ssim(reference: np.ndarray, image: np.ndarray) -> tuple[float | None, int]:
    """Multi-scale SSIM in 0…1 and the number of scales it used, for uint8 (H, W, 3).

        product over scales j of mean(cs_j)^w_j, at the coarsest mean(l·cs)^w  (their eq. 7)

    Means are over pixels and colours; a negative one counts as 0. Pictures too small
    for five scales use the finest ones that fit, their weights scaled to sum to 1:
    comparable among themselves, not with full MS-SSIM.
    """
    scales = ms_ssim_scales(reference.shape)
    if scales == 0:
        return None, 0
    weights = np.array(MS_SSIM_WEIGHTS[:scales])
    weights /= weights.sum()
    # One colour at a time: a third of the memory.
    means = [_scale_means(reference[..., c], image[..., c], scales) for c in range(3)]
    return float(np.prod(np.maximum(np.mean(means, axis=0), 0) ** weights)), scales


def _scale_means(x: np.ndarray, y: np.ndarray, scales: int) -> list[float]:
    """Mean contrast-structure term of each scale, of the coarsest the whole SSIM; both (H, W)."""
    x, y = x.astype(np.float32), y.astype(np.float32)
    found = []
    for scale in range(scales):
        luminance, contrast = _ssim_terms(x, y)
        last = scale == scales - 1
        found.append(float(np.mean(luminance * contrast if last else contrast)))
        x, y = _halved(x), _halved(y)
    return found


def _ssim_terms(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance and contrast-structure maps of two pictures (H, W), where the window fits."""
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x**2
    var_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance, (2 * covariance + c2) / (var_x + var_y + c2)


def _blur(image: np.ndarray) -> np.ndarray:
    """The Gaussian window, as one row and one column: 22 taps for 121."""
    half = WINDOW // 2
    taps = np.exp(-((np.arange(-half, half + 1) / WINDOW_SIGMA) ** 2) / 2)
    taps /= taps.sum()
    rows = correlate1d(image, taps, axis=0)[half:-half]
    return correlate1d(rows, taps, axis=1)[:, half:-half]


def _halved(image: np.ndarray) -> np.ndarray:
    """Mean of each 2 x 2 pixels; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in image.shape)
    quads = image[:height, :width].reshape(height // 2, 2, width // 2, 2)  # h dy w dx
    return quads.mean(axis=(1, 3))


def quality(reference: np.ndarray, image: np.ndarray) -> Quality:
    """PSNR and MS-SSIM of ``image`` against ``reference``, uint8 (H, W, 3)."""
    check_pair(reference, image)
    value, scales = ms_ssim(reference, image)
    return Quality(psnr_db(reference, image), value, scales)
