# SPDX-License-Identifier: GPL-3.0-or-later
"""The linear code's power allocation against its optimality conditions, and the tables' reading."""

import pytest

torch = pytest.importorskip("torch")
from models.rates import (  # noqa: E402
    KNOTS_DB,
    RATE_PLANES,
    TABLE,
    at_condition,
    best_amplitudes,
    scale_planes,
)

LATENTS = 32
VARIANCE = 2.0 ** -torch.linspace(0, 20, 640)


def error(power, variance, snr):
    return (variance / (1 + power * snr)).sum()


def test_power_is_one_a_coefficient_sent_and_none_for_the_rest():
    table = best_amplitudes(VARIANCE, LATENTS)
    for row, planes in zip(table, RATE_PLANES, strict=True):
        sent = 640 * 2 * planes // LATENTS
        assert torch.allclose(
            row.square().sum(1), torch.full((len(KNOTS_DB),), float(sent)), rtol=1e-4
        )
        assert not row[:, sent:].any()
        assert (row >= 0).all()


@pytest.mark.parametrize("knot", range(len(KNOTS_DB)))
def test_no_other_split_of_the_power_has_a_smaller_error(knot):
    snr = 10 ** (KNOTS_DB[knot] / 10)
    sent = 640 // 2
    power = best_amplitudes(VARIANCE, LATENTS)[2, knot, :sent].double().square()
    strength = VARIANCE[:sent].double()
    best = error(power, strength, snr)
    generator = torch.Generator().manual_seed(knot)
    for _ in range(20):
        other = power * (1 + 0.2 * torch.randn(sent, generator=generator)).clamp_min(0)
        other = other + 0.01 * torch.rand(sent, generator=generator)
        assert error(other * (power.sum() / other.sum()), strength, snr) > best


def test_a_weak_channel_leaves_weak_coefficients_out():
    silent = (best_amplitudes(VARIANCE, LATENTS)[3] == 0).sum(1)
    assert torch.all(silent.diff() <= 0)
    assert silent[0] > silent[-1]


def test_tables_are_linear_between_knots_and_constant_beyond():
    table = torch.randn(*TABLE, 7, generator=torch.Generator().manual_seed(1))
    planes = torch.tensor([2, 4, 8, 16, 1, 7])
    rates = [0, 1, 2, 3, 0, 2]  # the smallest that holds so many planes
    for k, knot in enumerate(KNOTS_DB):
        assert torch.allclose(at_condition(table, torch.full((6,), knot), planes), table[rates, k])
    middle = at_condition(table, torch.full((6,), (KNOTS_DB[1] + KNOTS_DB[2]) / 2), planes)
    assert torch.allclose(middle, (table[rates, 1] + table[rates, 2]) / 2, atol=1e-6)
    assert torch.allclose(at_condition(table, torch.full((6,), 60.0), planes), table[rates, -1])
    assert torch.allclose(at_condition(table, torch.full((6,), -20.0), planes), table[rates, 0])


def test_planes_are_scaled_to_plus_minus_one():
    assert scale_planes(torch.tensor(RATE_PLANES)).tolist() == pytest.approx([-1, -1 / 3, 1 / 3, 1])
