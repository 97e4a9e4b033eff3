# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of block error rates: fitted, shipped, looked up, and what a picture makes of it."""

import json
from itertools import pairwise

import numpy as np
import pytest

from host.baseline import bler
from host.baseline.bler import BlerTable, Curve, fit
from host.baseline.effective import Fading, powers_of, required_snr_db
from host.baseline.mcs import SWEEP, Mcs, lay
from semcom_blocks.errors import ConfigError

STILL = Fading(np.ones((1, 1)))
SNRS_DB = np.arange(-10.0, 35.0, 0.5)


@pytest.fixture(scope="module")
def table():
    return BlerTable.load()


def test_a_fit_returns_the_curve_that_made_the_counts():
    true = Curve(512, 3.2, 0.3)
    at = np.array([2.6, 3.0, 3.3, 3.6, 3.8, 4.4])
    words = np.array([24, 400, 400, 400, 400, 24])
    errors = np.random.default_rng(0).binomial(words, true.bler(at))
    found = fit(512, 1024, at, words, errors)
    assert found.threshold_db == pytest.approx(3.2, abs=0.04)
    assert found.spread_db == pytest.approx(0.3, abs=0.05)


def test_a_fit_without_a_single_mixed_count_stays_finite():
    found = fit(512, 1024, [1.0, 2.0], [24, 24], [24, 0])
    assert 1.0 < found.threshold_db < 2.0
    assert 0.1 < found.spread_db < 0.6


def test_the_shipped_table_is_complete_and_its_fits_pass_through_its_counts(table):
    rows = json.loads(bler.TABLE.read_text(encoding="utf-8"))["curves"]
    assert table.sweep == SWEEP
    assert {(r["mcs"], r["symbols"]) for r in rows} == {
        (mcs.name, symbols) for mcs in SWEEP for symbols in bler.lengths(mcs)
    }
    excess = []
    for row in rows:
        words, errors = np.array(row["words"]), np.array(row["errors"])
        curve = Curve(row["symbols"], row["threshold_db"], row["spread_db"])
        p = curve.bler(row["snr_db"])
        excess += ((errors - words * p) / np.sqrt(words * p * (1 - p) + 0.5)).tolist()
        assert row["undetected"] <= 2
    excess = np.array(excess)
    assert np.abs(excess).max() < 5
    assert np.sqrt(np.mean(excess**2)) < 1.4  # 1 if the waterfalls were Gaussian tails


def test_thresholds_lie_above_capacity_and_not_far(table):
    for mcs, curves in table.curves.items():
        limit = float(required_snr_db(np.array(mcs.efficiency), mcs.bits_per_symbol))
        gaps = [curve.threshold_db + 1.28 * curve.spread_db - limit for curve in curves]
        assert 0.3 < gaps[-1] < 1.6, mcs.name  # long words
        assert gaps[0] > gaps[-1]
        assert gaps[0] < 4.0


@pytest.mark.parametrize("mcs", SWEEP, ids=lambda m: m.name)
def test_errors_fall_with_snr_and_rise_with_rate(table, mcs):
    for symbols in (128, 300, 512, 5000, 40_000):
        found = [table.picture_error(mcs, symbols, snr_db, STILL) for snr_db in SNRS_DB]
        assert (np.diff(found) <= 1e-12).all()
        assert found[0] > 0.999
        assert found[-1] < 1e-3


def test_of_one_modulation_the_higher_rate_needs_more_power(table):
    for lower, higher in pairwise(SWEEP):
        if lower.bits_per_symbol == higher.bits_per_symbol:
            for symbols in (128, 512, 1024):
                a, b = (table.curve(mcs, symbols).threshold_db for mcs in (lower, higher))
                assert a < b


def test_a_picture_is_lost_with_any_of_its_code_words(table):
    mcs = Mcs.parse("16-QAM 1/2")
    count = lay(mcs, 32_768)
    one = float(table.curve(mcs, count.symbols).bler(6.3))
    assert 0 < one < 1
    found = table.picture_error(mcs, 32_768, 6.3, STILL)
    assert found == pytest.approx(1 - (1 - one) ** count.blocks)


def test_rayleigh_fading_is_the_mean_over_the_fade(table):
    mcs = Mcs.parse("QPSK 1/2")
    fading = Fading(powers_of("rayleigh", 4000, 0))
    threshold = table.curve(mcs, 512).threshold_db
    for snr_db in (10.0, 20.0, 30.0):  # outage: P(|h|² < threshold / SNR)
        outage = 1 - np.exp(-(10 ** ((threshold - snr_db) / 10)))
        assert table.picture_error(mcs, 512, snr_db, fading) == pytest.approx(outage, rel=0.06)


def test_multipath_predictions_match_words_that_were_sent():
    for row in json.loads(bler.TABLE.read_text(encoding="utf-8"))["checks"]:
        sigma = np.sqrt(max(row["bler"], 0.01) * (1 - row["bler"]) / row["words"])
        assert row["predicted"] == pytest.approx(row["bler"], abs=3 * sigma + 0.02), row


def test_a_payload_that_crcs_fill_never_arrives(table):
    assert table.picture_error(SWEEP[0], 40, 30.0, STILL) == 1.0


def test_refusals(table, tmp_path):
    with pytest.raises(ConfigError, match="symbols is 100"):
        table.picture_error(SWEEP[-1], 100, 10.0, STILL)
    with pytest.raises(ConfigError, match="mcs is BPSK 1/2"):
        table.curve(Mcs.parse("BPSK 1/2"), 512)
    for name, text in (("a.json", "{}"), ("b.json", "no"), ("c.json", '{"curves": [{}]}')):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match=f"{name} is not a table"):
            BlerTable.load(tmp_path / name)
    with pytest.raises(ConfigError, match=r"none\.json is not a table"):
        BlerTable.load(tmp_path / "none.json")
