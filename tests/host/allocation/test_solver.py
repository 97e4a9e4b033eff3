# SPDX-License-Identifier: GPL-3.0-or-later
"""The allocation against the paper's table, a general-purpose optimiser, and Lemma 1."""

import numpy as np
import pytest
from scipy.optimize import minimize

from host.allocation.modulation import choose
from host.allocation.packet_errors import FadingErrors
from host.allocation.paper import EDGES, PROMPT, TABLE_TWO_DB, snr_full_of, table_two
from host.allocation.quality import QualityTable, ber_limit, table_of
from host.allocation.solver import solve
from host.allocation.streams import ConditionStream, PromptStream
from semcom_blocks.errors import ConfigError


def test_all_nine_thresholds_of_table_two() -> None:
    rows = table_two()
    assert len(rows) == 9
    for row in rows:
        assert abs(row.model_db - row.paper_db) <= 0.1
    assert {row.delay_ms for row in rows} == {1.31, 1.965, 3.93}


@pytest.mark.parametrize("order", sorted(TABLE_TWO_DB))
def test_orders_change_at_the_thresholds(order: int) -> None:
    for row in table_two():
        if row.order == order:
            around = snr_full_of(row.model_db + np.array([-0.01, 0.01]))
            below, above = choose(PROMPT, [EDGES], [row.ber], around, (4, 16, 64)).order[0]
            assert above == order and below < order


def test_lemma_one() -> None:
    """Equal delays, all power spent."""
    found = solve(PROMPT, [EDGES], [1e-5], snr_full_of(np.linspace(0, 30, 50)))
    np.testing.assert_allclose(found.share_prompt + found.share[0], 1, rtol=1e-6)
    np.testing.assert_allclose(PROMPT.delay_s(found.snr_prompt), found.delay_s, rtol=1e-6)
    np.testing.assert_allclose(EDGES.delay_s(found.snr[0], 1e-5), found.delay_s, rtol=1e-6)


def test_three_streams_against_a_general_optimiser() -> None:
    streams = [ConditionStream(5000, 1e6), ConditionStream(2000, 0.5e6, name="depth")]
    ber, full = [1e-4, 1e-3], np.array([[30.0], [45.0], [20.0]])
    found = solve(PROMPT, streams, ber, full)

    def worst(log_shares: np.ndarray) -> float:
        share = np.exp(log_shares) / np.exp(log_shares).sum()
        delays = [PROMPT.delay_s(share[0] * 30.0)]
        for i, stream in enumerate(streams):
            delays.append(stream.delay_s(share[i + 1] * full[i + 1, 0], ber[i]))
        return float(np.log(np.max(delays)))

    starts = np.random.default_rng(1).normal(size=(8, 3))
    best = min(
        minimize(
            worst, s, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
        ).fun
        for s in starts
    )
    assert found.delay_s[0] == pytest.approx(np.exp(best), rel=1e-4)


def test_budget_too_small_is_an_infinite_delay() -> None:
    """Rather than a plan that cannot be kept."""
    found = solve(PROMPT, [EDGES], [1e-5], [1e-8, 100.0])
    assert np.isinf(found.delay_s[0]) and np.isfinite(found.delay_s[1])


def test_condition_is_refused_where_no_modulation_fits() -> None:
    found = choose(PROMPT, [EDGES], [1e-6], snr_full_of(np.array([5.0])), (4, 16, 64))
    assert found.order[0, 0] == 0
    assert found.share_prompt[0] == 1 and found.share[0, 0] == 0
    assert found.delay_s[0] == pytest.approx(float(PROMPT.delay_s(snr_full_of(5.0))))


def test_of_two_conditions_the_last_is_dropped_first() -> None:
    streams = [EDGES, ConditionStream(7860, name="depth")]
    full = snr_full_of(np.array([5.0, 12.5, 30.0]))
    found = choose(PROMPT, streams, [1e-6, 1e-6], full, (4, 16, 64))
    assert found.order[:, 0].tolist() == [0, 0]
    assert found.order[0, 1] > 0 and found.order[1, 1] == 0
    assert np.all(found.order[:, 2] > 0)


def test_closed_forms_invert() -> None:
    delay_s = np.array([1.2e-3, 3e-3, 0.1])
    np.testing.assert_allclose(PROMPT.delay_s(PROMPT.snr_for(delay_s)), delay_s)
    np.testing.assert_allclose(EDGES.delay_s(EDGES.snr_for(delay_s, 1e-4), 1e-4), delay_s)
    assert np.isinf(PROMPT.snr_for(PROMPT.least_delay_s))
    snr = EDGES.snr_of_order(16, 1e-4)
    assert EDGES.ber(snr, 16) == pytest.approx(1e-4)
    assert EDGES.rate_bps(snr, 1e-4) == pytest.approx(4e6)


def test_per_of_equation_two() -> None:
    gamma, length = 7.0, 1110.0
    expected = 1 - length ** (-0.374 / gamma) * np.exp(0.31 / gamma)
    assert PROMPT.per(gamma) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: solve(PROMPT, [EDGES], [1e-5], 0.0), "power budget"),
        (lambda: solve(PROMPT, [EDGES], [1e-5], -3.0), "above 0"),
        (lambda: solve(PROMPT, [EDGES], [0.3], 10.0), "below 0.2"),
        (lambda: solve(PROMPT, [EDGES], [], 10.0), "one each"),
        (lambda: choose(PROMPT, [EDGES], [1e-5], 10.0, (8,)), "modulation order is 8"),
        (lambda: choose(PROMPT, [EDGES], [1e-5], 10.0, ()), "no modulation order"),
        (lambda: PromptStream(0), "prompt bits"),
        (lambda: PromptStream(1000, errors=FadingErrors(0.0, -0.31)), "PER would rise"),
        (lambda: ConditionStream(100, alpha=-1), "alpha"),
    ],
)
def test_what_makes_no_sense_is_named(make, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make()


def test_quality_table_inverts() -> None:
    table = QualityTable("MS-SSIM", (1e-6, 1e-4, 1e-2), (1.0, 0.9, 0.5))
    assert table(1e-5) == pytest.approx(0.95)
    assert table.limit(0.95) == pytest.approx(1e-5)
    assert table.limit(0.9) == pytest.approx(1e-4)
    assert table.limit(0.1) == pytest.approx(1e-2)
    with pytest.raises(ConfigError, match="up to 1, its value at BER 1e-06"):
        table.limit(1.01)


def test_non_monotone_table_is_refused_by_place() -> None:
    with pytest.raises(ConfigError, match=r"rises from 0.8 at BER 0.0001 to 0.9 at BER 0.01"):
        QualityTable("CLIP", (1e-6, 1e-4, 1e-2), (1.0, 0.8, 0.9))
    noisy = QualityTable("CLIP", (1e-6, 1e-4, 1e-2), (1.0, 0.8, 0.805), tolerance=0.01)
    assert noisy(1e-2) == pytest.approx(0.8)


def test_the_strictest_metric_decides() -> None:
    one = table_of("one", lambda ber: 1 - ber)
    other = table_of("other", lambda ber: 1 - 10 * ber)
    assert ber_limit([one, other], [0.99, 0.99]) == pytest.approx(1e-3, rel=1e-3)
    with pytest.raises(ConfigError, match="one each"):
        ber_limit([one], [0.9, 0.9])
