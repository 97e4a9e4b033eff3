# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts: a limit is violated only beyond doubt, and a broken receiver is never passed."""

import copy

import numpy as np
import pytest

from host.bench.link import command, document, plan, remarks, runner, targets
from host.bench.link.figures import PAGES, draw_all
from host.bench.link.figures.style import png
from semcom_blocks.phy.numerology import Numerology

NUM = Numerology()


def record(value, low, high, **parameters):
    return {"x": value, "x_ci": [low, high], **parameters}


@pytest.mark.parametrize(
    ("ends", "met"),
    [((0.5, 0.9), True), ((0.5, 1.1), None), ((1.1, 1.5), False), ((-np.inf, np.inf), None)],
)
def test_the_interval_decides(ends, met):
    value = float(np.clip(0.8, *ends))
    assert targets.within([record(value, *ends)], "x", most=1.0) == (value, met)
    assert targets.within([record(-value, -ends[1], -ends[0])], "x", least=-1.0) == (-value, met)


def test_the_worst_record_decides():
    good, vague, bad = record(0.1, 0, 0.2), record(1.0, 0.8, 1.2), record(3.0, 2.5, 3.5)
    assert targets.within([good, vague], "x", most=1.0) == (1.0, None)
    for records in ([good, vague, bad], [bad, vague, good]):
        assert targets.within(records, "x", most=1.0) == (3.0, False)


def test_sign_does_not_count_in_a_magnitude():
    assert targets.within([record(-3, -3.5, -2.5)], "x", most=2.0, magnitude=True) == (3, False)
    assert targets.within([record(-1, -3, 1)], "x", most=2.0, magnitude=True) == (1, None)
    assert targets.within([record(-1, -1.9, -0.1)], "x", most=2.0, magnitude=True) == (1, True)


def test_nothing_measured_decides_nothing():
    nan = float("nan")
    assert targets.within([], "x", most=1.0)[1] is None
    assert targets.within([record(nan, nan, nan)], "x", most=1.0)[1] is None


def packets(part, rates):
    return [
        {"part": part, "channel": "awgn", "snr_db": snr_db, "per": per, "per_ci": [0, per or 0.01]}
        for snr_db, per in rates.items()
    ]


def test_header_advantage_is_read_between_the_points():
    records = packets("header", {-4.0: 1.0, -2.0: 0.01}) + packets("prompt", {2.0: 0.5, 4.0: 0.0})
    # log-linear: -3 dB for headers; the prompt's 0 counts as its interval's end.
    prompt_db = 2.0 + 2.0 * np.log(0.5 / 0.1) / np.log(0.5 / 0.01)
    assert remarks.header_advantage_db(records, "awgn") == pytest.approx(prompt_db + 3.0)
    assert np.isnan(remarks.header_advantage_db(records[:2], "awgn"))


@pytest.fixture(scope="module")
def curves():
    """A sixtieth of the quick set, less the picture: the decoder is not under test here."""
    points = [point for point in plan.scaled(plan.quick(), 1 / 60) if point.curve != "picture"]
    found = document.curves_of(points, runner.measure(points, NUM, seed=1, workers=2))
    picture = {"channel": "awgn", "snr_db": 10.0, "pictures": 3}
    figures = {"psnr_db": 33.0, "psnr_ideal_db": 33.1, "loss_db": 0.1}
    ends = {f"{name}_ci": [value - 0.1, value + 0.1] for name, value in figures.items()}
    return {**found, "picture": [picture | figures | ends]}


def met(curves):
    return {verdict.target: verdict.met for verdict in targets.verdicts(curves)}


def test_every_target_has_a_verdict_and_none_is_violated(curves):
    found = targets.verdicts(curves)
    assert sorted({verdict.number for verdict in found}) == [2, 3, 4, 5, 6, 7, 10]
    assert all(verdict.met is not False for verdict in found), found
    assert sum(verdict.met is True for verdict in found) >= 6


DAMAGE = {
    "found at 3 dB, awgn": ("detection", {"probability": 0.9, "probability_ci": [0.88, 0.92]}),
    "false frames per 10⁸ of noise": ("false_alarms", {"frames_per_1e8_ci": [1.2, 9.0]}),
    "frames in other signals": ("false_alarms", {"frames": 1}),
    "CFO residual, ±8 carriers, RMS": ("cfo", {"found": 0.5}),
    "±100 ppm over 65,536 samples": ("sro", {"lost": 1}),
    "QPSK against theory, awgn": (
        "ber",
        {"loss_to_theory_db": np.inf, "loss_to_theory_db_ci": [np.inf, np.inf]},
    ),
    "analog SNR against known": ("analog", {"lost": 1}),
    "amplitude bias, analog": ("analog", {"amplitude_bias_percent_ci": [-4.0, -3.0]}),
    "PSNR against ideal, awgn": ("picture", {"loss_db_ci": [0.4, 0.6]}),
    "SNR estimate, awgn, 99 %": ("snr_estimate", {"beyond_1_db_ci": [0.02, 0.1]}),
}


@pytest.mark.parametrize("target", DAMAGE)
def test_every_violation_is_seen(curves, target):
    name, change = DAMAGE[target]
    damaged = copy.deepcopy(curves)
    for one in damaged[name]:
        one.update(change)
    assert met(damaged)[target] is False
    whole = document.build(damaged, NUM, seed=1, quick=True)
    assert command.exit_code(whole) == 1
    assert command.exit_code(document.build(curves, NUM, seed=1, quick=True)) == 0


def test_every_page_is_drawn(curves):
    pages = draw_all(curves)
    assert set(pages) == set(PAGES)
    assert all(page.startswith(b"\x89PNG") and len(page) > 20_000 for page in pages.values())
    # The same figures give the same files, so that a repeated run changes nothing in git.
    name = "link-envelope.png"
    assert png(PAGES[name](curves)) == pages[name]


def test_the_full_plan_draws_whole_curves():
    full = {point.curve for point in plan.full()}
    assert full == {point.curve for point in plan.quick()}
    keys = [point.key for point in plan.full()]
    assert len(set(keys)) == len(keys)
