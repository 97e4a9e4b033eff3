# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves that carry one coefficient on two symbols: against theory and brute-force posteriors."""

import math

import pytest

torch = pytest.importorskip("torch")
from models.curves import (  # noqa: E402
    NODES,
    SINES,
    STEP,
    Curves,
    error_of,
    nodes,
    sines,
)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def curve(symbols, level_db, scale=1.0):
    """Of one coefficient, (1,NODES,3)."""
    third = torch.tensor([symbols - 2.0])
    return scale * Curves().at_level(torch.tensor([level_db]), third).detach()


def sent(symbols, level_db, z, seed=1):
    """What is known of z (1,M) after unit noise: score, precision, curves."""
    curves = curve(symbols, level_db, math.sqrt(symbols * 10 ** (level_db / 10)))
    put = Curves().put(z, curves)
    score = tuple(part + noise(*z.shape, seed=seed + k) for k, part in enumerate(put))
    one = torch.ones(1, z.shape[1])
    return score, (one, 0 * one, one, one), curves


def test_curves_have_unit_power_for_a_gaussian_coefficient():
    weight = (-nodes().square() / 2).exp()
    power = (sines().square().sum(3) * weight).sum(2) / weight.sum()
    assert torch.allclose(power, torch.ones_like(power), atol=2e-3)
    assert not sines()[0, ..., 2].any()


@torch.no_grad()
@pytest.mark.parametrize(
    ("symbols", "level_db", "sdr_db"), [(n, *row[:2]) for n, rows in SINES.items() for row in rows]
)
def test_sines_reach_the_error_that_the_allocation_counts_on(symbols, level_db, sdr_db):
    z = noise(1, 40_000)
    found, *_ = Curves().find(*sent(symbols, level_db, z))
    reached_db = -10 * float((found - z).square().mean().log10())
    snr = 10 ** (level_db / 10)
    assert reached_db == pytest.approx(sdr_db, abs=0.3)
    assert reached_db > 10 * math.log10(1 + symbols * snr) - 0.05  # on a straight line
    assert reached_db < 10 * symbols * math.log10(1 + snr)  # the capacity of so many symbols


@torch.no_grad()
def test_at_level_zero_it_is_the_linear_estimate():
    z = noise(1, 500)
    score, precision, curves = sent(2, 0.0, z)
    found, *_ = Curves().find(score, precision, curves)
    apart = (found - score[0] * 2**0.5 / (1 + 2)).abs()
    assert apart.median() < 0.01
    assert apart.quantile(0.98) < 0.05  # the distribution ends at 4.2 standard deviations


@torch.no_grad()
@pytest.mark.parametrize("symbols", [2, 3])
@pytest.mark.parametrize("kept", [(1.0, 1.0, 1.0), (1.0, 0.0, 0.5), (0.3, 2.0, 0.0)])
def test_the_estimate_is_the_mean_of_the_posterior(kept, symbols):
    """By integration over a fine grid, with noise unlike and correlated, one symbol lost."""
    z = noise(1, 40, seed=3)
    curves = curve(symbols, 7.0, 4.0)
    root = torch.diag(torch.tensor(kept)).sqrt()
    root[1, 0] = 0.4 * min(kept[:2])
    known = root.T @ root
    y = torch.stack(Curves().put(z, curves), 2)[0]  # (M,3)
    y = y + noise(40, 3, seed=4)
    score = tuple((y @ known).T[:, None])
    entries = ((0, 0), (0, 1), (1, 1), (2, 2))
    precision = tuple(known[i, j].expand(1, 40) for i, j in entries)
    found, *where = Curves().find(score, precision, curves)

    fine = torch.linspace(-4.2, 4.2, 4001, dtype=torch.float64)
    f = torch.stack(Curves().put(fine[None].float(), curves), 2)[0].double()
    apart = y.double()[:, None] - f[None]
    exponent = -0.5 * torch.einsum("mki,ij,mkj->mk", apart, known.double(), apart)
    share = (exponent - fine.square() / 2).softmax(1)
    assert (found[0] - share @ fine).abs().mean() < 0.03
    assert (torch.cat(where).T - share @ f).abs().mean() < 0.15


@torch.no_grad()
def test_blocks_with_the_same_noise_are_computed_together_and_alike():
    z = noise(1, 30)
    score, precision, curves = sent(3, 8.0, z)
    together = Curves().find(score, precision, curves)
    other = [part.clone() for part in precision]
    other[0][0, -1] = 0.9
    apart = Curves().find(score, tuple(other), curves)
    for one, two in zip(together, apart, strict=True):
        assert torch.allclose(one[:, :-1], two[:, :-1], atol=1e-4)
        assert not torch.allclose(one[:, -1], two[:, -1], atol=1e-4)


@torch.no_grad()
def test_nothing_heard_is_the_mean_of_the_distribution():
    nothing = torch.zeros(1, 3)
    found, *_ = Curves().find((nothing,) * 3, (nothing,) * 4, curve(3, 10.0))
    assert torch.allclose(found, nothing, atol=1e-5)


@torch.no_grad()
def test_a_share_of_three_symbols_lies_between_two_and_three():
    ends = [curve(n, 8.0) for n in (2, 3)]
    middle = Curves().at_level(torch.tensor([8.0]), torch.tensor([0.5]))
    assert torch.allclose(middle, (ends[0] + ends[1]) / 2, atol=1e-6)


def test_curves_go_on_straight_beyond_the_nodes():
    edge = STEP * (NODES - 1) / 2
    z = torch.tensor([[edge - STEP, edge, edge + 1.0]])
    for part in Curves().put(z, curve(3, 6.0)):
        slope = (part[0, 1] - part[0, 0]) / STEP
        assert torch.allclose(part[0, 2] - part[0, 1], slope, rtol=1e-3)


@pytest.mark.parametrize("symbols", [2, 3])
def test_the_counted_error_falls_with_the_snr_and_never_passes_the_straight_line(symbols):
    snr = torch.logspace(-3, 4, 400, dtype=torch.float64)
    error = error_of(snr, symbols)
    assert torch.all(error.diff() < 0)
    assert torch.all(error <= 1 / (1 + symbols * snr) + 1e-12)
    assert error_of(torch.tensor(10.0**0.8)) == pytest.approx(10**-1.239, rel=1e-3)
