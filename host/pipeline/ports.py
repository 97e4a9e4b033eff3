# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's ends of the two sockets of a radio: Semantic Source and Semantic Sink."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import zmq

from semcom_blocks.errors import PeerError
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message

SLICE_S = 0.05  # how long a wait may be blind to a child that died
PING_PERIOD_S = 0.5
SEND_TIMEOUT_S = 5.0
# Ten missed heartbeats of a healthy radio fit in 2 s; a machine whose two cores
# also run a codec may delay one by seconds.
SILENCE_MAX_S = 15.0


class RadioPort:
    """One socket to one radio process, with an eye on how long it has been silent."""

    def __init__(
        self, name: str, socket: zmq.Socket, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.status: dict[str, Any] = {}
        self._messages = MessageSocket(socket)
        self._kept: deque[Message] = deque()
        self._clock = clock
        self._heard = clock()

    @property
    def socket(self) -> zmq.Socket:
        """For a poller."""
        return self._messages.socket

    def arrived(self) -> Iterator[Message]:
        """Everything that has arrived; heartbeats are noted and not passed on."""
        while self._kept or self.listen():
            yield self._kept.popleft()

    def listen(self) -> bool:
        """Take in what has arrived, for :meth:`arrived`; returns whether anything is there."""
        while (message := self._messages.receive(0)) is not None:
            self._heard = self._clock()
            if message.kind == "status":
                self.status = message.meta
            else:
                self._kept.append(message)
        return bool(self._kept)

    def ping(self) -> None:
        """Ask for a sign of life where one only comes when asked for."""

    def renew(self) -> None:
        """Count silence from now on: nobody listened before."""
        self._heard = self._clock()

    def forget(self) -> None:
        """The radio's process is gone: what it said of itself no longer counts."""
        self.listen()
        self.status = {}
        self.renew()

    @property
    def silent_s(self) -> float:
        """How long nothing came."""
        return self._clock() - self._heard

    def check(self) -> None:
        """``PeerError`` if the radio has been silent for too long."""
        if self.silent_s > SILENCE_MAX_S:
            raise PeerError(f"{self.name} does not answer for {self.silent_s:.0f} s")

    def close(self) -> None:
        """Close the socket; what is queued is dropped."""
        self._messages.close()


class SourcePort(RadioPort):
    """To the Semantic Source of a sending radio (DEALER to its ROUTER)."""

    def __init__(self, context: zmq.Context, endpoint: str) -> None:
        super().__init__("radio tx", open_socket(context, zmq.DEALER, connect=endpoint))
        self._pinged = -PING_PERIOD_S

    def ping(self) -> None:
        """Ask for a sign of life, at most twice a second."""
        now = self._clock()
        if now - self._pinged >= PING_PERIOD_S:
            self._pinged = now
            self._messages.send(Message("ping", {"id": "ping"}), 0)

    def transmit(
        self,
        job_id: int,
        prompt: str,
        streams: dict[int, tuple[np.ndarray, dict[str, Any]]],
        bands: list[dict[str, Any]] | None = None,
    ) -> None:
        """Hand over a job: ``streams`` maps stream id to complex64 symbols and descriptor.

        ``bands``: carriers, power and modulation of the prompt and each stream, see
        ``semcom_blocks.phy.bands``; without them all share one payload.
        """
        meta = {
            "id": f"job-{job_id}",
            "job_id": job_id,
            "prompt": prompt,
            "streams": [
                {"stream_id": identifier, "descriptor": descriptor}
                for identifier, (_, descriptor) in streams.items()
            ],
        }
        if bands is not None:
            meta["bands"] = bands
        arrays = {f"stream_{identifier}": symbols for identifier, (symbols, _) in streams.items()}
        if not self._messages.send(Message("transmit", meta, arrays), SEND_TIMEOUT_S):
            raise PeerError(f"{self.name} takes no job within {SEND_TIMEOUT_S:g} s")


class SinkPort(RadioPort):
    """From the Semantic Sink of a receiving radio (PULL from its PUSH)."""

    def __init__(self, context: zmq.Context, endpoint: str) -> None:
        super().__init__("radio rx", open_socket(context, zmq.PULL, connect=endpoint))


def wait_ready(
    source: SourcePort | None,
    sink: SinkPort | None,
    alive: Callable[[], None],
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until each given radio gave a sign of life; ``PeerError`` names who did not.

    Anything else that arrives meanwhile is left over from an earlier job and dropped.
    """
    ports = [port for port in (source, sink) if port is not None]
    deadline = clock() + timeout_s
    while not all(port.status for port in ports):
        alive()
        if clock() > deadline:
            silent = " and ".join(port.name for port in ports if not port.status)
            raise PeerError(f"{silent} not ready within {timeout_s:g} s")
        if source is not None:
            source.ping()
        poll(ports)
        for port in ports:
            for _ in port.arrived():
                pass


def poll(ports: list[RadioPort], timeout_s: float = SLICE_S) -> None:
    """Sleep until one of ``ports`` has something or the time is over."""
    poller = zmq.Poller()
    for port in ports:
        poller.register(port.socket, zmq.POLLIN)
    poller.poll(timeout_s * 1e3)
