# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame Sync: the frames found do not depend on how the scheduler cuts the stream."""

import itertools

import numpy as np
import pytest

from semcom_blocks.gr.base import EOF_KEY
from semcom_blocks.gr.frame_sync import FrameSyncBlock
from semcom_blocks.phy.sync import FrameSync
from tests.semcom_blocks.gr.bench import Bench, Chunks, until
from tests.semcom_blocks.gr.waveform import NUM, burst

COUNT = 5


def found(stream, expected, sizes=None, tags=(), ends=0):
    """PDUs of the block, and the block."""
    bench, sync = Bench(), FrameSyncBlock()
    frames = bench.collect(sync, "frames")
    bench.chain(Chunks(stream, sizes, tags), sync)
    with bench:
        until(lambda: len(frames.pdus) >= expected and frames.ends >= ends)
    assert frames.ends == ends
    return frames.pdus, sync


@pytest.mark.parametrize("sizes", [(8192,), (997,), (1, 3, 7, 4095), (64, 8191, 1)])
def test_odd_pieces_give_the_same_frames(sizes):
    _, stream = burst(COUNT, snr_db=10.0, gap=9000)
    plain = FrameSync(NUM).push(stream)
    pdus, sync = found(stream, COUNT, itertools.cycle(sizes))
    assert len(pdus) == len(plain) == COUNT
    for (meta, samples), capture in zip(pdus, plain, strict=True):
        assert np.array_equal(samples, capture.samples)
        assert meta["header"].tobytes() == capture.header.to_bytes()
        assert meta["start_sample"] == capture.start_sample
        assert (meta["cfo_hz"], meta["power_dbfs"]) == (capture.cfo_hz, capture.power_dbfs)
        assert len(meta["psd_db"]) == 256
    assert sync.counters["frames"] == COUNT


@pytest.mark.parametrize("gap", [1000, 3000, 5000])
def test_the_end_of_a_recording_lets_the_last_frame_go(gap):
    """The stream ends with the frame's last sample; without the tag it would wait for more."""
    sent, stream = burst(2, snr_db=None, gap=gap)
    stream = stream[: sent["starts"][1] + len(sent["samples"][1])]
    assert len(FrameSync(NUM).push(stream)) < 2
    whole = np.concatenate([stream, np.zeros(1, np.complex64)])
    pdus, _ = found(whole, 2, tags=[(len(stream), EOF_KEY, True)], ends=1)
    headers = [meta["header"].tobytes() for meta, _ in pdus]
    assert headers == [header.to_bytes() for header in sent["headers"]]


def test_silence_and_noise_give_nothing():
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(400_000, dtype=np.float32).view(np.complex64)
    stream = np.concatenate([np.zeros(100_000, np.complex64), noise])
    pdus, sync = found(stream, 0, tags=[(len(stream) - 1, EOF_KEY, True)], ends=1)
    assert pdus == []
    assert sync.counters["samples"] == len(stream)
