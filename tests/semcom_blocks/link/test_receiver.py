# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver's state table, its memory bounds, and who it takes a packet to be from."""

import numpy as np
import pytest

from semcom_blocks.errors import ConfigError
from semcom_blocks.link import ArqReceiver, MessageReceived, SendAck
from semcom_blocks.link.arq import (
    MAX_PARTIAL_MESSAGES,
    MAX_REMEMBERED_MESSAGES,
    PARTIAL_EXPIRY_S,
)
from semcom_blocks.link.fragment import split
from semcom_blocks.link.packets import Ack, Packet


def packets_of(message, tag=1, job_id=5):
    payloads = split(message)
    return [
        Packet(tag, job_id, i, len(payloads), payload).to_bytes()
        for i, payload in enumerate(payloads)
    ]


def feed(receiver, packets, now_s=0.0):
    """(messages, acks) that come of it."""
    events = [event for data in packets for event in receiver.on_packet(data, now_s)]
    messages = [(e.job_id, e.message) for e in events if isinstance(e, MessageReceived)]
    return messages, [Ack.from_bytes(e.data) for e in events if isinstance(e, SendAck)]


def test_every_packet_is_acknowledged_with_all_that_is_there():
    receiver = ArqReceiver()
    packets = packets_of(bytes(700))
    messages, acks = feed(receiver, [packets[2], packets[0], packets[2]])
    assert messages == []
    assert [(a.index, a.received) for a in acks] == [(2, 0b100), (0, 0b101), (2, 0b101)]
    assert receiver.incomplete == ((5, 2, 3),)
    messages, acks = feed(receiver, [packets[1]])
    assert messages == [(5, bytes(700))]
    assert acks[0].complete
    assert receiver.incomplete == ()
    assert receiver.counters["packets_duplicate"] == 1


def test_delivered_once_and_acknowledged_again():
    receiver = ArqReceiver()
    packets = packets_of(b"a cat")
    assert feed(receiver, packets)[0] == [(5, b"a cat")]
    messages, acks = feed(receiver, packets * 3, now_s=1000.0)
    assert messages == []
    assert [ack.complete for ack in acks] == [True] * 3
    assert receiver.counters["packets_duplicate"] == 3
    assert receiver.counters["messages_received"] == 1


def test_damaged_packets_are_counted():
    receiver = ArqReceiver()
    for data in (b"", bytes(300), packets_of(b"a")[0][:-1], b"\xd1" + bytes(30)):
        assert receiver.on_packet(data, 0.0) == ()
    assert receiver.counters["packets_bad"] == 4
    assert receiver.counters["packets_received"] == 0


def test_conflicting_packets_are_ignored_and_counted():
    receiver = ArqReceiver()
    packets = packets_of(bytes(700))
    feed(receiver, packets[:2])
    for foreign in (
        Packet(1, 5, 2, 4, b"other count"),
        Packet(1, 6, 2, 3, b"other job"),
        Packet(1, 5, 1, 3, b"other content"),
    ):
        assert receiver.on_packet(foreign.to_bytes(), 0.0) == ()
    assert feed(receiver, packets[2:])[0] == [(5, bytes(700))]
    assert receiver.on_packet(Packet(1, 5, 0, 9, b"late").to_bytes(), 0.0) == ()
    assert receiver.counters["packets_conflicting"] == 4


def test_same_job_id_from_a_restarted_sender_is_another_message():
    """Neither mixed with the fragments of the old one nor taken for delivered."""
    receiver = ArqReceiver()
    old, new = packets_of(b"a" * 700, tag=100), packets_of(b"b" * 700, tag=900)
    feed(receiver, old[:2])
    messages, _ = feed(receiver, [new[2], new[0], old[2], new[1]])
    assert messages == [(5, b"a" * 700), (5, b"b" * 700)]
    again, _ = feed(receiver, packets_of(b"b" * 700, tag=901))
    assert again == [(5, b"b" * 700)]


def test_text_is_never_mixed_even_if_the_tag_comes_back():
    receiver = ArqReceiver()
    old, new = packets_of(b"a" * 700), packets_of(b"b" * 700)
    feed(receiver, old[:1])
    messages, acks = feed(receiver, new[1:])  # count and job id agree: only the CRC is left
    assert messages == []
    assert not any(ack.complete for ack in acks)
    assert receiver.counters["messages_bad"] == 1
    assert feed(receiver, new)[0] == [(5, b"b" * 700)]  # and it starts over


def test_fragments_expire():
    receiver = ArqReceiver()
    packets = packets_of(bytes(700))
    feed(receiver, packets[:1], now_s=0.0)
    feed(receiver, packets[1:2], now_s=PARTIAL_EXPIRY_S - 1)  # news keeps it
    feed(receiver, [b"noise"], now_s=2 * PARTIAL_EXPIRY_S - 2)
    assert receiver.incomplete == ((5, 2, 3),)
    feed(receiver, [b"noise"], now_s=2 * PARTIAL_EXPIRY_S - 1)
    assert receiver.incomplete == ()
    assert receiver.counters["messages_dropped"] == 1
    assert feed(receiver, packets[2:], now_s=500.0)[0] == []


def test_memory_is_bounded():
    receiver = ArqReceiver()
    for tag in range(10 * MAX_PARTIAL_MESSAGES):
        feed(receiver, packets_of(bytes(300), tag=tag)[:1])
    assert len(receiver.incomplete) == MAX_PARTIAL_MESSAGES
    assert receiver.counters["messages_dropped"] == 9 * MAX_PARTIAL_MESSAGES
    # The latest are kept.
    newest = packets_of(bytes(300), tag=10 * MAX_PARTIAL_MESSAGES - 1)
    assert feed(receiver, newest[1:])[0] == [(5, bytes(300))]


def test_delivered_messages_are_remembered_for_a_while():
    receiver = ArqReceiver()
    for tag in range(MAX_REMEMBERED_MESSAGES):
        assert len(feed(receiver, packets_of(b"x", tag=tag))[0]) == 1
    assert feed(receiver, packets_of(b"x", tag=0))[0] == []  # and is the youngest now
    feed(receiver, packets_of(b"x", tag=MAX_REMEMBERED_MESSAGES))
    assert feed(receiver, packets_of(b"x", tag=0))[0] == []


def test_noise_delivers_nothing():
    rng = np.random.default_rng(1)
    receiver = ArqReceiver()
    noise = rng.integers(0, 256, 256 * 20_000, dtype=np.uint8).tobytes()
    for at in range(0, len(noise), 256):
        assert receiver.on_packet(noise[at : at + 256], 0.0) == ()
    assert receiver.counters["packets_bad"] == 20_000


def test_clock_must_be_finite():
    with pytest.raises(ConfigError, match="inf"):
        ArqReceiver().on_packet(b"", float("inf"))


def test_an_ack_tells_what_its_own_packet_met():
    receiver = ArqReceiver()
    packets = packets_of(bytes(400))
    told = ((5.0, 7.5), ())
    for packet, band_snr_db in zip(packets, told, strict=True):
        *_, ack = receiver.on_packet(packet, 0.0, band_snr_db)
        assert Ack.from_bytes(ack.data).band_snr_db == band_snr_db
