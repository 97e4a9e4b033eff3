# SPDX-License-Identifier: GPL-3.0-or-later
"""A link in virtual time: real sender, real receiver, and between them a seeded bad channel."""

import heapq
import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest

from semcom_blocks.link import (
    ArqConfig,
    ArqReceiver,
    ArqSender,
    MessageDelivered,
    MessageFailed,
    MessageReceived,
    MessageSent,
    SendAck,
    SendPacket,
)


@dataclass(frozen=True)
class Channel:
    """Probabilities per packet, applied to data and (``ack_loss``) to acks."""

    loss: float = 0.0
    ack_loss: float = 0.0
    duplicate: float = 0.0
    truncate: float = 0.0
    #: A packet arrives up to this many packet times late.
    reorder_window: int = 0
    packet_s: float = 0.004
    delay_s: float = 0.01


@dataclass
class VirtualLink:
    """Serial in the forward direction (one packet after another), instant acks back."""

    channel: Channel = field(default_factory=Channel)
    config: ArqConfig = field(default_factory=ArqConfig)
    seed: int = 0
    session: int = 0

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.sender = ArqSender(self.config, session=self.session)
        self.receiver = ArqReceiver()
        self.now_s = 0.0
        self.busy_until_s = 0.0
        self.queue, self.number = [], itertools.count()
        self.on_air = []  # every packet as it was sent
        self.received, self.delivered, self.failed, self.sent = [], [], [], []
        self.done_s = {}

    def submit(self, job_id, message):
        self._act(self.sender.submit(job_id, message, self.now_s))

    def run(self, limit_s=1e6):
        """Let time pass until nothing is pending."""
        while self.queue or self.sender.next_deadline_s() is not None:
            deadline_s = self.sender.next_deadline_s()
            if self.queue and (deadline_s is None or self.queue[0][0] <= deadline_s):
                self.now_s, _, take, data = heapq.heappop(self.queue)
                self._act(take(data, self.now_s))
            else:
                self.now_s = max(self.now_s, deadline_s)
                self._act(self.sender.poll(self.now_s))
            assert self.now_s < limit_s, "the link never comes to rest"
        return self

    def _act(self, events):
        for event in events:
            match event:
                case SendPacket():
                    self.on_air.append(event.data)
                    self.busy_until_s = max(self.busy_until_s, self.now_s) + self.channel.packet_s
                    self._carry(event.data, self.busy_until_s, self.channel.loss, forward=True)
                case SendAck():
                    self._carry(event.data, self.now_s, self.channel.ack_loss, forward=False)
                case MessageReceived():
                    self.received.append((event.job_id, event.message))
                case MessageDelivered():
                    self.delivered.append(event.job_id)
                    self.done_s[event.job_id] = self.now_s
                case MessageFailed():
                    self.failed.append(event)
                    self.done_s[event.job_id] = self.now_s
                case MessageSent():
                    self.sent.append(event.job_id)

    def _carry(self, data, at_s, loss, forward):
        draw = self.rng.random(4)
        take = self.receiver.on_packet if forward else self.sender.on_ack
        if draw[0] < loss:
            return
        for _ in range(2 if draw[1] < self.channel.duplicate else 1):
            late = int(self.rng.integers(0, self.channel.reorder_window + 1))
            if draw[2] < self.channel.truncate:
                data = data[: int(draw[3] * len(data))]
            arrival_s = at_s + self.channel.delay_s + late * self.channel.packet_s
            heapq.heappush(self.queue, (arrival_s, next(self.number), take, data))


@pytest.fixture
def make_link():
    """``make_link(config=…, seed=…, session=…, loss=…, …)`` gives a :class:`VirtualLink`."""

    def make(config=None, seed=0, session=0, **channel):
        return VirtualLink(Channel(**channel), config or ArqConfig(), seed, session)

    return make
