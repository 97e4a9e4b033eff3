# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompt ARQ through the whole link: lost packets, lost acks, no acks, nothing at all."""

import numpy as np
import pytest

from semcom_blocks.channel import ChannelConfig
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.gr.prompt_arq_sender import PromptArqSender
from semcom_blocks.link.arq import ArqConfig
from semcom_blocks.phy.header import FrameHeader
from tests.semcom_blocks.gr.bench import Bench, send, until
from tests.semcom_blocks.gr.link import BlockLink, Settings

CHANNEL = ChannelConfig(snr_db=15.0)
#: Short timers: the link's own round trip is some milliseconds; a busy machine may need long.
QUICK = {"payload_bytes": 100, "initial_rto_s": 0.1, "min_rto_s": 0.05}


class Lossy(PduBlock):
    """Drops PDUs between ``in`` and ``out`` with a probability, and hands some on twice."""

    def __init__(self, loss, duplicate=0.0, seed=0):
        super().__init__("Lossy", {"in": self._on_pdu}, ("out",))
        self._rng = np.random.default_rng(seed)
        self._loss, self._duplicate = loss, duplicate
        self.dropped = 0

    def _on_pdu(self, meta, vector):
        if self._rng.random() < self._loss:
            self.dropped += 1
            return
        for _ in range(2 if self._rng.random() < self._duplicate else 1):
            self.publish("out", meta, vector)


def bodies(count):
    rng = np.random.default_rng(3)
    return {job_id: rng.bytes(int(rng.integers(1, 800))) for job_id in range(count)}


def results(link):
    """The ARQ's last word on each job."""
    return {meta["job_id"]: meta for meta, _ in link.passed["arq.status"]}


def test_every_message_once_where_packets_and_acks_get_lost():
    sent = bodies(12)
    packets, acks = Lossy(0.25, 0.2, seed=1), Lossy(0.25, 0.2, seed=2)
    link = BlockLink(
        Settings(CHANNEL, ArqConfig(**QUICK, give_up_s=60.0)), lossy=packets, acks=False
    )
    link.message(link.arq_receiver, "ack", acks, "in")
    link.message(acks, "out", link.arq, "ack")
    with link:
        for job_id, body in sent.items():
            link.submit(job_id, body)
        until(lambda: len(results(link)) == len(sent), 60.0)
    assert packets.dropped >= 5 and acks.dropped >= 5
    assert {meta["arq"] for meta in results(link).values()} == {"delivered"}
    assert sum(meta["retransmissions"] for meta in results(link).values()) >= 5
    assert sorted(link.delivered) == sorted(sent.items())


def test_without_feedback_copies_carry_the_message_over_losses():
    sent = bodies(6)
    lossy = Lossy(0.2, seed=4)
    config = ArqConfig(feedback=False, repeats=6, payload_bytes=100)
    link = BlockLink(Settings(CHANNEL, config), lossy=lossy, acks=False)
    with link:
        for job_id, body in sent.items():
            link.submit(job_id, body)
        until(lambda: all(link.ended(job_id) for job_id in sent), 20.0)
        until(lambda: len(link.delivered) == len(sent))
    assert lossy.dropped >= 10
    assert sorted(link.delivered) == sorted(sent.items())
    for job_id, body in sent.items():
        meta = results(link)[job_id]
        # The message carries a CRC-32 of its own.
        count = -(-(len(body) + 4) // 100)
        assert (meta["arq"], meta["packets_sent"]) == ("sent", 6 * count)
        assert meta["retransmissions"] == 5 * count


def test_a_link_without_acks_gives_up_in_bounded_time_and_says_why():
    link = BlockLink(Settings(CHANNEL, ArqConfig(**QUICK, give_up_s=0.4)), Lossy(1.0))
    with link:
        link.submit(9, bytes(250))
        until(lambda: link.ended(9))
    meta = results(link)[9]
    assert meta["arq"] == "failed"
    assert "3 of 3 packets not acknowledged after 0.4 s" in meta["error"]
    assert meta["packets_sent"] - meta["retransmissions"] == 3
    assert link.delivered == []


def test_a_message_that_cannot_be_sent_is_answered_and_its_symbols_are_dropped():
    """512 packets of 8 bytes hold 4 KiB."""
    link = BlockLink(Settings(CHANNEL, ArqConfig(payload_bytes=8)))
    with link:
        link.submit(1, bytes(5000), np.ones(500, np.complex64))
        link.submit(2, b"short", np.ones(500, np.complex64))
        until(lambda: link.ended(2))
    assert results(link)[1]["arq"] == "failed"
    assert "permitted" in results(link)[1]["error"]
    assert link.delivered == [(2, b"short")]
    headers = [
        FrameHeader.from_bytes(meta["header"].tobytes())
        for meta, _ in link.passed["equalizer.frames"]
    ]
    assert {h.job_id for h in headers if h.analog_symbols} == {2}


def test_packets_overtake_analog_symbols_that_wait():
    """A message longer than the window goes on while a large picture is on the air."""
    rng = np.random.default_rng(0)
    symbols = (rng.standard_normal((200_000, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)
    # The slowest timer: a busy machine must not look like a lost packet here.
    patient = {"initial_rto_s": 4.0, "min_rto_s": 4.0}
    link = BlockLink(Settings(CHANNEL, ArqConfig(window=2, payload_bytes=20, **patient)))
    with link:
        link.submit(1, bytes(200), symbols)
        until(lambda: link.ended(1), 20.0)
    assert results(link)[1]["retransmissions"] == 0
    frames = [FrameHeader.from_bytes(m["header"].tobytes()) for m, _ in link.passed["sync.frames"]]
    last_packet = max(n for n, header in enumerate(frames) if header.digital_bytes)
    assert sum(header.digital_bytes > 0 for header in frames) == 11
    assert last_packet < len(frames) / 2
    assert sum(header.analog_symbols for header in frames) == len(symbols)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_damaged_acks_are_ignored(passed, damage):
    ack = passed["arq_receiver.ack"][0][1]
    bench, sender = Bench(), PromptArqSender(session=7)
    packets, status = bench.collect(sender, "packets"), bench.collect(sender, "status")
    flipped = ack.copy()
    flipped[5] ^= 16
    spoiled = {"cut": ack[:-1], "flip": flipped, "empty": b"", "text": b"ack" * 9}[damage]
    body = next(vector for meta, vector in passed["arq_receiver.message"] if "job_id" in meta)
    with bench:
        send(sender, "message", {"job_id": 77}, body)
        until(lambda: packets.pdus)
        send(sender, "ack", {}, spoiled)
        send(sender, "ack", {}, ack)
        send(sender, "message", {"job_id": 78}, b"next")
        until(lambda: {meta["job_id"] for meta, _ in packets.pdus} == {77, 78})
    assert status.pdus == []
    assert sender.refused == 0
