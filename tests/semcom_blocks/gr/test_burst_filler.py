# SPDX-License-Identifier: GPL-3.0-or-later
"""Burst Filler: silence between frames, never inside one, and jobs reported when they are out."""

import time

import numpy as np
import pytest

from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.burst_filler import BurstFiller
from tests.semcom_blocks.gr.bench import Bench, Chunks, Recorder, until

FRAME = 5000


class Halting(Chunks):
    """Stops at ``halt`` samples until ``go`` is set."""

    halt, go = None, False

    def work(self, input_items, output_items):
        if self._at == self.halt and not self.go:
            time.sleep(0.001)
            return 0
        room = len(output_items[0])
        if self.halt is not None and self._at < self.halt:
            room = min(room, self.halt - self._at)
        return super().work(input_items, [output_items[0][:room]])


def ramp(n):
    """Samples that tell their own place, none of them silence."""
    return np.arange(1, n + 1).astype(np.complex64)


def bench_of(source, **settings):
    bench = Bench()
    bench.block, bench.stream = BurstFiller(**settings), Recorder()
    bench.chain(source, bench.block, bench.stream)
    bench.statuses = bench.collect(bench.block, "status").pdus
    return bench


def test_silence_never_ends_and_frames_stay_whole():
    samples = ramp(2 * FRAME)
    tags = [(0, "frame_len", FRAME), (FRAME, "frame_len", FRAME)]
    source = Halting(samples, tags=tags)
    source.halt = FRAME // 2
    bench = bench_of(source, silence=-1j)
    with bench:
        until(lambda: bench.stream.count >= FRAME // 2)
        time.sleep(0.05)  # time enough to fill, were it not inside a frame
        silent = np.flatnonzero(bench.stream.samples == -1j)
        first = int(np.argmax(bench.stream.samples == 1))
        assert not np.any(silent > first)
        source.go = True
        until(lambda: np.count_nonzero(bench.stream.samples == samples[-1]))
        until(lambda: bench.stream.samples[-1] == -1j)
    sent = bench.stream.samples
    first, second = int(np.argmax(sent == 1)), int(np.argmax(sent == FRAME + 1))
    np.testing.assert_array_equal(sent[first : first + FRAME], samples[:FRAME])
    np.testing.assert_array_equal(sent[second : second + FRAME], samples[FRAME:])
    np.testing.assert_array_equal(sent[sent != -1j], samples)
    assert bench.block.filled >= np.count_nonzero(sent == -1j)


def test_a_job_is_reported_once_its_tail_went_out():
    tail = 50_000
    bench = bench_of(Chunks(ramp(FRAME), tags=[(FRAME - 1, "job_end", 300)]), tail_samples=tail)
    with bench:
        until(lambda: bench.statuses)
        meta, _ = bench.statuses[0]
        count = bench.stream.count
    assert meta == {"job_id": 300, "job_end": True}
    # What the recorder has not taken yet may stand in one buffer of the scheduler.
    assert count >= tail - 65_536 // 8
    assert len(bench.statuses) == 1


def test_without_anything_to_send_it_is_silent():
    bench = bench_of(Chunks(ramp(0)))
    with bench:
        until(lambda: bench.stream.count > 10_000)
    assert not np.any(bench.stream.samples)


@pytest.mark.parametrize("tail", [-1, float("nan"), 1e12])
def test_a_tail_out_of_range(tail):
    with pytest.raises(ConfigError, match="tail_samples"):
        BurstFiller(tail)
