# SPDX-License-Identifier: GPL-3.0-or-later
"""The network itself: the code it starts as, its finite reach, its conditions."""

import pytest

torch = pytest.importorskip("torch")
from models.curves import error_of  # noqa: E402
from models.jscc import Jscc, JsccConfig  # noqa: E402
from models.symbols import GAIN_SPREAD, gain_energy, receive, transmit  # noqa: E402
from models.transform import BLOCK, STRIDE  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402


def smooth_pictures(count=16, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, side // 8, side // 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, side, mode="bicubic").clamp(0, 1)


def tiny(latents=32, blocks=1, width=8, seed=0):
    torch.manual_seed(seed)
    return Jscc(JsccConfig(latents, width, blocks, blocks))


def ends(model, pictures, snr_db, planes=8, fading=False):
    """Encoded, sent over white noise and decoded."""
    batch, _, height, width = pictures.shape
    known = torch.full((batch,), float(snr_db)), torch.full((batch,), planes)
    known = *known, torch.full((batch,), fading)
    sent = transmit(model.encode(pictures, *known), known[1])
    shape = (batch, model.config.latents // 2, height // STRIDE, width // STRIDE)
    noise_var = torch.full(shape, 10 ** (-snr_db / 10))
    noise_var[:, planes:] = torch.inf
    noise = torch.randn(sent.shape, generator=torch.Generator().manual_seed(9))
    received = sent + noise * (10 ** (-snr_db / 10) / 2) ** 0.5
    received[:, 2 * planes :] = 0
    return model.decode(received, noise_var, receive(received, noise_var, *known))


def test_untrained_it_is_already_the_code_that_was_solved_for():
    """Its error is what the allocation counts on, λ/(1 + a²·snr) or λ·D, plus the gain's."""
    model = tiny()
    pictures = smooth_pictures(200)
    model.init_code(pictures)
    spread = model.decoder.log_spread.exp().square()
    whole = pictures - model.decoder.mean[:, None, None]
    for knot, snr_db in ((2, 4.0), (4, 10.0)):
        power, snr = model.decoder.amplitude[0, 2, knot].square(), 10 ** (snr_db / 10)
        expected = spread / (1 + power * snr)
        for symbols in (2, 3):
            third = model.strong.third[0, 2, knot] == symbols - 2
            on = ((model.strong.level[0, 2, knot] > 0) & third).nonzero()[:, 0]
            assert len(on)
            expected[on] = spread[on] * error_of(power[on] * snr / symbols, symbols)
        with torch.no_grad():
            error = (ends(model, pictures, snr_db) - pictures).square().mean()
        energy = whole.square().mean()
        told = 1 + gain_energy(torch.tensor(512.0)) * snr
        assert error < 1.2 * (expected[1:].sum() / 3072 + energy * GAIN_SPREAD**2 / told)
        assert error < 0.05 * energy


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_the_receptive_field_is_within_the_halo(side):
    """A block in the middle: beyond the halo around it nothing changes it."""
    model = tiny(latents=8, blocks=2, seed=1)
    for part in (model.encoder, model.decoder):
        torch.nn.init.normal_(part.trunk.tail.weight)
    halo = model.config.halo
    assert halo % BLOCK == 0
    size = 2 * halo + 5 * BLOCK
    start = halo + 2 * BLOCK
    middle = slice(start, start + BLOCK)
    known = torch.tensor([5.0]), torch.tensor([4]), torch.tensor([False])
    if side == "encoder":
        x = torch.zeros(1, 3, size * STRIDE, size * STRIDE, requires_grad=True)
        model.encode(x, *known)[0, :, middle, middle].sum().backward()
        reach = torch.nn.functional.max_pool2d(x.grad.abs().amax(1, keepdim=True), STRIDE)[0, 0]
    else:
        x = torch.zeros(1, 8, size, size, requires_grad=True)
        noise_var = torch.full((1, 4, size, size), 0.1)
        whole = receive(x.detach(), noise_var, *known)
        area = slice(STRIDE * middle.start, STRIDE * middle.stop)
        model.decode(x, noise_var, whole)[0, :, area, area].sum().backward()
        reach = x.grad.abs().amax(1)[0]
    seen = (reach > 0).nonzero()
    assert seen.min() >= middle.start - halo
    assert seen.max() < middle.stop + halo
    assert seen.min() < middle.start  # the trunk does look beyond the block


def test_every_parameter_learns():
    """Over all rates and SNRs: each row of the tables is of one of them."""
    model = tiny(latents=32, seed=2)
    model.init_code(smooth_pictures(50))
    pictures = smooth_pictures(2)
    for planes in (2, 4, 8, 16):
        for snr_db in (1.0, 7.0, 13.0, 19.0):
            for fading in (False, True):
                (
                    ends(model, pictures, snr_db, planes, fading) - pictures
                ).square().mean().backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_erased_symbols_do_not_make_gradients_nan():
    model = tiny(seed=3)
    pictures = smooth_pictures(2)
    known = torch.tensor([5.0, 5.0]), torch.tensor([8, 8]), torch.tensor([False, True])
    sent = transmit(model.encode(pictures, *known), known[1])
    noise_var = torch.full((2, 16, 8, 8), torch.inf)
    noise_var[0, :4] = 0.1
    received = sent * torch.isfinite(noise_var).repeat_interleave(2, 1)
    out = model.decode(received, noise_var, receive(received, noise_var, *known))
    (out - pictures).square().mean().backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(g).all() for g in grads)


@pytest.mark.parametrize(
    "sizes", [(7, 8), (0, 8), (50, 8), (8, 0), (8, 7), (8, 8, -1), (8, 8, 1, 65), (8, 8, 1, 1, 3)]
)
def test_sizes_out_of_range(sizes):
    with pytest.raises(ConfigError):
        JsccConfig(*sizes)
