# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNR by its definition, MS-SSIM against torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from host.images import load_image
from host.metrics import MS_SSIM_WEIGHTS, ms_ssim, ms_ssim_scales, psnr_db, quality
from semcom_blocks.errors import ConfigError

PHOTO = load_image("chelsea").pixels


def noisy(image, sigma, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(image + rng.normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


def test_psnr_of_a_constant_error():
    grey = np.full((20, 30, 3), 100, np.uint8)
    for error in (1, 10, 100):
        assert psnr_db(grey, grey + np.uint8(error)) == pytest.approx(20 * np.log10(255 / error))
    white, black = np.full((4, 4, 3), 255, np.uint8), np.zeros((4, 4, 3), np.uint8)
    assert psnr_db(white, black) == psnr_db(black, white) == 0.0
    assert psnr_db(grey, grey) == np.inf


@pytest.mark.parametrize("sigma", [2, 10, 40])
def test_ms_ssim_agrees_with_torchmetrics(sigma):
    image = noisy(PHOTO, sigma)
    pair = [torch.from_numpy(a.transpose(2, 0, 1)[None].astype("f4")) for a in (image, PHOTO)]
    wanted = multiscale_structural_similarity_index_measure(*pair, data_range=255.0)
    value, scales = ms_ssim(PHOTO, image)
    assert scales == 5
    assert value == pytest.approx(float(wanted), abs=1e-4)


def test_ms_ssim_falls_with_noise_and_is_1_for_equals():
    values = [ms_ssim(PHOTO, noisy(PHOTO, sigma))[0] for sigma in (0, 5, 20, 80)]
    assert values[0] == pytest.approx(1.0, abs=1e-6)
    assert values == sorted(values, reverse=True)
    assert 0 <= values[-1] < 0.7


def test_an_inverted_picture_scores_nothing():
    assert ms_ssim(PHOTO, 255 - PHOTO)[0] < 0.05


@pytest.mark.parametrize(
    ("side", "scales"),
    [(1, 0), (10, 0), (11, 1), (21, 1), (22, 2), (44, 3), (88, 4), (175, 4), (176, 5), (1000, 5)],
)
def test_small_pictures_use_fewer_scales(side, scales):
    assert ms_ssim_scales((side, 2000, 3)) == ms_ssim_scales((2000, side, 3)) == scales
    if side < 200:
        picture = noisy(np.full((side, side + 3, 3), 128, np.uint8), 20)
        value, used = ms_ssim(picture, noisy(picture, 5))
        assert used == scales
        assert (value is None) == (scales == 0)
        assert value is None or 0 < value < 1


def test_weights_sum_to_one():
    assert sum(MS_SSIM_WEIGHTS) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        (PHOTO, PHOTO[1:]),
        (PHOTO.astype(np.float32), PHOTO),
        (PHOTO[..., :2], PHOTO[..., :2]),
        (PHOTO[:0], PHOTO[:0]),
        (PHOTO[..., 0], PHOTO[..., 0]),
    ],
)
def test_pairs_that_cannot_be_compared(reference, image):
    with pytest.raises(ConfigError, match="permitted"):
        quality(reference, image)
