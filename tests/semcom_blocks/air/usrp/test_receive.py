# SPDX-License-Identifier: GPL-3.0-or-later
"""A receive channel's state table, its packets and its flow control, with nothing around it."""

import numpy as np
import pytest

from semcom_blocks.air.usrp.board import start_tuning
from semcom_blocks.air.usrp.chdr import PacketType, StreamCommand, StreamOp, StreamStatus
from semcom_blocks.air.usrp.receive import MAX_COMMANDS, RxStream
from semcom_blocks.air.usrp.registers import RX_CONTINUOUS, RX_FINITE, RX_STOP
from semcom_blocks.air.usrp.timekeeper import Timekeeper


class Air:
    """Puts a ramp of codes, sample k having I = k modulo 1000."""

    def __init__(self, recorder):
        self.at = 0
        self.recorder = recorder
        clock = Timekeeper(lambda: self.at, lambda: 1e6)
        self.rx = RxStream(start_tuning("RX"), recorder, clock)
        self.rx.packet_samples = 10

    def set_up(self, capacity=1 << 20):
        self.rx.set_up(9)
        self.rx.status(StreamStatus(9, capacity, 1000, 0, 0))

    def put(self, n):
        iq = np.zeros(2 * n, np.int16)
        iq[::2] = (self.at + np.arange(n)) % 1000
        self.rx.put(iq, self.at)
        self.at += n

    def packets(self):
        """Time, first sample, samples and end of what was sent."""
        found = []
        for packet in self.recorder.sent:
            if packet.kind in (PacketType.DATA, PacketType.TIMED_DATA):
                i = np.frombuffer(packet.payload, "<i2")[::2] // 16
                assert np.array_equal(i, (i[0] + np.arange(len(i))) % 1000)
                found.append((packet.time, int(i[0]), len(i), packet.end_of_burst))
        return found


@pytest.fixture
def air(recorder):
    made = Air(recorder)
    made.set_up()
    return made


def test_set_up_asks_for_reports(recorder):
    Air(recorder).set_up()
    command = StreamCommand.unpack(recorder.sent[0].words)
    assert (command.source, command.op) == (3, StreamOp.INIT)
    assert command.packets > 0 and command.transferred_bytes > 0


def test_continuous_packets_follow_without_gaps_until_stopped(air, recorder):
    air.at = 7
    air.rx.command(RX_CONTINUOUS, 0, None)
    assert air.rx.streaming()
    for n in (3, 25, 1):
        air.put(n)
    air.rx.command(RX_STOP, 0, None)
    assert not air.rx.streaming()
    assert air.packets() == [(7, 7, 10, False), (17, 17, 10, False), (27, 27, 9, True)]
    assert [p.sequence for p in recorder.sent[1:]] == [0, 1, 2]


def test_a_finite_command_ends_its_burst(air):
    air.rx.command(RX_FINITE, 20, None)
    air.put(64)
    assert air.packets() == [(0, 0, 10, False), (10, 10, 10, True)]
    assert not air.rx.streaming()


def test_a_timed_command_starts_at_its_sample(air):
    air.rx.command(RX_FINITE, 4, 33)
    assert air.rx.streaming() and not air.rx.full(30)
    air.put(30)
    assert air.packets() == []
    air.put(30)
    assert air.packets() == [(33, 33, 4, True)]


def test_commands_queue_up(air):
    air.rx.command(RX_FINITE, 5, None)
    air.rx.command(RX_FINITE, 3, 20)
    air.put(40)
    assert air.packets() == [(0, 0, 5, True), (20, 20, 3, True)]


def test_late_commands_are_told(air, recorder):
    air.at = 100
    air.rx.command(RX_FINITE, 5, 99)
    assert recorder.events == [("LATE_COMMAND", 100)]
    assert not air.rx.streaming()


def test_a_command_overtaken_by_its_predecessor_is_late(air, recorder):
    air.rx.command(RX_FINITE, 50, None)
    air.rx.command(RX_FINITE, 5, 20)
    air.put(60)
    assert recorder.events == [("LATE_COMMAND", 50)]
    assert sum(packet[2] for packet in air.packets()) == 50


def test_without_room_it_is_full_and_in_the_end_overruns(recorder):
    air = Air(recorder)
    size = 16 + 40
    air.set_up(capacity=3 * (size + 512))
    air.rx.command(RX_CONTINUOUS, 0, None)
    assert not air.rx.full(20) and air.rx.full(31)
    air.put(31)
    assert air.rx.full(10)
    air.rx.status(StreamStatus(9, 3 * (size + 512), 1000, 2, 2 * size))
    assert not air.rx.full(10)
    air.put(40)
    assert recorder.events == [("OVERRUN", 31)]
    assert not air.rx.streaming()
    assert len(air.packets()) == 5


def test_the_window_of_a_virtual_clock_is_narrower(air):
    air.rx.window_bytes = 2 * (56 + 512)
    air.rx.command(RX_CONTINUOUS, 0, None)
    assert not air.rx.full(10) and air.rx.full(30)


def test_losses_are_made_up_for_by_resynchronising(recorder):
    air = Air(recorder)
    air.set_up(capacity=10_000)
    air.rx.command(RX_CONTINUOUS, 0, None)
    for k in range(1, 300):
        air.put(10)
        air.rx.status(StreamStatus(9, 10_000, 1000, max(0, k - 2), 56 * max(0, k - 2)))
    resyncs = [p for p in recorder.sent[1:] if p.kind is PacketType.STREAM_COMMAND]
    command = StreamCommand.unpack(resyncs[0].words)
    assert command.op == StreamOp.RESYNC
    assert command.transferred_bytes == 56 * command.packets > 5_000
    assert recorder.events == []


def test_a_jam_looks_like_an_overrun_and_does_not_hold_time(air, recorder):
    air.rx.command(RX_CONTINUOUS, 0, None)
    air.rx.jammed = True
    assert not air.rx.full(1 << 20)
    air.put(40)
    assert [name for name, _ in recorder.events] == ["OVERRUN"]


def test_packets_without_time(air, recorder):
    air.rx.with_time = False
    air.rx.command(RX_FINITE, 10, None)
    air.put(10)
    assert recorder.sent[-1].kind is PacketType.DATA


def test_a_host_that_took_more_than_there_was_is_not_believed(air, recorder):
    air.rx.status(StreamStatus(9, 1 << 39, 1000, 5, 1 << 40))
    assert recorder.counts["rx_bad_status"] == 1


def test_commands_are_bounded(air, recorder):
    for k in range(MAX_COMMANDS + 10):
        air.rx.command(RX_FINITE, 1, 1000 + k)
    air.rx.command(RX_FINITE, 0, None)
    assert recorder.counts["rx_command_refused"] == 10


def test_level_of_a_full_scale_sine(air):
    air.rx.command(RX_CONTINUOUS, 0, None)
    assert air.rx.level_dbfs() == -120.0
    phase = 2 * np.pi * np.arange(1000) / 10
    iq = np.round(2047 * np.stack([np.cos(phase), np.sin(phase)], 1)).astype(np.int16).ravel()
    air.rx.put(iq, 0)
    assert air.rx.level_dbfs() == pytest.approx(0.0, abs=0.01)


def test_a_command_far_ahead_does_not_stream_yet(air):
    air.rx.command(RX_FINITE, 5, 1_000_000)
    assert not air.rx.streaming()
    air.at = 1_000_000 - 20_000
    assert air.rx.streaming()
