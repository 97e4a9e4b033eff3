# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision of the controller in report, table and page."""

import json

import numpy as np

from host.config import load_run
from host.pipeline.adaptation import adapt, controller_of
from host.pipeline.records import STREAM_EDGES
from host.pipeline.semantics import Semantics, SentStream
from host.report.allocation import headline, rows
from host.report.document import build, to_json
from host.report.drawing import draw
from tests.host.report.conftest import full


def decided(snr_db: float, edge_ber: float = 0.01):
    run = load_run(None, {"allocation": {"adapt": True, "edge_ber": edge_ber}})
    bits = np.zeros(600, np.uint8)
    stream = SentStream("edges", np.zeros(300, np.complex64), {"m": 2, "b": 600, "n": 300}, bits)
    heard = [np.full(run.numerology.n_used, 10 ** (snr_db / 10))]
    outcome = full()
    outcome.run = run
    outcome.adaptation = adapt(
        controller_of(run), run, Semantics("a cat", {STREAM_EDGES: stream}), heard
    )
    outcome.frames.band_snr_db = [[snr_db] * len(outcome.adaptation.bands)]
    return outcome


def test_report_has_plan_and_measure() -> None:
    report = build(decided(18.0))
    told = json.loads(to_json(report))["allocation"]
    prompt, edges = told["streams"]
    assert prompt["modulation"] == "QPSK" and edges["order"] > 0
    assert prompt["power"] + edges["power"] == 1 or abs(prompt["power"] + edges["power"] - 1) < 1e-5
    assert edges["channel_snr_db"] == 18.0
    assert told["on_air_ms"] == 5.0 and told["retransmissions"] == 0
    words = dict(rows(report))
    assert "18.0 dB" in words["band edges"] and "carriers" in words["band prompt"]


def test_refusal_is_said_with_its_reason() -> None:
    outcome = decided(4.0, 1e-7)
    report = build(outcome)
    assert "refused" in dict(rows(report))["band edges"]
    assert "drawn from the prompt alone" in dict(rows(report))["band edges"]
    assert "edges refused" in headline(outcome.adaptation.plan)


def test_page_is_drawn_and_jobs_without_bands_have_none() -> None:
    outcome = decided(18.0)
    assert draw(outcome, build(outcome)).startswith(b"\x89PNG")
    plain = build(full())
    assert plain["allocation"] is None and rows(plain) == []
