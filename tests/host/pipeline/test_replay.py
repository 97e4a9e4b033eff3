# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded frames against replayed ones: matched by number and place, the rest told apart."""

import math

import pytest

from host.pipeline.records import FrameLog
from host.pipeline.replay import compare
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.recording import FrameNote
from semcom_blocks.recording.notes import preamble_start
from semcom_blocks.wire import Message

NUM = Numerology()
SHIFT = -preamble_start(0, NUM)  # from a frame's first sample to the window of its long field


def note(start, seq, job_id=1, **measured):
    return FrameNote(start, 1000, job_id=job_id, seq=seq, **measured)


def log(*frames):
    found = FrameLog()
    for start, seq, snr_db, cfo_hz in frames:
        meta = {"seq": seq, "snr_db": snr_db, "cfo_hz": cfo_hz, "timing_sample": start + SHIFT}
        found.add(Message("frame", meta, {}))
    return found


def test_frames_meet_by_number_and_place():
    noted = [note(1000, 0, snr_db=10.0, cfo_hz=5.0), note(3000, 1, snr_db=11.0, cfo_hz=5.0)]
    result = compare(noted, log((3001, 1, 11.5, 4.0), (1000, 0, 10.0, 5.0)), 1, NUM)
    assert (result["matched"], result["lost"], result["new"]) == (2, 0, 0)
    assert [row["seq"] for row in result["frames"]] == [0, 1]
    assert result["difference"]["snr_db"] == pytest.approx({"mean": 0.25, "max_abs": 0.5})
    assert result["difference"]["cfo_hz"] == pytest.approx({"mean": -0.5, "max_abs": 1.0})


def test_what_only_one_side_has_is_lost_or_new():
    noted = [note(1000, 0, snr_db=10.0, cfo_hz=0.0), note(9000, 4, job_id=2)]
    result = compare(noted, log((5000, 7, 3.0, 1.0)), 1, NUM)
    assert (result["matched"], result["lost"], result["new"]) == (0, 1, 1)
    lost, new = result["frames"]
    assert (lost["seq"], lost["replayed"]) == (0, None)
    assert (new["seq"], new["recorded"]) == (7, None)
    assert result["difference"] == {"snr_db": None, "cfo_hz": None}


def test_numbers_that_came_round_meet_at_their_own_place():
    noted = [note(1000, 3, snr_db=1.0), note(900_000, 3, snr_db=2.0)]
    result = compare(noted, log((900_002, 3, 2.0, 0.0)), 1, NUM)
    assert [row["replayed"] is None for row in result["frames"]] == [True, False]
    assert result["difference"]["snr_db"]["max_abs"] == 0


def test_ends_and_bad_headers_are_no_frames_to_be_found_again():
    noted = [FrameNote(0, 1000, header_ok=False), FrameNote(5, 9, job_id=1, seq=2, end=True)]
    assert compare(noted, log(), 1, NUM)["frames"] == []


def test_a_senders_recording_has_nothing_to_differ_from():
    result = compare([note(1000, 0)], log((1000, 0, 10.0, math.nan)), 1, NUM)
    assert result["matched"] == 1
    assert result["difference"] == {"snr_db": None, "cfo_hz": None}
