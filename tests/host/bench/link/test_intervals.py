# SPDX-License-Identifier: GPL-3.0-or-later
"""Confidence intervals against tables, and by how often they hold the truth."""

import numpy as np
import pytest

from host.bench.link import intervals

RUNS = 2000
#: 95 % of 2000 runs, less four deviations.
LEAST = 0.93


def covered(truth, found):
    return np.mean([interval.low <= truth <= interval.high for interval in found])


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (10, 10, 0.7225, 1.0), (1, 2, 0.0945, 0.9055)],
)
def test_wilson_by_the_table(hits, trials, low, high):
    found = intervals.proportion(hits, trials)
    assert found == pytest.approx((hits / trials, low, high), abs=1e-4)


@pytest.mark.parametrize(("trials", "share"), [(20, 0.1), (200, 0.01), (50, 0.97)])
def test_wilson_holds_the_truth_as_often_as_it_says(trials, share):
    hits = np.random.default_rng(1).binomial(trials, share, RUNS)
    found = covered(share, [intervals.proportion(int(hit), trials) for hit in hits])
    assert found >= LEAST - 0.02  # on average over shares it is 95 %, for a single one near it


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (3, 0.6187, 8.7673)]
)
def test_rare_events_by_the_table(count, low, high):
    assert intervals.events(count, 2.0) == pytest.approx((count / 2, low / 2, high / 2), abs=1e-4)


@pytest.mark.parametrize("n", [3, 30])
def test_mean_holds_the_truth_in_small_samples_too(n):
    values = np.random.default_rng(2).normal(5.0, 2.0, (RUNS, n))
    assert LEAST <= covered(5.0, [intervals.mean(row) for row in values]) <= 0.97


def test_one_value_says_nothing_about_its_spread():
    assert intervals.mean([3.0]) == (3.0, -np.inf, np.inf)


def test_no_value_is_no_figure():
    assert np.isnan(intervals.mean([])).all()
    assert np.isnan(intervals.proportion(0, 0)).all()
    assert np.isnan(intervals.ratio_db([], [])).all()


def test_rms_of_known_errors():
    errors = np.random.default_rng(3).normal(0.0, 2.0, (RUNS, 100))
    found = [intervals.rms(row) for row in errors]
    assert np.mean([interval.value for interval in found]) == pytest.approx(2.0, rel=0.01)
    assert covered(2.0, found) >= LEAST - 0.01


def test_ratio_of_paired_values_is_as_sharp_as_their_difference():
    rng = np.random.default_rng(4)
    common = rng.exponential(1.0, (RUNS, 60))
    above = 2 * common * rng.normal(1.0, 0.02, common.shape)
    found = [intervals.ratio_db(a, b) for a, b in zip(above, common, strict=True)]
    truth = 10 * np.log10(2)
    assert covered(truth, found) >= LEAST - 0.01
    # Unpaired, 60 exponential values would leave ±1.5 dB.
    assert np.mean([interval.high - interval.low for interval in found]) < 0.1


def test_a_ratio_without_power_is_no_figure():
    assert np.isnan(intervals.ratio_db([0.0, 0.0], [1.0, 1.0])).all()
