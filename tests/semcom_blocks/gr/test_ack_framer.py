# SPDX-License-Identifier: GPL-3.0-or-later
"""Ack Framer and its way: short frames, told from data by their headers, the latest kept."""

import numpy as np
import pytest

from semcom_blocks.gr import pdu
from semcom_blocks.gr.ack_framer import AckFramerBlock
from semcom_blocks.gr.channel_estimator import ChannelEstimator
from semcom_blocks.gr.equalizer import Equalizer
from semcom_blocks.gr.frame_sync import FrameSyncBlock
from semcom_blocks.gr.ofdm_demodulator import OfdmDemodulator
from semcom_blocks.gr.ofdm_modulator import OfdmModulator
from semcom_blocks.gr.software_channel import SoftwareChannelBlock
from semcom_blocks.link.packets import MAX_ACK_BYTES, Ack
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from tests.semcom_blocks.gr.bench import Bench, Chunks, Recorder, no_pdus, post, send, until
from tests.semcom_blocks.gr.waveform import NUM, burst

GAP = 6000
ACKS = [Ack(7, 3, index, 40, (1 << index) - 1, 2).to_bytes() for index in range(10)]


def air(snr_db=8.0):
    """A bench with the way of acknowledgements, and what came out of it."""
    bench, framer = Bench(), AckFramerBlock()
    modulator = OfdmModulator(gap_samples=GAP)
    sync, demodulator = FrameSyncBlock(acks=True), OfdmDemodulator()
    estimator, equalizer, stream = ChannelEstimator(), Equalizer(), Recorder()
    channel = SoftwareChannelBlock({"snr_db": snr_db, "cfo_hz": -3000.0, "seed": 4})
    bench.message(framer, "grid", modulator, "grid")
    bench.chain(modulator, channel, sync)
    bench.chain(channel, stream)
    bench.message(sync, "frames", demodulator, "frames")
    bench.message(demodulator, "grid", estimator, "grid")
    bench.message(estimator, "estimate", equalizer, "estimate")
    return bench, framer, sync, stream, bench.collect(equalizer, "packets").pdus


def test_what_is_acknowledged_comes_out_at_the_sender():
    bench, framer, sync, stream, came = air()
    with bench:
        for ack in ACKS:
            send(framer, "ack", {"job_id": 3}, ack)
        until(lambda: len(came) == len(ACKS))
    assert [(meta["job_id"], data.tobytes()) for meta, data in came] == [(3, a) for a in ACKS]
    assert (framer.refused, sync.foreign) == (0, 0)
    # At 1 MS/s 2.2 ms each, half of what the frame of a full packet takes.
    # Those that a busy machine hands in late begin a burst of their own.
    assert min(np.diff(stream.at("frame"))) <= 2200


def test_frames_of_data_are_no_acknowledgements_and_the_other_way_round():
    _, data = burst(5)
    bench, framer, _, stream, came = air()
    with bench:
        for ack in ACKS:
            send(framer, "ack", {"job_id": 3}, ack)
        until(lambda: len(came) == len(ACKS))
    both = np.concatenate([data, stream.samples, data, np.zeros(10_000, np.complex64)])
    found = {}
    for acks in (False, True):
        bench, sync = Bench(), FrameSyncBlock(acks=acks)
        bench.chain(Chunks(both), sync)
        frames = bench.collect(sync, "frames").pdus
        with bench:
            expected = len(ACKS) if acks else 10
            until(lambda s=sync, f=frames, n=expected: (len(f), s.foreign) == (n, 20 - n))
        found[acks] = [FrameHeader.from_bytes(meta["header"].tobytes()).ack for meta, _ in frames]
    assert found == {False: [False] * 10, True: [True] * 10}


@pytest.mark.parametrize(
    ("meta", "data"),
    [
        ({"job_id": 1}, b""),
        ({"job_id": 1}, bytes(MAX_ACK_BYTES + 1)),
        ({"job_id": 1}, np.ones(20, np.float32)),
        ({"job_id": 1 << 16}, b"ack"),
        ({"job_id": -1}, b"ack"),
        ({"job_id": "one"}, b"ack"),
        ({}, b"ack"),
    ],
)
def test_what_is_no_acknowledgement_is_counted_and_the_next_one_goes_out(meta, data):
    bench, framer = Bench(), AckFramerBlock()
    grids = bench.collect(framer, "grid").pdus
    with bench:
        send(framer, "ack", meta, data)
        until(lambda: framer.refused == 1)
        assert grids == []
        send(framer, "ack", {"job_id": 1}, ACKS[0])
        until(lambda: grids)
    assert FrameHeader.from_bytes(grids[0][0]["header"].tobytes()).digital_bytes == len(ACKS[0])


def test_what_is_no_pdu_is_counted():
    bench, framer = Bench(), AckFramerBlock()
    bench.collect(framer, "grid")
    with bench:
        for message in no_pdus():
            post(framer, "ack", message)
        until(lambda: framer.refused == len(no_pdus()))


def test_of_acknowledgements_that_wait_the_latest_are_kept():
    bench, framer = Bench(), AckFramerBlock()
    grids = bench.collect(framer, "grid").pdus
    with bench:
        for ack in ACKS:
            send(framer, "ack", {"job_id": 3}, ack)
        until(lambda: len(grids) == len(ACKS))
    bench, modulator, stream = Bench(), OfdmModulator(gap_samples=GAP, max_waiting=4), Recorder()
    bench.chain(modulator, stream)
    for meta, grid in grids:  # before the flowgraph runs nothing takes them
        modulator._take(pdu.make(meta, grid))
    with bench:
        until(lambda: stream.at("tx_eob"))
    assert [value for _, name, value in stream.tags if name == "frame"] == [6, 7, 8, 9]


def test_urgent_acknowledgements_overtake_data_and_are_no_frames_of_a_job():
    """A station that works both ways has one modulator for both."""
    header = FrameHeader(3, 0, digital_bytes=40)
    data = build_grid(FrameLayout(NUM, header), bytes(40), np.zeros(0, np.complex64))
    bench, framer = Bench(), AckFramerBlock(urgent=True)
    grids = bench.collect(framer, "grid").pdus
    with bench:
        send(framer, "ack", {"job_id": 3}, ACKS[0])
        until(lambda: grids)
    bench, modulator, stream = Bench(), OfdmModulator(gap_samples=GAP), Recorder()
    status = bench.collect(modulator, "status").pdus
    bench.chain(modulator, stream)
    modulator._take(pdu.make({"header": header.to_bytes()}, data.reshape(-1)))
    modulator._take(pdu.make(*grids[0]))
    with bench:
        until(lambda: stream.at("tx_eob"))
    sent = [np.array(value, np.uint8) for _, name, value in stream.tags if name == "header"]
    assert [FrameHeader.from_bytes(header.tobytes()).ack for header in sent] == [True, False]
    assert [meta["job_id"] for meta, _ in status] == [3]
