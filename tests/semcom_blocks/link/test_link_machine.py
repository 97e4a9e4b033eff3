# SPDX-License-Identifier: GPL-3.0-or-later
"""Sender and receiver with hypothesis as the channel: whatever it does, the promises hold.

Promises: no text that was not sent, none twice, "delivered" only if it was, rest in bounded
virtual time, and exactly once when the channel turns good.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from semcom_blocks.link import (
    ArqConfig,
    ArqReceiver,
    ArqSender,
    MessageDelivered,
    MessageFailed,
    MessageReceived,
    SendAck,
    SendPacket,
)
from semcom_blocks.link.arq import MAX_PARTIAL_MESSAGES

#: How far back in the queue the channel may reach for the next packet to arrive.
REORDER_WINDOW = 8
places = st.integers(0, REORDER_WINDOW - 1)


class LinkMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.config = ArqConfig(window=6, payload_bytes=16, give_up_s=30.0, max_attempts=255)
        self.session = 2**32 - 3  # so that tags wrap
        self.sender = ArqSender(self.config, session=self.session)
        self.receiver = ArqReceiver()
        self.now_s = 0.0
        self.forward, self.back = [], []
        self.submitted_s = {}  # serial number -> seconds
        self.texts = {}  # serial number -> (job id, text)
        self.serial_of = {}  # active job id -> serial number
        self.received, self.delivered, self.failed = set(), set(), set()
        self.received_here = set()  # by the receiver that runs now

    def act(self, events):
        for event in events:
            if isinstance(event, SendPacket):
                self.forward.append(event.data)
            elif isinstance(event, SendAck):
                self.back.append(event.data)
            elif isinstance(event, MessageReceived):
                serial = int.from_bytes(event.message[:4], "big")
                assert self.texts[serial] == (event.job_id, event.message)
                assert serial not in self.received_here
                self.received_here.add(serial)
                self.received.add(serial)
            elif isinstance(event, MessageDelivered):
                serial = self.serial_of.pop(event.job_id)
                assert serial in self.received
                self.delivered.add(serial)
            elif isinstance(event, MessageFailed):
                self.failed.add(self.serial_of.pop(event.job_id))

    @precondition(lambda self: len(self.serial_of) < 5)
    @rule(job_id=st.integers(0, 5), size=st.integers(0, 120))
    def submit(self, job_id, size):
        if job_id in self.serial_of:
            return
        serial = len(self.texts)
        text = serial.to_bytes(4, "big") + bytes((serial * 31 + i) % 256 for i in range(size))
        self.texts[serial] = (job_id, text)
        self.serial_of[job_id] = serial
        self.submitted_s[serial] = self.now_s
        self.act(self.sender.submit(job_id, text, self.now_s))

    @precondition(lambda self: self.forward)
    @rule(place=places, times=st.integers(1, 4))
    def packets_arrive(self, place, times):
        for _ in range(times):
            if self.forward:
                data = self.forward.pop(min(place, len(self.forward) - 1))
                self.act(self.receiver.on_packet(data, self.now_s))

    @precondition(lambda self: self.back)
    @rule(place=places, times=st.integers(1, 4))
    def acks_arrive(self, place, times):
        for _ in range(times):
            if self.back:
                data = self.back.pop(min(place, len(self.back) - 1))
                self.act(self.sender.on_ack(data, self.now_s))

    @precondition(lambda self: self.forward)
    @rule(place=places)
    def packet_lost(self, place):
        self.forward.pop(min(place, len(self.forward) - 1))

    @precondition(lambda self: self.back)
    @rule(place=places)
    def ack_lost(self, place):
        self.back.pop(min(place, len(self.back) - 1))

    @precondition(lambda self: self.forward)
    @rule(place=places)
    def packet_twice(self, place):
        self.forward.append(self.forward[min(place, len(self.forward) - 1)])

    @precondition(lambda self: self.back)
    @rule(place=places)
    def ack_twice(self, place):
        self.back.append(self.back[min(place, len(self.back) - 1)])

    @precondition(lambda self: self.forward)
    @rule(cut=st.integers(0, 30), bit=st.integers(0, 127))
    def packet_damaged(self, cut, bit):
        data = bytearray(self.forward.pop(0))
        data[bit // 8] ^= 1 << bit % 8
        self.act(self.receiver.on_packet(bytes(data), self.now_s))
        self.act(self.receiver.on_packet(bytes(data[:cut]), self.now_s))

    @precondition(lambda self: self.back)
    @rule(cut=st.integers(0, 16), bit=st.integers(0, 127))
    def ack_damaged(self, cut, bit):
        data = bytearray(self.back.pop(0))
        data[bit // 8] ^= 1 << bit % 8
        self.act(self.sender.on_ack(bytes(data), self.now_s))
        self.act(self.sender.on_ack(bytes(data[:cut]), self.now_s))

    @rule(step_s=st.floats(0.0, 0.3))
    def time_passes(self, step_s):
        self.now_s += step_s
        self.act(self.sender.poll(self.now_s))

    @precondition(lambda self: self.serial_of)
    @rule()
    def deadline_comes(self):
        self.now_s = max(self.now_s, self.sender.next_deadline_s())
        self.act(self.sender.poll(self.now_s))

    @rule()
    def sender_restarts(self):
        """New session, same job ids; the old one's packets are still under way."""
        self.session = (self.session + 1_000_003) % 2**32
        self.sender = ArqSender(self.config, session=self.session)
        self.serial_of.clear()

    @rule()
    def receiver_restarts(self):
        """It forgets everything; what it already delivered, it may deliver once more."""
        self.receiver = ArqReceiver()
        self.received_here = set()

    @invariant()
    def bounded(self):
        assert set(self.sender.active_jobs) == set(self.serial_of)
        assert len(self.receiver.incomplete) <= MAX_PARTIAL_MESSAGES
        assert (self.sender.next_deadline_s() is not None) == bool(self.serial_of)

    def teardown(self):
        """From here on the channel is good: what is not nearly given up arrives."""
        start_s = self.now_s
        active = set(self.serial_of.values())
        for _ in range(5000):
            if self.forward:
                self.act(self.receiver.on_packet(self.forward.pop(0), self.now_s))
            elif self.back:
                self.act(self.sender.on_ack(self.back.pop(0), self.now_s))
            elif self.serial_of:
                self.deadline_comes()
            else:
                break
        assert not self.serial_of, "never came to rest"
        assert active <= self.delivered | self.failed
        give_up_s = self.config.give_up_s
        lasting = {s for s in active if self.submitted_s[s] + give_up_s > start_s + 5}
        assert lasting <= self.delivered
        assert self.now_s <= start_s + give_up_s


def run_machine(n_examples):
    run_state_machine_as_test(
        LinkMachine,
        settings=settings(
            max_examples=n_examples,
            stateful_step_count=60,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_promises_hold():
    run_machine(100)


@pytest.mark.slow
def test_promises_hold_in_ten_thousand_runs():
    run_machine(10_000)
