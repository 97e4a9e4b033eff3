# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame Recorder beside a link: every sample, every frame noted by either side, gaps kept."""

import json

import numpy as np

from semcom_blocks.channel import ChannelConfig
from semcom_blocks.gr.base import EOF_KEY, GAP_KEY
from semcom_blocks.gr.frame_recorder import FrameRecorder
from semcom_blocks.gr.frame_sync import FrameSyncBlock
from semcom_blocks.gr.sigmf_file import SigmfSource
from semcom_blocks.recording import About
from tests.semcom_blocks.gr.bench import Bench, Chunks, Recorder, no_pdus, post, until
from tests.semcom_blocks.gr.link import BlockLink, Settings
from tests.semcom_blocks.gr.waveform import NUM, burst

RATE_HZ = 1e6
ABOUT = About(RATE_HZ, "a test", "sim")


def document(path):
    return json.loads(path.with_suffix(".sigmf-meta").read_text())


def test_both_sides_note_every_frame_at_the_same_place(tmp_path):
    rng = np.random.default_rng(0)
    symbols = (rng.standard_normal((2500, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)
    link = BlockLink(Settings(channel=ChannelConfig(snr_db=12.0, cfo_hz=700.0)))
    sides = {}
    for side, stream in (("tx", link.modulator), ("rx", link.channel)):
        sides[side] = FrameRecorder(str(tmp_path / side), ABOUT)
        link.chain(stream, sides[side])
    link.message(link.equalizer, "frames", sides["rx"], "frames")
    link.message(link.sync, "bad", sides["rx"], "bad")
    # The channel passes the sender's tags on; over the air there are none.
    sides["rx"]._on_tag = lambda tag: None
    with link:
        link.submit(9, rng.bytes(150), symbols)
        until(lambda: link.ended(9) and len(link.passed["equalizer.frames"]) == 6)
        until(lambda: sides["rx"].nitems_read(0) == sides["tx"].nitems_read(0))
    notes = {side: document(tmp_path / side)["annotations"] for side in sides}
    places = {
        side: [(a["core:sample_start"], a["core:sample_count"], a["semcom:seq"]) for a in found]
        for side, found in notes.items()
    }
    assert len(places["tx"]) == 6
    assert places["rx"] == places["tx"]
    assert [a["semcom:end"] for a in notes["rx"]] == [False] * 3 + [True] * 3
    assert all(abs(a["semcom:cfo_hz"] - 700) < 60 for a in notes["rx"])
    assert all(abs(a["semcom:snr_db"] - 12) < 1.5 for a in notes["rx"])
    assert all("semcom:snr_db" not in a for a in notes["tx"])
    written = np.fromfile(tmp_path / "rx.sigmf-data", "<c8")
    assert np.array_equal(written, link.air.samples[: len(written)])
    assert [recorder.refused for recorder in sides.values()] == [0, 0]


def test_a_header_that_cannot_be_read_is_noted_as_such(tmp_path):
    sent, samples = burst(3)
    (start,) = sent["starts"][1:2]
    # All of the second frame's header drowns.
    rng = np.random.default_rng(1)
    noise = (rng.standard_normal((600, 2)) @ [4, 4j]).astype(np.complex64)
    samples[start + 330 : start + 930] = noise
    bench, sync = Bench(), FrameSyncBlock()
    recorder = FrameRecorder(str(tmp_path / "r"), ABOUT)
    source = Chunks(samples)
    bench.chain(source, sync)
    bench.chain(source, recorder)
    bench.message(sync, "bad", recorder, "bad")
    frames = bench.collect(sync, "frames").pdus
    bad = bench.collect(sync, "bad").pdus
    with bench:
        until(lambda: len(frames) == 2 and bad and recorder.nitems_read(0) == len(samples))
    notes = document(tmp_path / "r")["annotations"]
    assert {note["semcom:header_ok"] for note in notes} == {False}
    assert min(abs(note["core:sample_start"] - start) for note in notes) <= NUM.cp_len


def test_gaps_begin_captures_and_come_back_as_gaps(tmp_path):
    _, samples = burst(2)
    bench, recorder = Bench(), FrameRecorder(str(tmp_path / "r"), ABOUT)
    bench.chain(Chunks(samples, tags=[(0, GAP_KEY, True), (3000, GAP_KEY, True)]), recorder)
    with bench:
        until(lambda: recorder.nitems_read(0) == len(samples))
    assert [c["core:sample_start"] for c in document(tmp_path / "r")["captures"]] == [0, 3000]
    bench, stream = Bench(), Recorder()
    bench.chain(SigmfSource(str(tmp_path / "r"), RATE_HZ), stream)
    with bench:
        until(lambda: stream.at(EOF_KEY))
    assert stream.at(GAP_KEY) == [3000]
    assert np.array_equal(stream.samples[: len(samples)], samples)


def test_a_full_disk_ends_the_recording_and_not_the_stream(tmp_path):
    recorder, stream, bench = FrameRecorder(str(tmp_path / "r"), ABOUT), Recorder(), Bench()
    recorder._writer._room = lambda _folder: 0
    samples = np.zeros(4_000_000, np.complex64)
    source = Chunks(samples)
    bench.chain(source, recorder)
    bench.chain(source, stream)
    with bench:
        until(lambda: stream.count == len(samples))
    assert recorder.failed is None
    fields = document(tmp_path / "r")["global"]
    assert 0 < fields["semcom:samples"] < len(samples)
    assert "bytes left" in fields["semcom:ended"]


def test_what_is_no_frame_is_counted(tmp_path):
    bench, recorder = Bench(), FrameRecorder(str(tmp_path / "r"), ABOUT)
    bench.chain(Chunks(np.ones(5000, np.complex64)), recorder)
    with bench:
        for port in ("frames", "bad"):
            for message in no_pdus():
                post(recorder, port, message)
        until(lambda: recorder.refused == 2 * len(no_pdus()))
        until(lambda: recorder.nitems_read(0) == 5000)
    assert document(tmp_path / "r")["annotations"] == []
