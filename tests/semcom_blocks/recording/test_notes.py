# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes on frames: where a frame lies, what is known of it, and back from an annotation."""

import json
import math

import numpy as np
import pytest

from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.sync import FrameSync
from semcom_blocks.recording import FrameNote
from semcom_blocks.recording.notes import bad_header, preamble_start, without_echoes

MEASURED = {"snr_db": 12.5, "cfo_hz": -300.0, "sro_ppm": 2.0, "evm_db": -12.0, "power_dbfs": -3.0}
HEADER = FrameHeader(5, 300, digital_bytes=40, analog_symbols=500, stream_id=1)


@pytest.mark.parametrize(
    "num",
    [Numerology(), Numerology(fft_size=256, cp_len=32, n_used=200, n_comb=8)],
    ids=["64", "256"],
)
def test_a_note_covers_the_frame_from_its_first_sample_to_its_last(num):
    rng = np.random.default_rng(0)
    analog = (rng.standard_normal((500, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)
    frame = modulate(build_grid(FrameLayout(num, HEADER), rng.bytes(40), analog), num)
    sync = FrameSync(num)
    lead = np.zeros(3000, np.complex64)
    (capture,) = [*sync.push(np.concatenate([lead, frame])), *sync.flush()]
    note = FrameNote.of(capture.header, num, preamble_start(capture.start_sample, num))
    assert (note.sample_start, note.sample_count) == (len(lead), len(frame))


def test_an_annotation_holds_all_of_a_note_and_gives_it_back():
    note = FrameNote.of(HEADER, Numerology(), 1000, MEASURED)
    annotation = json.loads(json.dumps(note.to_annotation(), allow_nan=False))
    assert annotation["core:sample_start"] == 1000
    assert annotation["core:label"] == "job 5 #300"
    assert annotation["semcom:snr_db"] == 12.5
    assert FrameNote.from_annotation(annotation) == note


def test_what_a_side_cannot_know_is_left_out():
    sent = FrameNote.of(HEADER, Numerology(), 0)
    assert (sent.snr_db, sent.cfo_hz) == (None, None)
    assert "semcom:snr_db" not in sent.to_annotation()
    odd = FrameNote.of(
        HEADER, Numerology(), 0, MEASURED | {"snr_db": math.nan, "cfo_hz": -math.inf}
    )
    assert (odd.snr_db, odd.cfo_hz, odd.evm_db) == (None, None, -12.0)
    bad = bad_header(Numerology(), 5000, 20.0)
    assert (bad.header_ok, bad.job_id, bad.label) == (False, None, "bad header")
    assert FrameNote.from_annotation(bad.to_annotation()) == bad
    assert bad_header(Numerology(), 3, 0.0).sample_start == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"core:sample_start": -1},
        {"core:sample_start": 1.5},
        {"core:sample_start": True},
        {"core:sample_count": None},
        {"semcom:header_ok": None},
        {"semcom:header_ok": 1},
        {"semcom:seq": "3"},
        {"semcom:seq": True},
        {"semcom:snr_db": "loud"},
        {"semcom:snr_db": math.nan},
    ],
)
def test_annotations_of_others_are_no_notes(changes):
    annotation = FrameNote.of(HEADER, Numerology(), 1000, MEASURED).to_annotation()
    assert FrameNote.from_annotation(annotation | changes) is None


def test_a_bad_header_inside_a_frame_that_was_read_is_chance():
    frame, later = FrameNote(1000, 500, seq=1), FrameNote(3000, 500, seq=2)
    bad = [FrameNote(start, 200, header_ok=False) for start in (700, 801, 1200, 1499, 1500, 2900)]
    kept = without_echoes([later, *bad, frame])
    assert [note.sample_start for note in kept] == [700, 1000, 1500, 3000]
    assert without_echoes(bad) == bad
