# SPDX-License-Identifier: GPL-3.0-or-later
"""The short-field detector: where it fires, and how rarely it does in noise."""

import numpy as np
import pytest

from semcom_blocks.phy import detect
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import short_period

NUM = Numerology()


def candidates(stream):
    n_scan = len(stream) - detect.lookahead(NUM)
    return detect.find_candidates(stream, n_scan, NUM)


def test_false_alarms_are_as_rare_as_theory_says(link, monkeypatch):
    """P(ρ² > t) = (1 − t)^(W − 1) in white noise; crossings in a row count once."""
    monkeypatch.setattr(detect, "DETECTION_THRESHOLD", 0.05)
    noise = link.normal(2_000_000)
    positions = len(noise) / detect.stride(NUM)
    expected = positions * 0.95 ** (8 * short_period(NUM) - 1)
    assert 0.3 * expected < len(candidates(noise)) < 1.1 * expected


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e4])
def test_decisions_do_not_depend_on_the_level(link, monkeypatch, scale):
    monkeypatch.setattr(detect, "DETECTION_THRESHOLD", 0.05)
    noise = link.normal(200_000)
    positions = [found.position for found in candidates(noise)]
    assert len(positions) > 5
    assert [found.position for found in candidates(noise * np.float32(scale))] == positions


@pytest.mark.parametrize("fill", [0.0, 1e-18])
def test_silence_is_no_candidate(fill):
    assert candidates(np.full(20_000, fill, np.complex64)) == []


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 40.0])
@pytest.mark.parametrize("before", [0, 1, 1003])
def test_candidate_lies_near_the_frame_and_reads_its_cfo(link, snr_db, before):
    """Near enough for the long field to be searched for, ±1 symbol; CFO within a carrier."""
    for cfo_hz in (-28e3, 0.0, 5e3, 28e3):
        sent = link.frame(analog=100)
        stream = link.send(sent.samples, before=before, snr_db=snr_db, cfo_hz=cfo_hz)
        near = [c for c in candidates(stream) if abs(c.position - before) <= NUM.fft_size]
        assert near
        assert min(abs(c.cfo_hz - cfo_hz) for c in near) < 0.3 * NUM.spacing_hz


def test_two_frames_in_a_row_are_two_candidates(link):
    sent = link.frame(analog=50)
    stream = link.send(np.tile(sent.samples, 2), snr_db=20)
    starts = np.array([1000, 1000 + len(sent.samples)])
    positions = np.array([c.position for c in candidates(stream)])
    assert np.all(np.abs(positions[:, None] - starts).min(axis=0) < NUM.fft_size)
