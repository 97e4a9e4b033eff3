# SPDX-License-Identifier: GPL-3.0-or-later
"""The sending half of the ARQ; rules and state table in :mod:`semcom_blocks.link.arq`."""

import math
from collections import Counter, deque
from dataclasses import dataclass, field

from semcom_blocks.errors import ConfigError, LinkError, require_range
from semcom_blocks.link.arq import (
    MAX_QUEUED_MESSAGES,
    MAX_REORDER_PACKETS,
    MAX_WINDOW,
    PROBE_PACKETS,
    ArqConfig,
    BandsHeard,
    Event,
    MessageDelivered,
    MessageFailed,
    MessageSent,
    SendPacket,
)
from semcom_blocks.link.fragment import split
from semcom_blocks.link.packets import Ack, CorruptPacket, Packet
from semcom_blocks.link.rto import RtoEstimator

_TAG_MODULUS = 1 << 32


@dataclass(eq=False)
class _Fragment:
    """One packet's worth of a message.  ``orders`` and ``sent_s``: one entry per attempt."""

    job: "_Job"
    index: int
    payload: bytes
    done: bool = False
    waits: bool = False  # in the queue of lost packets
    orders: list[int] = field(default_factory=list)
    sent_s: list[float] = field(default_factory=list)


@dataclass(eq=False)
class _Job:
    job_id: int
    tag: int
    submitted_s: float
    fragments: list[_Fragment] = field(default_factory=list)
    n_missing: int = 0
    packets_sent: int = 0

    @property
    def retransmissions(self) -> int:
        return self.packets_sent - sum(1 for fragment in self.fragments if fragment.orders)


class ArqSender:
    """Selective repeat over a window of packets, several messages at a time.

    ``session``: a number 0 … 2^32 - 1 that the caller draws at random once per process; with
    the same one and the same calls every packet is identical.  Times are seconds of
    any clock that does not run backwards (a step back is taken as no step).

    All methods return the events to act on, in order.
    """

    def __init__(self, config: ArqConfig, *, session: int) -> None:
        if type(session) is not int:
            raise ConfigError(f"session is {session!r}, permitted: 0 to {_TAG_MODULUS - 1}")
        require_range("session", session, 0, _TAG_MODULUS - 1)
        self._config = config
        self._next_tag = session
        self._rto = RtoEstimator(config.initial_rto_s, config.min_rto_s, config.max_rto_s)
        self._jobs: dict[int, _Job] = {}  # by tag, oldest first
        self._fresh: deque[_Fragment] = deque()
        self._lost: deque[_Fragment] = deque()
        self._in_flight: dict[int, _Fragment] = {}  # by order of transmission, oldest first
        self._next_order = 0
        self._highest_acked_order = -1
        self._reorder_packets = config.reorder_packets
        self._silent = False  # the timer expired, and no ack came since
        self._progress_s = -math.inf
        self._now_s = -math.inf
        self._counters: Counter[str] = Counter()

    # -- what is known ------------------------------------------------------------

    @property
    def counters(self) -> dict[str, int]:
        """Totals since the start: packets_sent, retransmissions, acks_received, acks_bad, …"""
        names = (
            "messages_submitted",
            "messages_delivered",
            "messages_failed",
            "messages_sent",
            "packets_sent",
            "retransmissions",
            "timeouts",
            "acks_received",
            "acks_bad",
            "acks_stale",
            "acks_conflicting",
        )
        return {name: self._counters[name] for name in names}

    @property
    def active_jobs(self) -> tuple[int, ...]:
        """Job ids that are neither delivered nor failed, oldest first."""
        return tuple(job.job_id for job in self._jobs.values())

    @property
    def rto_s(self) -> float:
        """The present retransmission timeout in seconds."""
        return self._rto.rto_s

    @property
    def srtt_s(self) -> float | None:
        """The smoothed round trip in seconds, None before the first ack."""
        return self._rto.srtt_s

    def next_deadline_s(self) -> float | None:
        """When :meth:`poll` must be called at the latest; None when nothing is pending."""
        if not self._jobs:
            return None
        deadline_s = self._give_up_s(next(iter(self._jobs.values())))
        timer_s = self._timer_s()
        return deadline_s if timer_s is None else min(deadline_s, timer_s)

    # -- what happens -------------------------------------------------------------

    def submit(self, job_id: int, message: bytes, now_s: float) -> tuple[Event, ...]:
        """Begin to send ``message`` under the caller's label ``job_id`` (0 … 65535).

        Raises :class:`ConfigError` on a label outside its range; :class:`LinkError` when
        the message is too long, the label is still in use, or 64 messages wait already.
        """
        self._tick(now_s)
        if type(job_id) is not int:
            raise ConfigError(f"job_id is {job_id!r}, permitted: 0 to 65535")
        require_range("job_id", job_id, 0, 0xFFFF)
        if job_id in self.active_jobs:
            raise LinkError(f"job {job_id} is still being sent, permitted: another job id")
        if len(self._jobs) >= MAX_QUEUED_MESSAGES:
            raise LinkError(f"{len(self._jobs)} messages wait, permitted: {MAX_QUEUED_MESSAGES}")
        payloads = split(message, self._config.payload_bytes)

        job = _Job(job_id, self._next_tag, self._now_s, n_missing=len(payloads))
        job.fragments = [_Fragment(job, i, payload) for i, payload in enumerate(payloads)]
        self._next_tag = (self._next_tag + 1) % _TAG_MODULUS
        self._counters["messages_submitted"] += 1
        if not self._config.feedback:
            return self._send_blindly(job)
        self._jobs[job.tag] = job
        self._fresh.extend(job.fragments)
        return tuple(self._fill_window())

    def on_ack(self, data: bytes, now_s: float) -> tuple[Event, ...]:
        """Take an acknowledgement; anything else is counted and ignored."""
        self._tick(now_s)
        try:
            ack = Ack.from_bytes(data)
        except CorruptPacket:
            self._counters["acks_bad"] += 1
            return ()
        job = self._jobs.get(ack.tag)
        if job is None:  # of a message that is over, or of another sender
            self._counters["acks_stale"] += 1
            return ()
        if ack.job_id != job.job_id or ack.count != len(job.fragments):
            self._counters["acks_conflicting"] += 1
            return ()
        self._counters["acks_received"] += 1
        self._silent = False
        self._take_echo(job.fragments[ack.index], ack.attempt)

        events: list[Event] = []
        if ack.band_snr_db:
            events.append(BandsHeard(job.job_id, ack.band_snr_db))
        before = job.n_missing
        for fragment in job.fragments:
            if not fragment.done and ack.received >> fragment.index & 1:
                self._mark_done(fragment)
        if job.n_missing < before:
            self._progress_s = self._now_s
        if ack.complete:
            del self._jobs[job.tag]
            self._counters["messages_delivered"] += 1
            events.append(MessageDelivered(job.job_id, job.packets_sent, job.retransmissions))
        elif job.n_missing == 0:
            self._start_over(job, ack.received)
        self._detect_losses()
        events += self._fill_window()
        return tuple(events)

    def poll(self, now_s: float) -> tuple[Event, ...]:
        """Act on what is due at ``now_s``: timeouts and messages to give up."""
        self._tick(now_s)
        events: list[Event] = []
        limit_s = self._config.give_up_s
        for job in list(self._jobs.values()):
            if self._now_s >= self._give_up_s(job):
                events.append(self._fail(job, f"after {limit_s:g} s"))
        timer_s = self._timer_s()
        if timer_s is not None and self._now_s >= timer_s:
            self._counters["timeouts"] += 1
            for order, fragment in list(self._in_flight.items()):
                if fragment.sent_s[-1] + self._rto.rto_s <= self._now_s:
                    self._lose(self._in_flight.pop(order))
            self._rto.back_off()
            self._silent = True
        events += self._fill_window()
        return tuple(events)

    # -- how ----------------------------------------------------------------------

    def _tick(self, now_s: float) -> None:
        if not math.isfinite(now_s):
            raise ConfigError(f"now_s is {now_s}, permitted: finite seconds")
        self._now_s = max(self._now_s, now_s)

    def _give_up_s(self, job: _Job) -> float:
        return job.submitted_s + self._config.give_up_s

    def _timer_s(self) -> float | None:
        """Expiry of the retransmission timer, which runs while anything is in flight."""
        if not self._in_flight:
            return None
        oldest = next(iter(self._in_flight.values()))
        return max(oldest.sent_s[-1], self._progress_s) + self._rto.rto_s

    def _take_echo(self, fragment: _Fragment, attempt: int) -> None:
        """Learn the round trip and the order of the transmission that was acknowledged."""
        if attempt <= len(fragment.orders):
            self._rto.sample(self._now_s - fragment.sent_s[attempt - 1])
            order = fragment.orders[attempt - 1]
            # Not lost but overtaken: be that much more patient from now on, as RFC 8985, 6.2.
            overtaken_by = min(self._highest_acked_order - order, MAX_REORDER_PACKETS - 1)
            self._reorder_packets = max(self._reorder_packets, overtaken_by + 1)
            self._highest_acked_order = max(self._highest_acked_order, order)

    def _mark_done(self, fragment: _Fragment) -> None:
        fragment.done = True
        fragment.job.n_missing -= 1
        if fragment.orders:
            self._in_flight.pop(fragment.orders[-1], None)
        if len(fragment.orders) == 1:  # its ack was lost, but which attempt it was is clear
            self._highest_acked_order = max(self._highest_acked_order, fragment.orders[0])

    def _detect_losses(self) -> None:
        """Fast retransmit: whatever was overtaken by ``reorder_packets`` is lost."""
        newest_lost = self._highest_acked_order - self._reorder_packets
        while self._in_flight:
            order = next(iter(self._in_flight))
            if order > newest_lost:
                return
            self._lose(self._in_flight.pop(order))

    def _lose(self, fragment: _Fragment) -> None:
        if not fragment.waits:
            fragment.waits = True
            self._lost.append(fragment)

    def _start_over(self, job: _Job, received: int) -> None:
        """Every packet was acknowledged, but never all in one ack: the receiver forgot some.

        It restarted, or the whole message failed its CRC there.  Its latest word counts.
        """
        for fragment in job.fragments:
            if not received >> fragment.index & 1:
                fragment.done = False
                job.n_missing += 1
                self._lose(fragment)

    def _fill_window(self) -> list[Event]:
        events: list[Event] = []
        window = min(self._config.window, PROBE_PACKETS if self._silent else MAX_WINDOW)
        while len(self._in_flight) < window:
            fragment = self._next_fragment()
            if fragment is None:
                break
            job = fragment.job
            if len(fragment.orders) >= self._config.max_attempts:
                events.append(self._fail(job, f"after {self._config.max_attempts} attempts"))
            else:
                events.append(self._transmit(fragment))
                self._in_flight[fragment.orders[-1]] = fragment
        return events

    def _next_fragment(self) -> _Fragment | None:
        """Lost before fresh; those that arrived meanwhile or whose message is over are skipped."""
        for queue in (self._lost, self._fresh):
            while queue:
                fragment = queue.popleft()
                fragment.waits = False
                if not fragment.done and fragment.job.tag in self._jobs:
                    return fragment
        return None

    def _transmit(self, fragment: _Fragment) -> SendPacket:
        job = fragment.job
        if fragment.orders:
            self._counters["retransmissions"] += 1
        fragment.orders.append(self._next_order)
        fragment.sent_s.append(self._now_s)
        self._next_order += 1
        job.packets_sent += 1
        self._counters["packets_sent"] += 1
        attempt = len(fragment.orders)
        packet = Packet(
            tag=job.tag,
            job_id=job.job_id,
            index=fragment.index,
            count=len(job.fragments),
            payload=fragment.payload,
            attempt=attempt,
        )
        return SendPacket(packet.to_bytes(), job.job_id, fragment.index, attempt)

    def _send_blindly(self, job: _Job) -> tuple[Event, ...]:
        """All copies, round by round, so that one fade does not take every copy of a packet."""
        events: list[Event] = [
            self._transmit(fragment)
            for _ in range(self._config.repeats)
            for fragment in job.fragments
        ]
        self._counters["messages_sent"] += 1
        events.append(MessageSent(job.job_id, job.packets_sent, job.retransmissions))
        return tuple(events)

    def _fail(self, job: _Job, when: str) -> MessageFailed:
        del self._jobs[job.tag]
        for fragment in job.fragments:
            if fragment.orders:
                self._in_flight.pop(fragment.orders[-1], None)
        self._counters["messages_failed"] += 1
        reason = (
            f"job {job.job_id}: {job.n_missing} of {len(job.fragments)} packets "
            f"not acknowledged {when}"
        )
        return MessageFailed(job.job_id, reason, job.packets_sent, job.retransmissions)
