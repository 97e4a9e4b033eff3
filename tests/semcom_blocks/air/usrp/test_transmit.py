# SPDX-License-Identifier: GPL-3.0-or-later
"""A transmit channel's state table, its flow control and its errors, with nothing around it."""

import struct

import numpy as np
import pytest

from semcom_blocks.air.usrp.board import start_tuning
from semcom_blocks.air.usrp.chdr import (
    ChdrError,
    PacketType,
    StreamCommand,
    StreamOp,
    StreamStatus,
    pack,
    unpack,
)
from semcom_blocks.air.usrp.timekeeper import Timekeeper
from semcom_blocks.air.usrp.transmit import CAPACITY_BYTES, TxStream

RATE_HZ = 1e6


@pytest.fixture
def tx(recorder):
    stream = TxStream(start_tuning("TX"), recorder, Timekeeper(lambda: 0, lambda: RATE_HZ))
    stream.command(StreamCommand(9, StreamOp.INIT, 2, 4096))
    recorder.sent.clear()
    stream.sequence = 0
    return stream


def send(tx, values, time=None, end=False):
    """Queue real samples of these values, of full scale 1."""
    codes = np.zeros(2 * len(values), "<i2")
    codes[::2] = np.round(np.asarray(values) * 32767)
    kind = PacketType.DATA if time is None else PacketType.TIMED_DATA
    tx.packet(unpack(pack(kind, 3, tx.sequence, codes.tobytes(), time, end)))
    tx.sequence += 1


def test_a_burst_goes_out_and_is_acknowledged(tx, recorder):
    send(tx, [0.5, -0.5])
    send(tx, [1.0], end=True)
    assert tx.streaming() and not tx.hungry(100)
    out = tx.take(5, 0)
    assert out.dtype == np.complex64
    assert np.allclose(out, [0.5, -0.5, 1.0, 0, 0], atol=1e-4)
    assert recorder.events == [("BURST_ACK", 3)]
    assert not tx.streaming() and tx.take(5, 5) is None


def test_a_timed_burst_waits_for_its_sample(tx, recorder):
    send(tx, [1.0, 1.0], time=12, end=True)
    assert tx.streaming()
    assert tx.take(10, 0) is None
    assert np.allclose(tx.take(10, 10), [0, 0, 1, 1, 0, 0, 0, 0, 0, 0], atol=1e-4)
    assert recorder.events == [("BURST_ACK", 14)]


def test_a_late_packet_is_told_and_dropped(tx, recorder):
    send(tx, [1.0], time=5, end=True)
    send(tx, [0.5], end=True)
    assert np.allclose(tx.take(4, 100), [0.5, 0, 0, 0], atol=1e-4)
    assert recorder.events == [("LATE_DATA", 100), ("BURST_ACK", 101)]


def test_policy_next_burst_drops_the_rest_of_a_late_one(tx, recorder):
    tx.policy = 2
    send(tx, [1.0], time=5)
    send(tx, [1.0])
    send(tx, [1.0], end=True)
    send(tx, [0.25], end=True)
    assert np.allclose(tx.take(4, 100), [0.25, 0, 0, 0], atol=1e-4)
    assert [name for name, _ in recorder.events] == ["LATE_DATA", "BURST_ACK"]


def test_an_open_burst_that_runs_dry_is_hungry_then_underruns(tx, recorder):
    send(tx, [1.0] * 8)
    assert not tx.hungry(8) and tx.hungry(9)
    tx.take(5, 0)
    assert not tx.hungry(3) and tx.hungry(4)  # what was sent of a packet is gone
    out = tx.take(6, 5)
    assert np.count_nonzero(out) == 3
    assert recorder.events == [("UNDERRUN", 8)]
    assert not tx.streaming() and not tx.hungry(1)
    send(tx, [1.0], end=True)
    assert np.count_nonzero(tx.take(4, 11)) == 1  # the next packet starts anew


def test_hunger_of_a_burst_to_come(tx):
    send(tx, [1.0] * 4, time=100)
    assert not tx.hungry(100)  # not before its time
    assert not tx.hungry(104) and tx.hungry(105)


def test_two_bursts_in_a_row_meet_without_a_gap(tx, recorder):
    send(tx, [0.5] * 3, end=True)
    send(tx, [0.25] * 3, end=True)
    assert np.allclose(tx.take(6, 0), [0.5] * 3 + [0.25] * 3, atol=1e-4)
    assert recorder.events == [("BURST_ACK", 3), ("BURST_ACK", 6)]


def test_a_burst_may_end_with_an_empty_packet(tx, recorder):
    send(tx, [0.5] * 3)
    send(tx, [], end=True)
    tx.take(8, 0)
    assert recorder.events == [("BURST_ACK", 3)]


def test_flow_control_tells_what_has_left_the_queue(tx, recorder):
    for _ in range(4):
        send(tx, [0.0] * 10)
    tx.take(20, 0)  # two packets of 8 + 40 bytes, as often as was asked for
    (status,) = [StreamStatus.unpack(packet.words) for packet in recorder.sent]
    assert (status.transferred_bytes, status.packets) == (2 * 48, 2)
    assert (status.source, status.capacity_bytes, status.status) == (3, CAPACITY_BYTES, 0)


def test_resynchronising_makes_up_for_lost_packets(tx, recorder):
    send(tx, [0.0] * 10)
    tx.command(StreamCommand(9, StreamOp.RESYNC, 5, 5 * 48))  # four were lost
    status = StreamStatus.unpack(recorder.sent[-1].words)
    assert (status.transferred_bytes, status.packets) == (4 * 48 + 24, 5)


def test_a_gap_in_the_sequence_is_told(tx, recorder):
    send(tx, [0.0])
    tx.sequence = 7
    send(tx, [0.0])
    assert StreamStatus.unpack(recorder.sent[-1].words).status == 2
    assert recorder.counts["tx_sequence_error"] == 1


def test_who_sends_beyond_the_room_is_not_heard(tx, recorder):
    for _ in range(CAPACITY_BYTES // 8000 + 5):
        send(tx, [0.0] * 1990)
    assert recorder.counts["tx_beyond_credit"] >= 5
    assert tx._held <= CAPACITY_BYTES


def test_initialising_empties_the_queue(tx):
    send(tx, [1.0] * 100)
    tx.command(StreamCommand(9, StreamOp.INIT, 2, 4096))
    assert not tx.streaming() and tx.take(4, 0) is None


def test_a_dry_fault_looks_like_an_underrun(tx, recorder):
    send(tx, [1.0] * 8)
    tx.take(4, 0)
    tx.dry = True
    tx.take(4, 4)
    assert recorder.events == [("UNDERRUN", 4)]
    tx.dry = False
    assert np.count_nonzero(tx.take(4, 8)) == 4


@pytest.mark.parametrize("n_bytes", [1, 2, 3, 5])
def test_half_samples_are_refused(tx, n_bytes):
    with pytest.raises(ChdrError, match=f"sample packet has {n_bytes} bytes"):
        tx.packet(unpack(pack(PacketType.DATA, 3, 0, bytes(n_bytes))))


def test_unknown_stream_command(tx):
    with pytest.raises(ChdrError, match="stream command is 9, permitted: 0 to 2"):
        tx.command(StreamCommand(9, 9, 0, 0))


def test_full_scale_of_the_wire_is_one(tx):
    payload = struct.pack("<hhhh", 32767, 0, 0, -32767)
    tx.packet(unpack(pack(PacketType.DATA, 3, 0, payload, None, True)))
    assert np.array_equal(tx.take(2, 0), np.array([1, -1j], np.complex64))


def test_a_burst_far_ahead_does_not_stream_yet(tx):
    send(tx, [1.0], time=1_000_000, end=True)
    assert not tx.streaming()
