# SPDX-License-Identifier: GPL-3.0-or-later
"""The allocation of power and curves against its optimality conditions, the tables' reading."""

import pytest

torch = pytest.importorskip("torch")
from models.curves import HIGHEST_DB, LOWEST_DB, error_of  # noqa: E402
from models.rates import (  # noqa: E402
    KNOTS_DB,
    RATE_PLANES,
    TABLE,
    at_condition,
    best_code,
    curved_channels,
    partners,
    scale_planes,
)

LATENTS = 32
PER_CHANNEL = 20
VARIANCE = 2.0 ** -torch.linspace(0, 20, LATENTS * PER_CHANNEL)
TABLES = best_code(VARIANCE, LATENTS)
AMPLITUDE, LEVEL, THIRD = (table[0] for table in TABLES)  # of an even channel


def error(power, rate, knot):
    """What the receiver misses, with the curves of the tables."""
    snr = 10 ** (KNOTS_DB[knot] / 10)
    strength = VARIANCE[: len(power)].double()
    each = strength / (1 + power * snr)
    strong, *_ = partners(RATE_PLANES[rate], LATENTS, PER_CHANNEL)
    for symbols in (2, 3):
        on = (LEVEL[rate, knot, strong] > 0) & (THIRD[rate, knot, strong] == symbols - 2)
        curved = strength[strong] * error_of(power[strong] * snr / symbols, symbols)
        each[strong] = torch.where(on, curved, each[strong])
    return each.sum()


def test_power_is_one_a_coefficient_sent_and_none_for_the_rest():
    for row, planes in zip(AMPLITUDE, RATE_PLANES, strict=True):
        sent = PER_CHANNEL * 2 * planes
        expected = torch.full((len(KNOTS_DB),), float(sent))
        assert torch.allclose(row.square().sum(1), expected, rtol=1e-2)
        assert not row[:, sent:].any()
        assert (row >= 0).all()


@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize("knot", range(len(KNOTS_DB)))
def test_no_other_split_of_the_power_has_a_smaller_error(knot, rate):
    sent = PER_CHANNEL * 2 * RATE_PLANES[rate]
    power = AMPLITUDE[rate, knot, :sent].double().square()
    best = error(power, rate, knot)
    generator = torch.Generator().manual_seed(knot)
    for _ in range(20):
        other = power * (1 + 0.2 * torch.randn(sent, generator=generator)).clamp_min(0)
        assert error(other * (power.sum() / other.sum()), rate, knot) > best


@pytest.mark.parametrize("knot", range(len(KNOTS_DB)))
def test_curves_are_taken_where_they_pay(knot):
    """Whose symbols a coefficient takes is silent, and all is better than the linear code."""
    snr, rate = 10 ** (KNOTS_DB[knot] / 10), 2
    strong, mate, third = partners(RATE_PLANES[rate], LATENTS, PER_CHANNEL)
    level, on_three = LEVEL[rate, knot, strong], THIRD[rate, knot, strong] > 0
    on = level > 0
    assert not AMPLITUDE[rate, knot, mate[on]].any()
    assert not AMPLITUDE[rate, knot, third[on_three]].any()
    power = AMPLITUDE[rate, knot].double().square()
    per_symbol_db = 10 * (power[strong] * snr / (2 + on_three)).log10()
    expected = per_symbol_db.clamp(LOWEST_DB, HIGHEST_DB)[on]
    assert torch.allclose(level[on].double(), expected, atol=1e-3)
    sent = PER_CHANNEL * 2 * RATE_PLANES[rate]
    strength = VARIANCE[:sent].double()
    low, high = 1e-15, 1e9
    for _ in range(80):  # the linear code's water level
        middle = (low * high) ** 0.5
        linear = ((strength * snr / middle).sqrt() - 1).clamp_min(0) / snr
        low, high = (middle, high) if linear.sum() > sent else (low, middle)
    straight = (strength / (1 + linear * snr)).sum()
    gain_db = 10 * (straight / error(power[:sent], rate, knot)).log10()
    assert -0.01 < gain_db < 4
    if 1 <= KNOTS_DB[knot] <= 13:
        assert on.any()
        assert gain_db > 0.15


def test_nothing_is_on_a_curve_without_a_mate_or_in_the_gains_slot():
    assert not LEVEL[..., 0].any()
    for rate, planes in enumerate(RATE_PLANES):
        assert not LEVEL[rate, :, PER_CHANNEL * curved_channels(planes, LATENTS) :].any()
    assert not best_code(VARIANCE[:60], 3)[1].any()
    assert not TABLES[1][1].any()  # where the channel fades


def test_everyone_has_symbols_of_their_own():
    for planes in RATE_PLANES:
        entries = torch.cat(partners(planes, LATENTS, PER_CHANNEL))
        assert len(entries.unique()) == len(entries)
        assert entries.max() < 2 * planes * PER_CHANNEL


def test_a_weak_channel_leaves_weak_coefficients_out():
    silent = (AMPLITUDE[3] == 0).sum(1)
    assert silent[0] > silent[-1]


def test_tables_are_linear_between_knots_and_constant_beyond():
    table = torch.randn(*TABLE, 7, generator=torch.Generator().manual_seed(1))
    planes = torch.tensor([2, 4, 8, 16, 1, 7])
    rates = [0, 1, 2, 3, 0, 2]  # the smallest that holds so many planes
    fading = torch.tensor([0, 1, 0, 1, 0, 1]).bool()

    def at(snr_db):
        return at_condition(table, torch.full((6,), snr_db), planes, fading)

    rows = table[fading.long(), rates]
    for k, knot in enumerate(KNOTS_DB):
        assert torch.allclose(at(knot), rows[:, k])
    middle = at((KNOTS_DB[1] + KNOTS_DB[2]) / 2)
    assert torch.allclose(middle, (rows[:, 1] + rows[:, 2]) / 2, atol=1e-6)
    assert torch.allclose(at(60.0), rows[:, -1])
    assert torch.allclose(at(-20.0), rows[:, 0])


def test_planes_are_scaled_to_plus_minus_one():
    assert scale_planes(torch.tensor(RATE_PLANES)).tolist() == pytest.approx([-1, -1 / 3, 1 / 3, 1])
