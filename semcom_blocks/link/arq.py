# SPDX-License-Identifier: GPL-3.0-or-later
"""Selective-repeat ARQ: configuration, events and rules.

Nothing here does I/O: bytes and a clock in, frozen events out.  Whoever owns the radio
transmits the data of :class:`SendPacket` and :class:`SendAck`, hands in what arrives, and calls
``poll`` at ``next_deadline_s``.

Sender, one row per packet and event::

    state        event                                        next state, action
    fresh        the window has room                          in flight, send
    in flight    an ack has its bit                           done
    in flight    a packet sent `reorder_packets` later was acked   lost
    in flight    retransmission timer                         lost, back off the timer
    lost         an ack has its bit                           done
    lost         the window has room                          in flight, send
    lost         was sent `max_attempts` times                the message fails
    any          `give_up_s` after submit                     the message fails
    done         all done, but no ack said "complete"         lost (the receiver forgot)

Sender, one row per message: submitted -> delivered when one ack shows every bit; or failed;
or, without feedback, sent.

Receiver::

    state        event                                        next state, action
    unknown      packet                                       partial, ack
    partial      packet, others missing                       partial, ack
    partial      last packet, message CRC right               complete, deliver, ack
    partial      last packet, message CRC wrong               unknown, no ack
    partial      packet with another count or job id          partial, ignored, counted
    partial      nothing for PARTIAL_EXPIRY_S, or too many    unknown
    complete     packet                                       complete, ack, counted

Who is who.  A job id is the caller's label: it wraps after 65,536 messages, and it starts again
when the caller restarts.  So the receiver tells messages apart by a 32-bit *tag*: a
random session number drawn by the sender once plus the number of messages it has sent,
modulo 2^32.  A tag comes back after 4 billion messages, while the receiver remembers the
last 1,024; and a sender that restarts draws anew, so that its first message is taken for
an old one with probability 1024 / 2^32.  Fragments of different messages thus never meet,
whatever their job ids; the CRC-32 over the whole message guards what is left.

The retransmission timer follows RFC 6298.  Karn's rule (no round trip from an
ambiguous ack) holds because acks echo the attempt: no ack is ambiguous.  It is restarted by
every ack that brings news (RFC 6298, 5.3), so packets that only wait in the radio's queue do
not time out.  It backs off no further than ``initial_rto_s``: doubling answers congestion,
here loss is noise, and at 30 % loss both ways a message needs some 15 tries within
``give_up_s`` to fail less than once in 10,000 times.  What protects a slow radio from a
flood is the small window while the link is silent.
"""

from dataclasses import dataclass

from semcom_blocks.errors import ConfigError, require_range
from semcom_blocks.link.packets import MAX_ATTEMPT, MAX_PAYLOAD_BYTES

#: Messages that a sender accepts before earlier ones are done; bounds its memory to 8 MB.
MAX_QUEUED_MESSAGES = 64
#: Messages of which a receiver holds fragments; above the window, so that a sender cannot
#: push out its own; bounds its memory to 8 MB.
MAX_PARTIAL_MESSAGES = 64
#: Delivered messages that a receiver remembers to know a duplicate.  A packet would have
#: to be overtaken by as many messages to be taken for new.
MAX_REMEMBERED_MESSAGES = 1024
#: Seconds without news after which fragments are dropped; above any sender's pause.
PARTIAL_EXPIRY_S = 60.0
#: Most packets in flight; 256 full packets are one second of air time.
MAX_WINDOW = 256
#: Most packets that may overtake another before it counts as lost, however often that was
#: wrong: half a default window, so that losses are found before the timer expires.
MAX_REORDER_PACKETS = 16
#: Packets in flight while the link is silent (the timer expired and no ack came since): enough
#: to find it again, too few to fill the queue of a radio that is only slow.
PROBE_PACKETS = 8
#: Longest timer and longest patience that may be asked for, in seconds.
MAX_RTO_LIMIT_S = 30.0
MAX_GIVE_UP_S = 3600.0
#: Most transmissions of each packet without feedback: at 80 % loss 0.8^32 = 0.1 % stay lost.
MAX_REPEATS = 32

#: Settings of :class:`ArqConfig` that suit a way back, where others than its own defaults do.
#: Over the air a round trip passes the buffers of two radios twice: 0.05 s where they are
#: simulated, 0.1 s between two Plutos, 0.3 s to 0.6 s of both on a machine that is busy: below
#: the initial timer, which gives 15 tries within the default patience, and above its floor.
TIMERS: dict[str, dict[str, float]] = {
    "zmq": {},
    "air": {"min_rto_s": 0.4},
    "none": {},
}


@dataclass(frozen=True)
class ArqConfig:
    """All settings of an :class:`~semcom_blocks.link.sender.ArqSender`.

    ``window``: most packets in flight, 1 … 256.
    ``payload_bytes``: bytes of a message in each packet, 8 … 240.
    ``initial_rto_s``, ``min_rto_s``, ``max_rto_s``: retransmission timeout in seconds before the
    first ack, and its bounds after; backing off ends at the initial one.
    The floor is what a busy machine may take between two frames, as in common TCPs.
    ``reorder_packets``: a packet is lost when one sent that much later was acknowledged, 1 … 16;
    3 as in RFC 5681.  It is where the sender begins; it grows with the reordering that is seen.
    ``give_up_s``: seconds from submit to :class:`MessageFailed`, 0.1 … 3600.
    ``max_attempts``: transmissions of one packet before :class:`MessageFailed`, 1 … 255.
    ``feedback``: False where no ack can come back; then each packet is sent ``repeats``
    times (1 … 32), the copies as far apart as the message is long.

    Raises :class:`ConfigError` outside the ranges.
    """

    window: int = 32
    payload_bytes: int = MAX_PAYLOAD_BYTES
    initial_rto_s: float = 1.0
    min_rto_s: float = 0.2
    max_rto_s: float = 4.0
    reorder_packets: int = 3
    give_up_s: float = 15.0
    max_attempts: int = 64
    feedback: bool = True
    repeats: int = 3

    def __post_init__(self) -> None:
        for name, low, high in (
            ("window", 1, MAX_WINDOW),
            ("payload_bytes", 8, MAX_PAYLOAD_BYTES),
            ("reorder_packets", 1, MAX_REORDER_PACKETS),
            ("max_attempts", 1, MAX_ATTEMPT),
            ("repeats", 1, MAX_REPEATS),
        ):
            value = getattr(self, name)
            if type(value) is not int:
                raise ConfigError(f"{name} is {value!r}, permitted: a whole number")
            require_range(name, value, low, high)
        require_range("min_rto_s", self.min_rto_s, 0.001, MAX_RTO_LIMIT_S)
        require_range("max_rto_s", self.max_rto_s, self.min_rto_s, MAX_RTO_LIMIT_S)
        require_range("initial_rto_s", self.initial_rto_s, self.min_rto_s, self.max_rto_s)
        require_range("give_up_s", self.give_up_s, 0.1, MAX_GIVE_UP_S)


@dataclass(frozen=True)
class SendPacket:
    """Transmit ``data``: packet ``index`` of job ``job_id`` for the ``attempt``-th time."""

    data: bytes
    job_id: int
    index: int
    attempt: int


@dataclass(frozen=True)
class MessageDelivered:
    """The receiver acknowledged the whole message."""

    job_id: int
    packets_sent: int
    retransmissions: int


@dataclass(frozen=True)
class MessageFailed:
    """Given up; ``reason`` is one line, fit for :class:`~semcom_blocks.errors.ArqGaveUp`.

    The message may have arrived all the same, if only its acks were lost.
    """

    job_id: int
    reason: str
    packets_sent: int
    retransmissions: int


@dataclass(frozen=True)
class MessageSent:
    """Without feedback: every copy was handed out; whether any arrived is not known."""

    job_id: int
    packets_sent: int
    retransmissions: int


@dataclass(frozen=True)
class BandsHeard:
    """What the receiver measured last on each band of the job's frames, Es/N0 at unit power."""

    job_id: int
    band_snr_db: tuple[float, ...]


@dataclass(frozen=True)
class SendAck:
    """Bring ``data`` to the sender."""

    data: bytes
    job_id: int


@dataclass(frozen=True)
class MessageReceived:
    """A message arrived whole; at most once per message."""

    job_id: int
    message: bytes


Event = (
    SendPacket
    | MessageDelivered
    | MessageFailed
    | MessageSent
    | BandsHeard
    | SendAck
    | MessageReceived
)
