# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of the controller: kept within the budget, met on simulated carriers, errors named."""

from itertools import pairwise

import numpy as np
import pytest

from host.allocation.channel_view import LOST_DB, ChannelView
from host.allocation.controller import (
    SENDS_MAX,
    Controller,
    JobNeed,
    LinkPlan,
    StreamNeed,
)
from host.allocation.qam_errors import bit_error_rate
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.bands import BandTable
from semcom_blocks.phy.numerology import Numerology

N_DATA, SYMBOL_S = 48, 80e-6
JOB = JobNeed((110,), (StreamNeed(1, "edges", 2000, 1e-3),))


def planned(snr_db: float, job: JobNeed = JOB) -> LinkPlan:
    controller = Controller(N_DATA, SYMBOL_S)
    controller.view.observe_bands([snr_db], [N_DATA])
    return controller.plan(job)


@pytest.mark.parametrize("snr_db", [4.0, 8.0, 14.0, 22.0, 35.0])
def test_bands_are_what_a_radio_takes(snr_db: float) -> None:
    """Disjoint carriers, a budget that is kept, modulations that exist."""
    table = BandTable.from_list(planned(snr_db).bands()).check(Numerology())
    assert sum(table.carriers) == N_DATA
    assert sum(band.power for band in table.bands) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("snr_db", [8.0, 14.0, 22.0, 35.0])
def test_streams_keep_their_error_rate(snr_db: float) -> None:
    """By the exact BER at the SNR that the plan gives the stream's cells."""
    plan = planned(snr_db)
    (edges,) = plan.streams
    assert edges.order > 0 and edges.snr_db is not None
    assert bit_error_rate(edges.order, 10 ** (edges.snr_db / 10)) <= 1e-3
    assert plan.sends <= SENDS_MAX


def test_latency_falls_with_snr_and_the_bottleneck_sets_it() -> None:
    plans = [planned(db) for db in (6.0, 10.0, 15.0, 20.0, 25.0, 30.0)]
    latency = [plan.latency_s for plan in plans]
    assert all(late >= soon for late, soon in pairwise(latency))
    for plan in plans:
        rows = {band.name: band.rows for band in (plan.prompt, *plan.streams)}
        assert plan.latency_s == pytest.approx(SYMBOL_S * max(rows.values()))
        assert plan.bottleneck == max(rows, key=lambda name: rows[name])


def test_stream_is_refused_with_a_reason_and_the_prompt_has_it_all() -> None:
    plan = planned(1.0)
    assert plan.order_of(1) == 0 and plan.prompt.carriers == N_DATA
    assert [entry["stream_id"] for entry in plan.bands()] == [None]
    assert "dB more" in plan.refused[1] or "sends" in plan.refused[1]
    assert planned(-20.0).latency_s == np.inf


def test_the_last_stream_is_refused_first() -> None:
    job = JobNeed((110,), (StreamNeed(1, "edges", 528, 1e-2), StreamNeed(2, "depth", 20000, 1e-7)))
    plan = planned(4.0, job)
    assert plan.order_of(1) > 0 and plan.order_of(2) == 0
    assert list(plan.refused) == [2]


def test_fades_of_a_band_are_planned_for() -> None:
    """Carriers that fade deeply cost an uncoded stream more than their mean tells."""
    snr = np.full(N_DATA, 100.0)
    snr[N_DATA // 2 :: 2] = 4.0
    uneven, even = Controller(N_DATA, SYMBOL_S), Controller(N_DATA, SYMBOL_S)
    uneven.view.observe_carriers(snr)
    even.view.observe_carriers(np.full(N_DATA, snr.mean()))
    job = JobNeed((110,), (StreamNeed(1, "edges", 4000, 1e-3),))
    assert uneven.plan(job).latency_s > 1.5 * even.plan(job).latency_s


def test_nothing_known_gives_a_careful_plan_and_silence_a_more_careful_one() -> None:
    controller = Controller(N_DATA, SYMBOL_S)
    first = controller.plan(JOB)
    assert not first.known
    controller.view.observe_bands([20.0, 20.0], [24, 24])
    told = controller.plan(JOB)
    controller.view.miss()
    silent = controller.plan(JOB)
    assert told.known and told.latency_s < silent.latency_s
    controller.view.observe_bands([20.0], [N_DATA])
    assert controller.plan(JOB).latency_s == pytest.approx(told.latency_s)


def test_transform_of_rayleigh_fades() -> None:
    """The mean of e^(−c·γ) over fades of mean γ̄ is 1/(1 + c·γ̄)."""
    view = ChannelView(N_DATA, window=400)
    rng = np.random.default_rng(3)
    for gain in 10 * rng.exponential(size=400):
        view.observe_carriers(np.full(N_DATA, gain))
    scale = view.least_scale(np.array([0]), np.array([view.groups]), [0.1])[0, 0]
    assert scale == pytest.approx(9 / 10, rel=0.25)
    view.miss()
    lost = view.least_scale(np.array([0]), np.array([view.groups]), [0.1])[0, 0]
    assert lost / scale == pytest.approx(10 ** (LOST_DB / 10), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Controller(N_DATA, SYMBOL_S, orders=(8,)), "modulation order is 8"),
        (lambda: Controller(N_DATA, SYMBOL_S, prompt_order=16), "prompt_order is 16"),
        (lambda: Controller(1, SYMBOL_S), "1 carriers"),
        (lambda: StreamNeed(1, "edges", 100, 0.4), "ber of edges"),
        (lambda: StreamNeed(1, "edges", 0, 1e-3), "edges bits"),
        (lambda: JobNeed(()), "packets have"),
        (lambda: ChannelView(48).observe_bands([10.0], [60]), "up to 48 carriers"),
        (lambda: ChannelView(48).observe_bands([float("nan")], [48]), "SNR is nan dB"),
        (lambda: ChannelView(48).observe_carriers(-np.ones(48)), "SNR is nan dB"),
    ],
)
def test_what_makes_no_sense_is_named(make, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make()


def test_a_stream_alone_uses_few_carriers_where_all_are_too_weak() -> None:
    need = StreamNeed(1, "edges", 1000, 1e-3)
    found = []
    for snr_db in (-20.0, 4.0, 30.0):
        controller = Controller(N_DATA, SYMBOL_S)
        controller.view.observe_bands([snr_db], [N_DATA])
        found.append(controller.alone(need))
    assert found[0] == (0, 0)
    assert 0 < found[1][0] < N_DATA and found[2] == (N_DATA, 256)
