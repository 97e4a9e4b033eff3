# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of coefficients: orthonormal, the linear MMSE estimate, what a lost symbol costs."""

import pytest

torch = pytest.importorskip("torch")
from models.pairing import estimate, turn  # noqa: E402

PLANES = torch.tensor([2, 4, 8])
SHAPE = (3, 16, 16, 24)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def kept(x):
    return x * (torch.arange(16)[None, :] < 2 * PLANES[:, None])[:, :, None, None]


def test_turning_twice_changes_nothing_and_keeps_the_energy():
    x = kept(noise(*SHAPE))
    y = turn(x, PLANES)
    assert torch.allclose(turn(y, PLANES), x, atol=1e-6)
    assert torch.allclose(y.square().sum((1, 2, 3)), x.square().sum((1, 2, 3)), rtol=1e-5)
    assert torch.equal(kept(y), y)


def test_the_gains_slots_and_their_mates_are_sent_alone():
    x = kept(noise(*SHAPE))
    y = turn(x, PLANES)
    corner = (slice(None, None, 8), slice(None, None, 8))
    for b, planes in enumerate(PLANES.tolist()):
        for channel in (0, 2 * planes - 1):
            assert torch.equal(y[b, channel][corner], x[b, channel][corner])
        assert not torch.isclose(y[b, 0, 1, 1:], x[b, 0, 1, 1:]).all()


def drawn(loss=0.0, seed=1, noise_var=0.02):
    """Latents of falling power, what arrives of them, its trust and their power."""
    power = (2.0 ** -torch.arange(16.0))[None, :, None, None].expand(SHAPE).clone()
    x = kept(noise(*SHAPE, seed=seed) * power.sqrt())
    variance = noise_var * (0.05 + torch.rand(SHAPE, generator=torch.Generator().manual_seed(2)))
    trust = 1 / variance
    lost = torch.rand(SHAPE, generator=torch.Generator().manual_seed(3)) < loss
    trust = kept(trust.masked_fill(lost, 0.0))
    y = turn(x, PLANES) + noise(*SHAPE, seed=4) * variance.sqrt()
    return x, y.masked_fill(trust == 0, 0.0), trust, power


def test_the_estimate_solves_the_two_by_two_problem():
    """Against the textbook formula x = P·Hᵀ·(H·P·Hᵀ + V)⁻¹·y of each pair."""
    x, y, trust, power = drawn()
    found = estimate(y * trust, trust, power, PLANES) * power
    turned = torch.tensor([[1.0, 1.0], [1.0, -1.0]]).double() * 0.5**0.5
    for b, l, i, j in ((0, 1, 2, 3), (1, 0, 5, 5), (2, 6, 1, 20)):  # noqa: E741
        m = 2 * int(PLANES[b]) - 1 - l
        prior = torch.diag(torch.stack([power[b, l, i, j], power[b, m, i, j]])).double()
        cover = turned @ prior @ turned.T
        cover += torch.diag(1 / torch.stack([trust[b, l, i, j], trust[b, m, i, j]])).double()
        heard = torch.stack([y[b, l, i, j], y[b, m, i, j]]).double()
        expected = prior @ turned.T @ torch.linalg.solve(cover, heard)
        assert torch.allclose(found[b, [l, m], i, j].double(), expected, rtol=1e-4, atol=1e-7)
    assert (found - x).square().mean() < 0.02


def test_white_noise_does_not_see_the_pairs():
    x, _, _, power = drawn()
    trust = kept(torch.full(SHAPE, 100.0))
    w = noise(*SHAPE, seed=6) * 0.1
    heard = kept(turn(x, PLANES) + turn(kept(w), PLANES)) * trust
    paired = estimate(heard, trust, power, PLANES)
    single = kept(x + w) * 100 / (100 * power + 1)
    assert torch.allclose(paired, single, atol=1e-4)


def test_a_lost_symbol_costs_little_where_its_mate_arrives():
    """A tenth lost: alone a tenth of the energy is gone, in 8 pairs little over a hundredth."""
    x, y, trust, power = drawn(loss=0.1, noise_var=1e-6)
    error = (kept(estimate(y * trust, trust, power, PLANES) * power) - x)[2].square().sum()
    assert 0.008 < error / x[2].square().sum() < 0.02


def test_nothing_received_is_nothing_known():
    _, y, trust, power = drawn()
    assert not estimate(y * 0, trust * 0, power, PLANES).any()
