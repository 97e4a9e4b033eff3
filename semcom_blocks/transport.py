# SPDX-License-Identifier: GPL-3.0-or-later
"""ZeroMQ sockets with limits, and the counting send and receive on top of them.

A socket opened here never outgrows its limits, never keeps a process alive
(``LINGER`` 0), and binds loopback unless told otherwise.  There is no encryption
and no authentication: off loopback, only on a network that one trusts.

Sockets belong to the thread that uses them, as always with ZeroMQ.
"""

import ipaddress
import logging
import math
import re
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

import zmq

from semcom_blocks import wire
from semcom_blocks.errors import ConfigError, WireError
from semcom_blocks.wire import Message

logger = logging.getLogger(__name__)

# ZeroMQ cuts the connection of a peer whose single part is longer, without a word.  The margin
# lets a part just over the wire's own limit in, to be refused and counted by name.
DEFAULT_MAX_MESSAGE_BYTES = wire.MAX_ARRAY_BYTES + (1 << 16)
# Half a minute of heartbeats and frames; what waits longer is stale.
DEFAULT_HIGH_WATER_MARK = 64
# Deep enough for a host that pauses for seconds, shallow enough to be current afterwards.
DEFAULT_QUEUE_MESSAGES = 256
DEFAULT_QUEUE_BYTES = wire.MAX_MESSAGE_BYTES
# A flood of malformed messages must not keep one call busy for ever.
MAX_REFUSED_PER_CALL = 1000
# A day; ZeroMQ counts milliseconds in 32 bits.
MAX_TIMEOUT_S = 86_400

_ENDPOINT = re.compile(
    r"tcp://(?P<host>\*|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):(?P<port>\*|[0-9]{1,5})"
    r"|(?:ipc|inproc)://[!-~]{1,100}",
    re.ASCII,
)
_ENDPOINT_FORMS = (
    "tcp://HOST:PORT (IPv4 or a name, port 1 to 65535 or *), ipc://PATH, inproc://NAME"
)


def open_socket(
    context: zmq.Context,
    socket_type: int,
    *,
    bind: str | None = None,
    connect: str | None = None,
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
    high_water_mark: int = DEFAULT_HIGH_WATER_MARK,
    allow_remote: bool = False,
) -> zmq.Socket:
    """Return a socket bound or connected to one endpoint, with every limit set.

    bind, connect       exactly one of them; ``tcp://127.0.0.1:*`` binds a free port
    max_message_bytes   per message part; a peer that exceeds it is disconnected
    high_water_mark     messages queued in each direction and peer, at least 1
    allow_remote        permits binding an address other than loopback

    A connecting socket queues nothing before the connection stands, and a ROUTER
    reports unknown peers, so that a failed send is seen by the sender.
    Raises :class:`ConfigError` naming the endpoint: malformed, in use, not loopback.
    """
    given = [endpoint for endpoint in (bind, connect) if endpoint is not None]
    if len(given) != 1:
        raise ConfigError(f"bind is {bind!r} and connect is {connect!r}, permitted: exactly one")
    if max_message_bytes < 1 or high_water_mark < 1:
        limits = f"{max_message_bytes} and {high_water_mark}"
        raise ConfigError(f"max_message_bytes, high_water_mark are {limits}, permitted: 1 or more")
    endpoint = check_endpoint(given[0], binds=bind is not None)
    if bind is not None and not is_loopback(endpoint):
        if not allow_remote:
            raise ConfigError(f"endpoint {endpoint} is not loopback, permitted: 127.0.0.1")
        logger.warning("binding %s: open to the network, neither encrypted nor authenticated", bind)
    socket = context.socket(socket_type)
    try:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.IPV6, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, max_message_bytes)
        socket.setsockopt(zmq.SNDHWM, high_water_mark)
        socket.setsockopt(zmq.RCVHWM, high_water_mark)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        if socket_type == zmq.ROUTER:
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if bind is not None:
            socket.bind(endpoint)
        else:
            socket.connect(endpoint)
    except zmq.ZMQError as error:
        socket.close()
        if error.errno == zmq.EADDRINUSE:
            text = f"endpoint {endpoint} is in use by another process, permitted: a free port"
        else:
            text = f"endpoint {endpoint} cannot be opened: {error}"
        raise ConfigError(text) from None
    return socket


def check_endpoint(endpoint: str, *, binds: bool = False) -> str:
    """Return ``endpoint`` if it is well formed, else raise :class:`ConfigError`."""
    match = _ENDPOINT.fullmatch(endpoint) if isinstance(endpoint, str) else None
    port = match and match["port"]
    wild = match is not None and "*" in (match["host"], port)
    if (
        match is None
        or (wild and not binds)
        or (port and port != "*" and not 0 < int(port) < 65536)
    ):
        raise ConfigError(f"endpoint is {ascii(endpoint)[:120]}, permitted: {_ENDPOINT_FORMS}")
    return endpoint


def is_loopback(endpoint: str) -> bool:
    """True if only this machine can reach a socket bound to ``endpoint``."""
    match = _ENDPOINT.fullmatch(endpoint)
    host = match and match["host"]
    if host is None or host == "localhost":
        return match is not None
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


class MessageSocket:
    """Sends and receives :class:`Message` over one ZeroMQ socket, and counts.

    sent, received   messages that went out and came in
    refused          malformed messages, skipped on receive
    dropped          messages not sent because the peer was away, unknown or stalled
    """

    def __init__(self, socket: zmq.Socket, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.socket = socket
        self.sent = self.received = self.refused = self.dropped = 0
        self._clock = clock

    @property
    def endpoint(self) -> str:
        """The endpoint last bound or connected, with the port that was chosen for ``*``."""
        return self.socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")

    def counters(self) -> dict[str, int]:
        """A snapshot of the four counters."""
        names = ("sent", "received", "refused", "dropped")
        return {name: getattr(self, name) for name in names}

    def send(self, message: Message, timeout_s: float) -> bool:
        """Hand ``message`` to a connected peer; False and counted if none took it in time.

        Raises :class:`WireError` where the message itself exceeds a limit.
        """
        return self._count(self.offer(wire.encode(message), timeout_s))

    def send_to(self, identity: bytes, message: Message, timeout_s: float) -> bool:
        """ROUTER: like :meth:`send`, to the peer that :meth:`receive_from` named."""
        return self._count(self.offer([identity, *wire.encode(message)], timeout_s))

    def receive(self, timeout_s: float) -> Message | None:
        """Return the next good message, or None when none came within ``timeout_s``."""
        found = self._receive(timeout_s, routed=False)
        return found and found[1]

    def receive_from(self, timeout_s: float) -> tuple[bytes, Message] | None:
        """ROUTER: like :meth:`receive`, with the identity of the peer that sent it."""
        return self._receive(timeout_s, routed=True)

    def close(self, linger_s: float = 0.0) -> None:
        """Close; what is queued may still go out for ``linger_s``, while the context terminates."""
        self.socket.close(linger=_milliseconds(linger_s))

    def __enter__(self) -> "MessageSocket":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def offer(self, frames: list[bytes], timeout_s: float = 0.0) -> bool:
        """Hand encoded ``frames`` over; False, and not counted, if no peer takes them in time."""
        self.socket.setsockopt(zmq.SNDTIMEO, _milliseconds(timeout_s))
        try:
            self.socket.send_multipart(frames)
        except zmq.ZMQError as error:
            # EAGAIN: nobody there, or the queue is full; EHOSTUNREACH: a ROUTER's peer is gone.
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            return False
        self.sent += 1
        return True

    def _count(self, taken: bool) -> bool:
        self.dropped += not taken
        return taken

    def _receive(self, timeout_s: float, *, routed: bool) -> tuple[bytes, Message] | None:
        wait_ms = _milliseconds(timeout_s)
        deadline = self._clock() + timeout_s
        for _ in range(MAX_REFUSED_PER_CALL):
            if not self.socket.poll(wait_ms):
                return None
            wait_ms = _milliseconds(deadline - self._clock())
            parts = self.socket.recv_multipart()
            identity, frames = (parts[0], parts[1:]) if routed else (b"", parts)
            try:
                message = wire.decode(frames)
            except WireError as error:
                self.refused += 1
                # At powers of two only: a flood must not fill the log.
                if self.refused & (self.refused - 1) == 0:
                    logger.warning("refused message number %d: %s", self.refused, error)
                continue
            self.received += 1
            return identity, message
        return None


class BoundedSender:
    """A bounded queue in front of a PUSH socket: never blocks, drops the oldest and counts.

    For sources that must run on while the peer is away or stalled.  Open the socket
    with a small ``high_water_mark``: what ZeroMQ holds itself can no longer be dropped.

    ``follows``: another sender on the same socket. A message goes out only behind all that the
    other one had been given before it (or had dropped); a flood there still cannot push
    messages out here.
    """

    def __init__(
        self,
        socket: MessageSocket,
        max_messages: int = DEFAULT_QUEUE_MESSAGES,
        max_bytes: int = DEFAULT_QUEUE_BYTES,
        follows: "BoundedSender | None" = None,
    ) -> None:
        if max_messages < 1 or max_bytes < 1:
            limits = f"{max_messages} and {max_bytes}"
            raise ConfigError(f"max_messages and max_bytes are {limits}, permitted: 1 or more")
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.dropped = 0
        self._socket = socket
        self._follows = follows
        # Size, encoded message, and how many messages of the other sender go before it.
        self._queue: deque[tuple[int, list[bytes], int]] = deque()
        self._bytes = 0
        self._pushed = 0

    def __len__(self) -> int:
        return len(self._queue)

    def counters(self) -> dict[str, int]:
        """Messages sent, dropped here, and waiting."""
        return {"sent": self._socket.sent, "dropped": self.dropped, "queued": len(self._queue)}

    def push(self, message: Message) -> None:
        """Queue ``message``, drop the oldest beyond the limits, and move what the peer takes.

        Raises :class:`WireError` where the message itself exceeds a limit.
        """
        frames = wire.encode(message)
        size = sum(map(len, frames))
        self._queue.append((size, frames, self._follows._pushed if self._follows else 0))
        self._bytes += size
        self._pushed += 1
        self.pump()
        while len(self._queue) > self.max_messages or (
            self._bytes > self.max_bytes and len(self._queue) > 1
        ):
            self._bytes -= self._queue.popleft()[0]
            self.dropped += 1

    def pump(self) -> int:
        """Send what the peer takes at once; return how many messages that were."""
        count = 0
        if self._follows:
            self._follows.pump()
        while self._queue and self._due() and self._socket.offer(self._queue[0][1]):
            self._bytes -= self._queue.popleft()[0]
            count += 1
        return count

    def _due(self) -> bool:
        """Whether all that goes before the oldest message here has left the other queue."""
        other = self._follows
        return other is None or other._pushed - len(other._queue) >= self._queue[0][2]

    def drain(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> bool:
        """Send until the queue is empty or ``timeout_s`` is over; return whether it is empty."""
        deadline = clock() + timeout_s
        self.pump()
        while self._queue and (remaining_s := deadline - clock()) > 0:
            self._socket.socket.poll(_milliseconds(remaining_s), zmq.POLLOUT)
            self.pump()
        return not self._queue


def _milliseconds(seconds: float) -> int:
    """Whole milliseconds for ZeroMQ, rounded up; a deadline that is over means no wait."""
    if not seconds <= MAX_TIMEOUT_S:
        raise ConfigError(f"timeout_s is {seconds}, permitted: 0 to {MAX_TIMEOUT_S}")
    return math.ceil(max(seconds, 0.0) * 1e3)
