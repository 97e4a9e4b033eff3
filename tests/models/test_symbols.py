# SPDX-License-Identifier: GPL-3.0-or-later
"""Power, the gain that travels with a picture, and the decoder's condition."""

import math

import pytest

torch = pytest.importorskip("torch")
from models.pairing import turn  # noqa: E402
from models.symbols import (  # noqa: E402
    GAIN_SPREAD,
    gain_energy,
    kept_channels,
    normalise_power,
    receive,
    scale_snr,
    transmit,
)

GRID = (16, 16)
EVEN = torch.tensor([False])  # the channel's SNR


def latents(gains, channels=16, grid=GRID, seed=0):
    """Gaussian latents whose root mean square is exp(GAIN_SPREAD·gain) for each of ``gains``."""
    shape = (len(gains), channels, *grid)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    x[:, 0, ::8, ::8] = 0
    x = x / x.square().mean((1, 2, 3), keepdim=True).sqrt()
    return x * (GAIN_SPREAD * torch.tensor(gains)).exp()[:, None, None, None]


def through(sent, snr_db, seed=1):
    """Complex white noise: received, and its variance."""
    variance = 10 ** (-snr_db / 10)
    noise = torch.randn(sent.shape, generator=torch.Generator().manual_seed(seed))
    shape = (len(sent), sent.shape[1] // 2, *sent.shape[2:])
    return sent + noise * math.sqrt(variance / 2), torch.full(shape, variance)


def test_power_is_one_per_kept_symbol_and_per_batch_when_shared():
    torch.manual_seed(3)
    unequal = torch.randn(3, 8, 5, 6) * torch.tensor([0.1, 1.0, 10.0])[:, None, None, None]
    kept = kept_channels(torch.tensor([1, 2, 4]), 8)
    single = normalise_power(unequal, kept)
    power = single.square().sum((1, 2, 3)) / (torch.tensor([1, 2, 4]) * 30)
    assert torch.allclose(power, torch.ones(3), atol=1e-5)
    assert not single[0, 2:].any()
    shared = normalise_power(unequal, kept, shared=True)
    assert shared.square().sum() / (7 * 30) == pytest.approx(1, abs=1e-5)
    assert shared[2].square().mean() > 50 * shared[1].square().mean()
    assert not normalise_power(torch.zeros(1, 8, 2, 2), kept[2:]).any()


def test_what_is_sent_has_unit_power_with_its_gain():
    planes = torch.tensor([8, 8, 8])
    sent = transmit(latents([-2.0, 0.0, 3.0]), planes)
    assert torch.allclose(sent.square().sum((1, 2, 3)) / (8 * 256), torch.ones(3), atol=1e-4)
    slots = sent[:, 0, ::8, ::8].square().sum((1, 2)) * 2  # in units of a real dimension
    expected = gain_energy(torch.tensor(8.0 * 256)) * torch.tensor([4.0, 0.0, 9.0])
    assert torch.allclose(slots, expected / (1 + expected / (16 * 256)), rtol=0.01)


def test_without_noise_the_decoder_knows_what_latents_were_divided_by():
    truth = [-20.0, -3.0, -1.0, 0.0, 0.5, 2.0, 3.5]
    original = latents(truth)
    planes = torch.full((7,), 8)
    sent = transmit(original, planes)
    noise_var = torch.full((7, 8, *GRID), 1e-6)
    found = receive(sent, noise_var, torch.full((7,), 60.0), planes, EVEN.expand(7)).gain
    divisor = (original[:, 1:] / turn(sent, planes)[:, 1:]).mean((1, 2, 3)) / 2**0.5
    assert torch.allclose((GAIN_SPREAD * found).exp() / divisor, torch.ones(7), atol=2e-3)


@pytest.mark.parametrize("snr_db", [1.0, 10.0, 19.0])
def test_the_gain_is_known_as_well_as_its_energy_says(snr_db):
    """Of unit variance before it was sent, about 1/sqrt(1 + E·snr) of error after."""
    truth = torch.randn(800, generator=torch.Generator().manual_seed(4))
    planes = torch.full((800,), 8)
    sent = transmit(latents(truth.tolist(), grid=(8, 8)), planes)
    received, noise_var = through(sent, snr_db)
    found = receive(received, noise_var, torch.full((800,), snr_db), planes, EVEN.expand(800))
    energy = float(gain_energy(torch.tensor(8.0 * 64)))
    expected = 1 / math.sqrt(1 + energy * 10 ** (snr_db / 10))
    own = (1 + energy / (16 * 64) * truth.square()).log() / (2 * GAIN_SPREAD)  # the gain's power
    error = (found.gain - truth - own).square().mean().sqrt()
    assert 0.7 * expected < error < 1.4 * expected


def test_blocks_that_are_lost_leave_the_gain_to_the_others():
    planes = torch.tensor([8])
    received, noise_var = through(transmit(latents([2.0]), planes), 15.0)
    noise_var[:, :, :8, :8] = torch.inf
    received[:, :, :8, :8] = 0
    assert float(
        receive(received, noise_var, torch.tensor([15.0]), planes, EVEN).gain
    ) == pytest.approx(2, abs=0.5)
    nothing = torch.full_like(noise_var, torch.inf)
    assert float(receive(received * 0, nothing, torch.tensor([15.0]), planes, EVEN).gain) == 0


def test_the_gain_takes_little_of_any_pictures_power():
    symbols = torch.tensor([128.0, 512.0, 8192.0, 1e6])
    share = gain_energy(symbols) / (2 * symbols)
    assert torch.all(share <= 0.0251)
    assert torch.all(share.diff() <= 0)


def test_conditions_of_erasures():
    noise_var = torch.full((1, 16, 2, 2), 0.1)
    received = torch.zeros(1, 32, 2, 2)
    snr_db, planes = torch.tensor([10.0]), torch.tensor([16])
    full = receive(received, noise_var, snr_db, planes, EVEN).condition[0]
    assert full[1] == pytest.approx(float(scale_snr(torch.tensor(10.0))), abs=1e-6)
    assert full[2] == pytest.approx(1)
    noise_var[:, 8:] = torch.inf  # half the planes: the SNR of the rest stays what it was
    half = receive(received, noise_var, snr_db, planes, EVEN).condition[0]
    assert half[1] == pytest.approx(float(full[1]), abs=1e-6)
    assert half[2] == pytest.approx(1 - 1 / 1.5)
    alone = receive(received[:, :16], noise_var[:, :8], snr_db, planes, EVEN).condition[0]
    assert torch.equal(half, alone)
    none = receive(received, torch.full((1, 16, 2, 2), torch.inf), snr_db, planes, EVEN)
    assert all(torch.isfinite(part).all() for part in none)
