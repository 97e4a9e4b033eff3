# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixing before a constellation: orthonormal, Gaussian, its way back with unequal noise."""

import pytest

torch = pytest.importorskip("torch")
from models.mixing import LOST_VARIANCE, mix, unmix  # noqa: E402

PLANES = torch.tensor([2, 4, 8, 2])
SIZES = [(8, 8), (16, 24), (11, 9), (1, 1), (8, 3)]


def latents(height, width, seed=0):
    """Of falling power from channel to channel; those not sent are 0."""
    x = torch.randn(4, 16, height, width, generator=torch.Generator().manual_seed(seed))
    x = x * 2.0 ** -torch.arange(16.0)[None, :, None, None]
    return x * (torch.arange(16)[None, :] < 2 * PLANES[:, None])[:, :, None, None]


def known(height, width, value=0.1):
    noise_var = torch.full((4, 8, height, width), value)
    return noise_var.masked_fill(
        (torch.arange(8)[None, :] >= PLANES[:, None])[:, :, None, None], torch.inf
    )


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_it_is_orthonormal_and_comes_back(height, width):
    x = latents(height, width)
    mixed = mix(x, PLANES)
    assert torch.allclose(mixed.square().sum((1, 2, 3)), x.square().sum((1, 2, 3)), rtol=1e-4)
    assert not mixed[0, 4:].any()
    back, noise_var = unmix(mixed, known(height, width), PLANES)
    assert torch.allclose(back, x, atol=1e-5)
    assert torch.allclose(noise_var, known(height, width))


def test_unequal_latents_become_alike_and_gaussian():
    x = latents(64, 64)[2:3]
    mixed = mix(x, PLANES[2:3])[0]
    power = mixed.square().mean((1, 2))
    assert power.max() < 1.3 * power.min()
    scaled = mixed / mixed.square().mean().sqrt()
    assert scaled.pow(4).mean() == pytest.approx(3, abs=0.15)
    plain = x[0] / x[0].square().mean().sqrt()
    assert plain.pow(4).mean() > 10


def test_unequal_noise_becomes_its_mean_and_lost_symbols_their_own_power():
    noise_var = known(8, 8)
    noise_var[1, 0] = 0.5  # one of four planes
    noise_var[2, :2] = torch.inf  # two of eight are lost
    back, mean = unmix(torch.zeros(4, 16, 8, 8), noise_var, PLANES)
    assert not back.any()
    assert torch.allclose(mean[1, :4], torch.tensor(0.2))
    assert torch.allclose(mean[2], torch.tensor((6 * 0.1 + 2 * LOST_VARIANCE) / 8))
    assert torch.isinf(mean[0, 2:]).all()


def test_a_lost_symbol_takes_a_little_of_everything():
    x = latents(8, 8)
    mixed = mix(x, PLANES)
    noise_var = known(8, 8, 1e-3)
    lost = torch.rand(noise_var.shape, generator=torch.Generator().manual_seed(1)) < 0.1
    mixed = mixed.masked_fill(lost.repeat_interleave(2, 1), 0.0)
    back, _ = unmix(mixed, noise_var.masked_fill(lost, torch.inf), PLANES)
    share = (back - x).square().sum() / x.square().sum()
    assert 0.05 < share < 0.15


def test_training_in_eight_bit_mantissas_leaves_symbols_exact():
    x = latents(8, 8).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        back, _ = unmix(mix(x, PLANES), known(8, 8), PLANES)
    assert back.dtype == torch.float32
    assert torch.allclose(back, x, atol=1e-5)
