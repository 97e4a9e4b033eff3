# SPDX-License-Identifier: GPL-3.0-or-later
"""Timing our own receiver: a figure counts only with every frame right."""

from dataclasses import replace

import numpy as np
import pytest

from semcom_blocks.bench import frames, memory, own, recording, stages
from semcom_blocks.bench.clock import timed
from semcom_blocks.phy.numerology import Numerology

NUM = Numerology()


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "SEGMENT_SAMPLES", 40_000)
    monkeypatch.setattr(recording, "NOISE_SAMPLES", 300_000)
    return tmp_path / "iq.cf32"


@pytest.mark.parametrize("kind", frames.KINDS)
def test_every_frame_of_every_kind_is_right(path, kind):
    segment = frames.append_frames(path, kind, NUM)
    answer = own.decode(path, [segment])[kind]
    assert answer["good"] == segment.frames >= 1
    assert answer["samples"] == segment.count >= 40_000
    assert answer["cpu_s"] > 0


def test_damaged_frames_do_not_count(path):
    segment = frames.append_frames(path, "short", NUM)
    samples = segment.read(path)
    per_frame = segment.count // segment.frames
    samples[per_frame * 2 : per_frame * 2 + 400] = 0  # a preamble
    samples[per_frame * 5 + 1600 : per_frame * 5 + 1700] *= -1  # a symbol of the payload
    samples.tofile(path)
    assert own.decode(path, [segment])["short"]["good"] == segment.frames - 2


def test_a_wrong_packet_is_not_right():
    header = frames.header_of("coded", 0)
    samples = frames.transmit(NUM, header, *frames.payload("coded", 0))
    [frame] = own.run(samples, NUM)
    assert frames.is_right("coded", frame)
    wrong = replace(frame, payload=replace(frame.payload, digital=bytes(128)))
    assert not frames.is_right("coded", wrong)
    assert not frames.is_right("coded", replace(frame, header=frames.header_of("coded", 1)))


def test_frames_of_a_recording_differ():
    first, second = (frames.payload("coded", seq) for seq in (0, 1))
    assert first[0] != second[0]
    assert not np.array_equal(first[1], second[1])
    np.testing.assert_allclose(np.abs(first[1]), 1, rtol=1e-6)


def test_search_finds_nothing_in_noise(path):
    segment = recording.append_noise(path)
    answer = own.search(path, segment)
    assert answer["frames"] == 0
    assert answer["samples"] == segment.count


def test_transmitter_is_timed_over_whole_frames(monkeypatch):
    monkeypatch.setattr(own, "TRANSMIT_FRAMES", 3)
    one = frames.transmit(NUM, frames.header_of("short", 0), *frames.payload("short", 0))
    assert own.transmit("short")["samples"] == 3 * len(one)


def test_memory_is_watched_over_the_whole_stream(path):
    segments = [recording.append_noise(path), frames.append_frames(path, "medium", NUM)]
    answer = memory.growth(path, segments, 1_500_000)
    assert answer["samples"] >= 1_500_000
    assert answer["frames"] >= 3 * segments[1].frames
    assert answer["resident_bytes"] > 1e7
    assert answer["growth_bytes"] >= 0


def test_every_stage_takes_its_time(path, monkeypatch):
    monkeypatch.setattr(stages, "CALLS", 1)
    monkeypatch.setattr(stages, "TIMINGS", 3)
    spent = stages.stages_us(path, frames.append_frames(path, "medium", NUM))
    assert {"detect", "confirm", "header", "transform", "track", "estimate"} <= spent.keys()
    assert all(value > 0 for name, value in spent.items() if name != "demodulate_rest")
    # The whole against one of its parts: neighbours are too close for single calls.
    assert spent["receive"] > spent["track"]


def test_clock_tells_work_from_waiting():
    import time

    waited = timed(lambda: time.sleep(0.05), 7)
    assert waited["wall_s"] >= 0.05 > 2 * waited["cpu_s"]
    assert waited["samples"] == 7
