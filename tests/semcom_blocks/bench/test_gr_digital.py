# SPDX-License-Identifier: GPL-3.0-or-later
"""GNU Radio's receiver gets all of its frames right, or its figures would be void."""

import pytest

from semcom_blocks.bench import gr_digital
from semcom_blocks.bench.recording import Segment


@pytest.mark.parametrize("kind", ["short", "medium"])
def test_gnu_radio_gets_its_frames_right(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(gr_digital, "SEGMENT_SAMPLES", 60_000)
    path = tmp_path / "iq.cf32"
    made = gr_digital.make(path, kind)
    segment = Segment(**made["segment"])
    assert made["transmit"]["samples"] == segment.count - segment.frames * gr_digital.GAP
    answer = gr_digital.decode(path, [segment])[kind]
    assert answer["good"] == segment.frames > 10
    assert answer["samples"] == segment.count


def test_gnu_radios_damaged_frames_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(gr_digital, "SEGMENT_SAMPLES", 30_000)
    path = tmp_path / "iq.cf32"
    segment = Segment(**gr_digital.make(path, "short")["segment"])
    samples = segment.read(path)
    samples[5000:5300] *= -1
    samples.tofile(path)
    assert gr_digital.decode(path, [segment])["short"]["good"] < segment.frames
