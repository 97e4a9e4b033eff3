# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender's state table, one row after another, by hand."""

import pytest

from semcom_blocks.errors import ConfigError, LinkError
from semcom_blocks.link import (
    ArqConfig,
    ArqReceiver,
    ArqSender,
    BandsHeard,
    MessageDelivered,
    MessageFailed,
    MessageSent,
    SendAck,
    SendPacket,
)
from semcom_blocks.link.arq import MAX_QUEUED_MESSAGES, PROBE_PACKETS
from semcom_blocks.link.packets import Ack, Packet


def message_of(n_packets):
    return bytes(240 * n_packets - 4)


def sent(events):
    return [(e.job_id, e.index, e.attempt) for e in events if isinstance(e, SendPacket)]


def ack_of(event, received):
    p = Packet.from_bytes(event.data)
    return Ack(p.tag, p.job_id, p.index, p.count, received, p.attempt).to_bytes()


def make(**config):
    return ArqSender(ArqConfig(**config), session=7)


def test_window_is_filled_and_refilled():
    sender = make(window=4)
    first = sender.submit(1, message_of(6), 0.0)
    assert sent(first) == [(1, i, 1) for i in range(4)]
    assert sent(sender.on_ack(ack_of(first[0], 0b1), 0.1)) == [(1, 4, 1)]
    # A lost ack is made good by the next one's bitmap.
    assert sent(sender.on_ack(ack_of(first[2], 0b111), 0.2)) == [(1, 5, 1)]
    assert sender.active_jobs == (1,)


def test_delivered_when_one_ack_shows_all():
    sender = make()
    events = sender.submit(9, message_of(3), 0.0)
    sender.on_ack(ack_of(events[0], 0b001), 0.1)
    assert sender.on_ack(ack_of(events[2], 0b111), 0.2) == (MessageDelivered(9, 3, 0),)
    assert sender.next_deadline_s() is None
    assert sender.active_jobs == ()
    assert sender.on_ack(ack_of(events[1], 0b111), 0.3) == ()
    assert sender.counters["acks_stale"] == 1


def test_fast_retransmit_when_overtaken_by_three():
    sender = make()
    events = sender.submit(1, message_of(6), 0.0)
    assert sent(sender.on_ack(ack_of(events[1], 0b00010), 0.1)) == []
    assert sent(sender.on_ack(ack_of(events[2], 0b00110), 0.1)) == []
    assert sent(sender.on_ack(ack_of(events[3], 0b01110), 0.1)) == [(1, 0, 2)]
    assert sent(sender.on_ack(ack_of(events[4], 0b11110), 0.1)) == []  # not again


def test_fast_retransmit_across_messages():
    sender = make()
    lost = sender.submit(1, message_of(1), 0.0)
    assert len(lost) == 1
    others = sender.submit(2, message_of(3), 0.0)
    events = [e for i, p in enumerate(others) for e in sender.on_ack(ack_of(p, (2 << i) - 1), 0.1)]
    assert sent(events) == [(1, 0, 2)]


def test_reordering_is_learned():
    """A packet that arrives after it was called lost makes the sender more patient."""
    sender = make(window=64)
    events = sender.submit(1, message_of(40), 0.0)
    received = 0
    for index in (1, 2, 3, 4, 5, 6):
        received |= 1 << index
        sender.on_ack(ack_of(events[index], received), 0.1)
    assert sender.counters["retransmissions"] == 1
    sender.on_ack(ack_of(events[0], received | 1), 0.1)  # overtaken by six
    received |= 1
    for index in (8, 9, 10, 11, 12, 13):  # so is packet 7 now
        received |= 1 << index
        sender.on_ack(ack_of(events[index], received), 0.1)
    assert sender.counters["retransmissions"] == 1
    sender.on_ack(ack_of(events[14], received | 1 << 14), 0.1)
    assert sender.counters["retransmissions"] == 2


def test_timer_resends_and_backs_off_and_is_restarted_by_progress():
    sender = make(initial_rto_s=0.4)
    events = sender.submit(1, message_of(3), 0.0)
    assert sender.next_deadline_s() == pytest.approx(0.4)
    assert sender.poll(0.39) == ()
    sender.on_ack(ack_of(events[0], 0b001), 0.39)  # round trip 0.39 s: RTO 1.17 s
    assert sender.rto_s == pytest.approx(3 * 0.39)
    assert sender.next_deadline_s() == pytest.approx(0.39 + 1.17)
    assert sender.poll(1.5) == ()
    assert sent(sender.poll(sender.next_deadline_s())) == [(1, 1, 2), (1, 2, 2)]


def test_an_ack_of_a_retransmission_is_not_ambiguous():
    sender = make()
    first = sender.submit(1, message_of(2), 0.0)
    again = sender.poll(1.0)
    assert sent(again) == [(1, 0, 2), (1, 1, 2)]
    sender.on_ack(ack_of(first[0], 0b01), 1.2)  # the first copy after all
    assert sender.srtt_s == pytest.approx(1.2)
    sender.on_ack(ack_of(again[0], 0b01), 1.3)  # the second copy
    assert sender.srtt_s == pytest.approx(1.2 * 7 / 8 + 0.3 / 8)


def test_a_silent_link_is_only_probed():
    sender = make()
    assert len(sender.submit(1, message_of(40), 0.0)) == 32
    assert len(sender.poll(1.0)) == PROBE_PACKETS
    probe = sender.poll(2.0)
    assert len(probe) == PROBE_PACKETS
    # One ack opens the window again.
    index = probe[0].index
    assert len(sender.on_ack(ack_of(probe[0], 1 << index), 2.1)) == 32 - PROBE_PACKETS + 1


def test_gives_up_in_bounded_time_and_says_why():
    sender = make(give_up_s=5.0)
    events = list(sender.submit(3, message_of(2), 10.0))
    while (deadline_s := sender.next_deadline_s()) is not None:
        assert deadline_s <= 15.0
        events += sender.poll(deadline_s)
    failed = events[-1]
    assert isinstance(failed, MessageFailed)
    assert failed.reason == "job 3: 2 of 2 packets not acknowledged after 5 s"
    assert failed.packets_sent == len(events) - 1 == 10
    assert failed.retransmissions == 8
    assert sender.counters["messages_failed"] == 1


def test_gives_up_after_max_attempts():
    sender = make(max_attempts=3)
    events = list(sender.submit(3, message_of(1), 0.0))
    for now_s in (1.0, 2.0, 3.0):
        events += sender.poll(now_s)
    assert sent(events) == [(3, 0, 1), (3, 0, 2), (3, 0, 3)]
    assert events[-1].reason == "job 3: 1 of 1 packets not acknowledged after 3 attempts"
    assert sender.next_deadline_s() is None


def test_a_failed_message_makes_room_for_the_next():
    sender = make(window=2, give_up_s=1.5)
    sender.submit(1, message_of(5), 0.0)
    assert sent(sender.submit(2, message_of(1), 1.0)) == []
    events = sender.poll(1.5)
    assert isinstance(events[0], MessageFailed)
    assert sent(events) == [(2, 0, 1)]


def test_a_receiver_that_restarts_gets_everything_again():
    sender, receiver = make(), ArqReceiver()
    events = sender.submit(1, message_of(4), 0.0)
    for event in events[:3]:
        for ack in receiver.on_packet(event.data, 0.1):
            sender.on_ack(ack.data, 0.1)
    receiver = ArqReceiver()
    queue, n_delivered, n_received = [events[3]], 0, 0
    while queue:
        for answer in receiver.on_packet(queue.pop(0).data, 0.2):
            if isinstance(answer, SendAck):
                for event in sender.on_ack(answer.data, 0.2):
                    n_delivered += isinstance(event, MessageDelivered)
                    queue += [event] if isinstance(event, SendPacket) else []
            else:
                n_received += 1
                assert answer.message == message_of(4)
    assert (n_delivered, n_received) == (1, 1)


def test_without_feedback_copies_lie_far_apart():
    sender = make(feedback=False, repeats=3)
    events = sender.submit(5, message_of(4), 0.0)
    assert sent(events) == [(5, i, a) for a in (1, 2, 3) for i in range(4)]
    assert events[-1] == MessageSent(5, 12, 8)
    assert sender.next_deadline_s() is None
    assert sender.active_jobs == ()


def test_foreign_acks_are_counted_and_ignored():
    sender = make()
    packet = Packet.from_bytes(sender.submit(1, message_of(2), 0.0)[0].data)
    for data in (b"", b"\xa1", bytes(20), packet.to_bytes()):
        assert sender.on_ack(data, 0.1) == ()
    assert sender.counters["acks_bad"] == 4
    assert sender.on_ack(Ack(packet.tag + 1, 1, 0, 2, 3).to_bytes(), 0.1) == ()
    assert sender.counters["acks_stale"] == 1
    assert sender.on_ack(Ack(packet.tag, 2, 0, 2, 3).to_bytes(), 0.1) == ()
    assert sender.on_ack(Ack(packet.tag, 1, 0, 3, 7).to_bytes(), 0.1) == ()
    assert sender.counters["acks_conflicting"] == 2
    # An attempt that never was teaches nothing about time.
    sender.on_ack(Ack(packet.tag, 1, 0, 2, 1, attempt=9).to_bytes(), 0.1)
    assert sender.srtt_s is None
    assert sender.active_jobs == (1,)


def test_tag_counts_messages_and_wraps():
    sender = ArqSender(ArqConfig(), session=2**32 - 2)
    tags = [Packet.from_bytes(sender.submit(j, b"x", 0.0)[0].data).tag for j in range(4)]
    assert tags == [2**32 - 2, 2**32 - 1, 0, 1]


def test_clock_that_steps_back_does_no_harm():
    sender = make()
    events = sender.submit(1, message_of(2), 100.0)
    assert sender.poll(50.0) == ()
    sender.on_ack(ack_of(events[0], 0b01), 50.0)
    assert sender.srtt_s == 0.0
    with pytest.raises(ConfigError, match="nan"):
        sender.poll(float("nan"))


def test_what_cannot_be_submitted():
    sender = make()
    with pytest.raises(ConfigError, match="65536"):
        sender.submit(65536, b"x", 0.0)
    with pytest.raises(ConfigError, match=r"1\.0"):
        sender.submit(1.0, b"x", 0.0)
    with pytest.raises(LinkError, match="200000 bytes"):
        sender.submit(1, bytes(200_000), 0.0)
    sender.submit(1, b"x", 0.0)
    with pytest.raises(LinkError, match="job 1 is still being sent"):
        sender.submit(1, b"y", 0.0)
    for job_id in range(2, MAX_QUEUED_MESSAGES + 1):
        sender.submit(job_id, b"x", 0.0)
    with pytest.raises(LinkError, match="64 messages wait"):
        sender.submit(0, b"x", 0.0)
    assert sender.counters["messages_submitted"] == MAX_QUEUED_MESSAGES


@pytest.mark.parametrize(
    "setting",
    [
        {"window": 0},
        {"window": 257},
        {"window": 2.0},
        {"window": True},
        {"payload_bytes": 241},
        {"payload_bytes": 7},
        {"reorder_packets": 0},
        {"max_attempts": 256},
        {"repeats": 0},
        {"repeats": 33},
        {"give_up_s": 0.0},
        {"give_up_s": float("nan")},
        {"give_up_s": float("inf")},
        {"min_rto_s": 0.0},
        {"max_rto_s": 31.0},
        {"initial_rto_s": 5.0},
        {"initial_rto_s": 0.01},
    ],
)
def test_settings_out_of_range_are_named(setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        ArqConfig(**setting)


@pytest.mark.parametrize("session", [-1, 2**32, 1.0, None])
def test_session_out_of_range_is_named(session):
    with pytest.raises(ConfigError, match="session is"):
        ArqSender(ArqConfig(), session=session)


def test_what_an_ack_tells_of_the_bands_is_handed_on_before_the_result():
    sender, receiver = make(), ArqReceiver()
    first, second = sender.submit(1, message_of(2), 0.0)
    (ack,) = receiver.on_packet(first.data, 0.1, (10.1, -3.0))
    assert sender.on_ack(ack.data, 0.2) == (BandsHeard(1, (10.0, -3.0)),)
    *_, ack = receiver.on_packet(second.data, 0.3, (8.0, -2.0))
    assert sender.on_ack(ack.data, 0.4) == (BandsHeard(1, (8.0, -2.0)), MessageDelivered(1, 2, 0))
    # A job that is over has nobody to tell.
    assert sender.on_ack(ack.data, 0.5) == ()


def test_an_ack_without_bands_tells_nothing():
    sender, receiver = make(), ArqReceiver()
    (packet,) = sender.submit(1, message_of(1), 0.0)
    _, ack = receiver.on_packet(packet.data, 0.1)
    assert sender.on_ack(ack.data, 0.2) == (MessageDelivered(1, 1, 0),)
