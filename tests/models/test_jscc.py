# SPDX-License-Identifier: GPL-3.0-or-later
"""The network itself: its linear start, its finite reach, its conditions."""

import pytest

torch = pytest.importorskip("torch")
from models.jscc import STRIDE, Jscc, JsccConfig, scale_snr  # noqa: E402
from models.symbols import (  # noqa: E402
    condition_of,
    decoder_inputs,
    kept_channels,
    normalise_power,
    shrink,
)
from semcom_blocks.errors import ConfigError  # noqa: E402


def smooth_pictures(count=16, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, side // 8, side // 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, side, mode="bicubic").clamp(0, 1)


def test_untrained_it_is_already_the_linear_code():
    """Smooth patches have few components: at 1/6 and 60 dB hardly anything is missing."""
    torch.manual_seed(0)
    model = Jscc(JsccConfig(width=16, blocks=2))
    pictures = smooth_pictures()
    model.init_linear(pictures)
    snr_db = torch.full((16,), 60.0)
    kept = kept_channels(torch.full((16,), 8), 32)
    noise_var = torch.full((16, 16, 8, 8), 1e-6)
    noise_var[:, 8:] = torch.inf
    with torch.no_grad():
        latents = normalise_power(model.encoder(pictures, snr_db), kept, shared=True)
        decoded = model.decoder(*decoder_inputs(latents, noise_var, snr_db))
    assert (decoded - pictures).square().mean() < 0.01 * pictures.var()


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_the_receptive_field_is_the_halo(side):
    torch.manual_seed(1)
    config = JsccConfig(latents=8, width=8, blocks=2)
    model = Jscc(config)
    torch.nn.init.normal_(model.encoder.tail.weight)
    torch.nn.init.normal_(model.decoder.tail.weight)
    size, middle = 4 * config.halo + 1, 2 * config.halo
    cells = torch.zeros(1, 8, size, size)
    if side == "encoder":
        x = torch.zeros(1, 3, size * STRIDE, size * STRIDE, requires_grad=True)
        out = model.encoder(x, torch.tensor([5.0]))
        out[0, :, middle, middle].sum().backward()
        reach = torch.nn.functional.max_pool2d(x.grad.abs().amax(1, keepdim=True), STRIDE)[0, 0]
    else:
        cells.requires_grad_()
        out = model.decoder(cells, torch.zeros(1, 4, size, size), torch.zeros(1, 3))
        out[0, :, middle * STRIDE, middle * STRIDE].sum().backward()
        reach = cells.grad.abs().amax(1)[0]
    seen = (reach > 0).nonzero() - middle
    assert seen.abs().max() == config.halo


def test_every_parameter_learns():
    torch.manual_seed(2)
    model = Jscc(JsccConfig(latents=8, width=8, blocks=1))
    pictures, snr_db = smooth_pictures(2), torch.tensor([3.0, 15.0])
    latents = normalise_power(model.encoder(pictures, snr_db), torch.ones(2, 8, 1, 1))
    noise_var = (10 ** (-snr_db / 10))[:, None, None, None].expand(2, 4, 8, 8)
    out = model.decoder(*decoder_inputs(latents, noise_var, snr_db))
    (out - pictures).square().mean().backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_power_is_one_per_kept_symbol_and_per_batch_when_shared():
    torch.manual_seed(3)
    latents = torch.randn(3, 8, 5, 6) * torch.tensor([0.1, 1.0, 10.0])[:, None, None, None]
    kept = kept_channels(torch.tensor([1, 2, 4]), 8)
    single = normalise_power(latents, kept)
    power = single.square().sum((1, 2, 3)) / (torch.tensor([1, 2, 4]) * 30)
    assert torch.allclose(power, torch.ones(3), atol=1e-5)
    assert not single[0, 2:].any()
    shared = normalise_power(latents, kept, shared=True)
    assert shared.square().sum() / (7 * 30) == pytest.approx(1, abs=1e-5)
    assert shared[2].square().mean() > 50 * shared[1].square().mean()
    assert not normalise_power(torch.zeros(1, 8, 2, 2), kept[2:]).any()


def test_conditions_of_erasures():
    noise_var = torch.full((1, 4, 2, 2), 0.1)
    snr_db = torch.tensor([10.0])
    full = condition_of(noise_var, snr_db, 4)[0]
    assert full[1] == pytest.approx(float(scale_snr(torch.tensor(10.0))), abs=1e-6)
    assert full[2] == pytest.approx(1)
    noise_var[:, 2:] = torch.inf  # half the planes: the SNR of the rest stays what it was
    half = condition_of(noise_var, snr_db, 4)[0]
    assert half[1] == pytest.approx(float(full[1]), abs=1e-6)
    assert half[2] == pytest.approx(1 - 1 / 1.5)
    assert torch.equal(half, condition_of(noise_var[:, :2], snr_db, 4)[0])
    shrunk, reliability = shrink(
        torch.ones(1, 8, 2, 2) * (noise_var < 1).repeat(1, 2, 1, 1), noise_var
    )
    assert torch.isfinite(shrunk).all()
    assert (reliability[:, 2:] == -1).all()
    none = condition_of(torch.full((1, 4, 2, 2), torch.inf), snr_db, 4)
    assert torch.isfinite(none).all()


@pytest.mark.parametrize("sizes", [(7, 8, 1), (0, 8, 1), (50, 8, 1), (8, 0, 1), (8, 8, -1)])
def test_sizes_out_of_range(sizes):
    with pytest.raises(ConfigError):
        JsccConfig(*sizes)
