# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiving half of the ARQ; rules and state table in :mod:`semcom_blocks.link.arq`."""

import math
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from semcom_blocks.errors import ConfigError, LinkError
from semcom_blocks.link.arq import (
    MAX_PARTIAL_MESSAGES,
    MAX_REMEMBERED_MESSAGES,
    PARTIAL_EXPIRY_S,
    Event,
    MessageReceived,
    SendAck,
)
from semcom_blocks.link.fragment import join
from semcom_blocks.link.packets import Ack, CorruptPacket, Packet


@dataclass(eq=False)
class _Partial:
    job_id: int
    count: int
    payloads: dict[int, bytes] = field(default_factory=dict)
    heard_s: float = -math.inf


class ArqReceiver:
    """Reassembles messages and acknowledges every packet with all that is there.

    Times are seconds of any clock that does not run backwards.  Memory is bounded by the
    constants of :mod:`semcom_blocks.link.arq`, whatever arrives.
    """

    def __init__(self) -> None:
        # Both by tag, the one longest unheard of first.
        self._partials: OrderedDict[int, _Partial] = OrderedDict()
        self._complete: OrderedDict[int, tuple[int, int]] = OrderedDict()  # (job id, count)
        self._now_s = -math.inf
        self._band_snr_db: tuple[float, ...] = ()
        self._counters: Counter[str] = Counter()

    @property
    def counters(self) -> dict[str, int]:
        """Totals since the start.

        ``packets_received`` were undamaged, ``packets_duplicate`` and ``packets_conflicting``
        among them; ``packets_bad`` were not.  ``messages_bad`` failed their own CRC,
        ``messages_dropped`` stayed incomplete.
        """
        names = (
            "packets_received",
            "packets_duplicate",
            "packets_bad",
            "packets_conflicting",
            "messages_received",
            "messages_bad",
            "messages_dropped",
            "acks_sent",
        )
        return {name: self._counters[name] for name in names}

    @property
    def incomplete(self) -> tuple[tuple[int, int, int], ...]:
        """(job id, packets there, packets in all) of each message of which some are missing."""
        return tuple((p.job_id, len(p.payloads), p.count) for p in self._partials.values())

    def on_packet(
        self, data: bytes, now_s: float, band_snr_db: tuple[float, ...] = ()
    ) -> tuple[Event, ...]:
        """Take a packet; return the ack to send and the message, if it is whole now.

        ``band_snr_db``: of the bands of the packet's frame, which the ack tells the sender.
        """
        if not math.isfinite(now_s):
            raise ConfigError(f"now_s is {now_s}, permitted: finite seconds")
        self._now_s = max(self._now_s, now_s)
        self._band_snr_db = band_snr_db
        self._expire()
        try:
            packet = Packet.from_bytes(data)
        except CorruptPacket:
            self._counters["packets_bad"] += 1
            return ()
        self._counters["packets_received"] += 1
        if packet.tag in self._complete:
            return self._again(packet)

        partial = self._partials.get(packet.tag)
        if partial is None:
            partial = self._begin(packet)
        known = partial.payloads.get(packet.index, packet.payload)
        if (partial.job_id, partial.count, known) != (packet.job_id, packet.count, packet.payload):
            self._counters["packets_conflicting"] += 1
            return ()
        if packet.index in partial.payloads:
            self._counters["packets_duplicate"] += 1
        partial.payloads[packet.index] = packet.payload
        partial.heard_s = self._now_s
        self._partials.move_to_end(packet.tag)
        if len(partial.payloads) < partial.count:
            return (self._ack(packet, sum(1 << index for index in partial.payloads)),)
        return self._finish(packet, partial)

    def _again(self, packet: Packet) -> tuple[Event, ...]:
        """A packet of a message that was delivered: its ack was lost, or it was sent twice."""
        if self._complete[packet.tag] != (packet.job_id, packet.count):
            self._counters["packets_conflicting"] += 1
            return ()
        self._counters["packets_duplicate"] += 1
        self._complete.move_to_end(packet.tag)
        return (self._ack(packet, (1 << packet.count) - 1),)

    def _begin(self, packet: Packet) -> _Partial:
        if len(self._partials) >= MAX_PARTIAL_MESSAGES:
            self._partials.popitem(last=False)
            self._counters["messages_dropped"] += 1
        partial = self._partials[packet.tag] = _Partial(packet.job_id, packet.count)
        return partial

    def _finish(self, packet: Packet, partial: _Partial) -> tuple[Event, ...]:
        del self._partials[packet.tag]
        try:
            message = join([partial.payloads[index] for index in range(partial.count)])
        except LinkError:  # one damaged packet in 2^32 passes its own CRC
            self._counters["messages_bad"] += 1
            return ()
        self._complete[packet.tag] = (partial.job_id, partial.count)
        if len(self._complete) > MAX_REMEMBERED_MESSAGES:
            self._complete.popitem(last=False)
        self._counters["messages_received"] += 1
        received = MessageReceived(partial.job_id, message)
        return (received, self._ack(packet, (1 << partial.count) - 1))

    def _expire(self) -> None:
        while self._partials:
            oldest = next(iter(self._partials.values()))
            if self._now_s - oldest.heard_s < PARTIAL_EXPIRY_S:
                return
            self._partials.popitem(last=False)
            self._counters["messages_dropped"] += 1

    def _ack(self, packet: Packet, received: int) -> SendAck:
        self._counters["acks_sent"] += 1
        ack = Ack(
            tag=packet.tag,
            job_id=packet.job_id,
            index=packet.index,
            count=packet.count,
            received=received,
            attempt=packet.attempt,
            band_snr_db=self._band_snr_db,
        )
        return SendAck(ack.to_bytes(), packet.job_id)
