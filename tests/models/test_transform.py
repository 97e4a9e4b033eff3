# SPDX-License-Identifier: GPL-3.0-or-later
"""The block transform: orthonormal, sorted, the same for any size, against SciPy's DCT."""

import numpy as np
import pytest
from scipy.fft import dctn

torch = pytest.importorskip("torch")
from models.transform import BLOCK, PATCH, BlockTransform, dct_matrix  # noqa: E402

SIZES = [(32, 32), (64, 96), (4, 4), (40, 68), (36, 32), (12, 100)]


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def smooth(count, height, width, seed=0):
    coarse = torch.rand(
        count, 3, 2 + height // 8, 2 + width // 8, generator=torch.Generator().manual_seed(seed)
    )
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic") - 0.5


@pytest.mark.parametrize("size", [3, 4, 32])
def test_the_matrix_is_the_orthonormal_dct(size):
    matrix = dct_matrix(size)
    assert torch.allclose(matrix @ matrix.T, torch.eye(size), atol=1e-5)
    x = noise(size)
    assert np.allclose((matrix @ x).numpy(), dctn(x.numpy(), norm="ortho"), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_with_all_channels_only_the_gains_slots_are_missing(height, width):
    """48 channels hold every coefficient of a block but the weakest, whose place the gain has."""
    transform = BlockTransform(PATCH)
    picture = smooth(2, height, width)
    latents = transform(picture)
    assert latents.shape == (2, PATCH, height // 4, width // 4)
    slots = latents[:, 0, ::BLOCK, ::BLOCK]
    assert not slots.any()
    missing = picture.square().sum() - latents.square().sum()
    assert 0 <= missing < 1e-3 * picture.square().sum()
    back = transform.inverse(latents)
    assert (back - picture).square().sum() == pytest.approx(float(missing), rel=0.02, abs=1e-4)


def test_a_whole_block_is_scipys_dct_sorted_by_variance():
    transform = BlockTransform(8)
    pictures = noise(200, 3, 32, 32) * torch.linspace(0.1, 1, 32)  # stronger to the right
    transform.measure(pictures)
    expected = dctn(pictures.double().numpy(), axes=(1, 2, 3), norm="ortho").reshape(200, -1)
    latents = transform(pictures).reshape(200, -1)
    assert latents.shape[1] == 8 * 64
    order = np.argsort(-transform.log_variance.reshape(-1).numpy(), kind="stable")[: 8 * 64 - 1]
    assert np.allclose(latents[:, 1:].numpy(), expected[:, order], atol=1e-4)
    power = latents[:, 1:].square().mean(0)
    assert power[:100].mean() > power[-100:].mean()


def test_variances_survive_float16_and_give_the_same_order():
    transform = BlockTransform(32)
    transform.measure(smooth(50, 32, 32) + 0.01 * noise(50, 3, 32, 32))
    stored = transform.log_variance.half().float()
    assert torch.equal(stored, transform.log_variance)


def test_other_weights_bring_their_own_order():
    """An order that was found before must not outlive the variances that it came from."""
    first, second = BlockTransform(16), BlockTransform(16)
    picture = smooth(1, 32, 32)
    first(picture)
    second.measure(noise(100, 3, 32, 32))
    first.load_state_dict(second.state_dict())
    assert torch.equal(first(picture), second(picture))


def test_a_prefix_of_channels_holds_most_of_a_smooth_picture():
    transform = BlockTransform(PATCH)
    transform.measure(smooth(100, 32, 32))
    picture = smooth(4, 40, 44, seed=5)
    energy = transform(picture).square().sum((0, 2, 3)).cumsum(0) / picture.square().sum()
    assert energy[3] > 0.95


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 24), (11, 9), (1, 1)])
def test_ranks_run_through_a_block_from_the_strongest_on(height, width):
    transform = BlockTransform(32)
    ranks = transform.ranks(height, width)
    assert ranks.shape == (32, height, width)
    assert ranks.min() == 0
    assert ranks.max() < 32 * 64
    block = ranks[:, :BLOCK, :BLOCK].reshape(-1)
    assert torch.all(block.diff() >= 0)
    if height >= BLOCK and width >= BLOCK:
        assert torch.equal(block, torch.arange(32 * 64))
