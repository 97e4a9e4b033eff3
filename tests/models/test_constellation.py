# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantised symbols: the constellation's points, the way from soft to hard, its gradient."""

import copy
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models import constellation  # noqa: E402
from models.constellation import hardness_at, nearest, points, quantise, soft  # noqa: E402
from models.jscc import CONSTELLATIONS, JsccConfig  # noqa: E402
from models.symbols import kept_channels, normalise_power  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402

# Signal to distortion in dB of a Gaussian at its best uniform step: Max 1960, table II.
DISTORTION_DB = {2: 4.40, 4: 9.25, 6: 14.27, 8: 19.38}


def gaussian(*shape, seed=0):
    """Latents of unit power per complex symbol."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * math.sqrt(0.5)


@pytest.mark.parametrize("bits", constellation.STEPS)
def test_levels_are_even_symmetric_and_the_best_for_a_gaussian(bits):
    levels = points(bits)
    assert len(levels) ** 2 == 2**bits
    assert torch.allclose(levels, -levels.flip(0))
    x = gaussian(200_000)
    error = (nearest(x, bits) - x).square().mean() / x.square().mean()
    assert -10 * math.log10(error) == pytest.approx(DISTORTION_DB[bits], abs=0.05)


def test_soft_turns_into_the_nearest_point():
    x = gaussian(4, 8, 5, 5)
    far = [(soft(x, 6, beta) - nearest(x, 6)).abs().mean() for beta in (0.5, 5.0, 50.0, 5000.0)]
    assert far == sorted(far, reverse=True)
    assert far[-1] < 1e-3
    assert constellation.LAST_HARDNESS > constellation.FIRST_HARDNESS


def test_hardness_rises_to_the_end():
    found = [hardness_at(done) for done in np.linspace(0, 1, 21)]
    assert found == sorted(found)
    assert found[0] == constellation.FIRST_HARDNESS
    assert math.isinf(hardness_at(constellation.HARD_FROM))
    assert hardness_at(-1.0) == found[0]


@pytest.mark.parametrize("hardness", [1.0, math.inf])
def test_quantised_symbols_have_unit_power_and_unsent_ones_stay_zero(hardness):
    planes = torch.tensor([2, 2, 2])
    sent = normalise_power(gaussian(3, 8, 6, 6), kept_channels(planes, 8))
    found = quantise(sent, planes, 4, hardness)
    assert not found[:, 4:].any()
    power = found[:, :4].square().sum((1, 2, 3)) / (2 * 36)
    assert torch.allclose(power, torch.ones(3), atol=1e-5)
    if math.isinf(hardness):
        assert len(found[0, :4].unique()) == 4


def test_whole_points_pass_a_gradient_on():
    x = gaussian(1, 4, 6, 6).requires_grad_()
    planes = torch.tensor([2])
    found = quantise(x, planes, 6)
    assert torch.allclose(found, quantise(x.detach(), planes, 6), atol=1e-6)
    (found * gaussian(1, 4, 6, 6, seed=1)).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad != 0).float().mean() > 0.9


@pytest.mark.parametrize("bits", [4, 6, 8])  # rounded to a sign, noise and symbol are not apart
def test_the_codecs_symbols_lie_on_the_grid_and_tell_the_picture(tiny_codec, photos, bits):
    """Rounding adds white noise of Max's distortion, and costs what that noise costs."""
    photo = photos["chelsea"][:64, :96]
    codec = copy.copy(tiny_codec)
    codec.bits_per_symbol = bits
    symbols, descriptor = codec.encode(photo, "1/6", 10.0)
    assert symbols.dtype == np.complex64
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1, abs=1e-5)
    assert len(np.unique(symbols.real.round(4))) <= 1 << (bits // 2)
    variance = np.full(symbols.size, 10 ** (-DISTORTION_DB[bits] / 10), np.float32)
    got = codec.decode(symbols, variance, descriptor)
    analog, described = tiny_codec.encode(photo, "1/6", 10.0)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((symbols.size, 2)) @ np.array([1, 1j]) * np.sqrt(variance / 2)
    wanted = tiny_codec.decode((analog + noise).astype(np.complex64), variance, described)
    errors = [np.mean((picture.astype(float) - photo) ** 2) for picture in (got, wanted)]
    assert errors[0] < 1.6 * errors[1]


def test_other_constellations_are_refused():
    assert set(CONSTELLATIONS) == {0, *constellation.STEPS}
    with pytest.raises(ConfigError, match="bits_per_symbol is 3"):
        points(3)
    with pytest.raises(ConfigError, match="bits_per_symbol is 5"):
        JsccConfig(bits_per_symbol=5)
