# SPDX-License-Identifier: GPL-3.0-or-later
"""Finite Guard: bad samples cost the frame that they are in, and no other."""

import numpy as np
import pytest

from semcom_blocks.gr.channel_estimator import ChannelEstimator
from semcom_blocks.gr.equalizer import Equalizer
from semcom_blocks.gr.finite_guard import FiniteGuard
from semcom_blocks.gr.frame_sync import FrameSyncBlock
from semcom_blocks.gr.ofdm_demodulator import OfdmDemodulator
from tests.semcom_blocks.gr.bench import Bench, Chunks, Recorder, until
from tests.semcom_blocks.gr.waveform import burst

BAD = [np.nan, complex(0, np.inf), 1e30, complex(-1e30, np.nan)]


@pytest.mark.parametrize("value", BAD, ids=str)
def test_one_bad_sample_then_a_hundred_and_the_next_frame_is_read(value):
    frames, stream = burst(4, snr_db=20.0)
    starts = frames["starts"]
    middle = len(frames["samples"][0]) // 2
    stream[starts[0] + middle] = value
    stream[starts[2] + middle : starts[2] + middle + 100] = value
    bench, guard = Bench(), FiniteGuard()
    sync, demodulator = FrameSyncBlock(), OfdmDemodulator()
    estimator, equalizer = ChannelEstimator(), Equalizer()
    bench.chain(Chunks(stream), guard, sync)
    bench.message(sync, "frames", demodulator, "frames")
    bench.message(demodulator, "grid", estimator, "grid")
    bench.message(estimator, "estimate", equalizer, "estimate")
    received = bench.collect(equalizer, "frames")
    with bench:
        until(lambda: any(abs(m["start_sample"] - starts[3]) < 1000 for m, _ in received.pdus))
    assert guard.replaced == 101
    read = {meta["header"].tobytes(): analog for meta, analog in received.pdus}
    for number in (1, 3):
        error = read[frames["headers"][number].to_bytes()] - frames["analog"][number]
        assert np.mean(np.abs(error) ** 2) == pytest.approx(0.01, rel=0.5)
    assert [block.refused for block in (demodulator, estimator, equalizer)] == [0, 0, 0]


def test_good_samples_and_tags_pass_as_they_are():
    samples = np.random.default_rng(0).standard_normal(200_000).view(np.complex128)
    samples = (100 * samples).astype(np.complex64)
    bench, guard, recorder = Bench(), FiniteGuard(), Recorder()
    bench.chain(Chunks(samples, tags=[(70_000, "eof", True)]), guard, recorder)
    with bench:
        until(lambda: recorder.count == len(samples))
    assert np.array_equal(recorder.samples, samples)
    assert recorder.tags == [(70_000, "eof", True)]
    assert guard.replaced == 0
