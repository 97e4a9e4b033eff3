# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket's side of the service: receive, refuse, queue, reply, count."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable

import zmq

from host.service.estimation import EstimateHandlers
from host.service.handlers import Handlers
from host.service.worker import Job, Worker, error_message
from host.versions import package_versions
from semcom_blocks.errors import PeerError
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message

WAKE_ENDPOINT = "inproc://semcom-service-wake"
# A reply may be a 48 MB picture to a client that reads; one that does not is dropped.
REPLY_TIMEOUT_S = 5.0
POLL_S = 0.1

_log = logging.getLogger(__name__)


class Server:
    """Serves on one endpoint until :meth:`stop`.

    ``answered``, ``failed`` and ``refused`` count replies, requests answered with an
    error, and messages that were no messages.  ``estimates`` has a worker of its own.
    """

    def __init__(
        self,
        endpoint: str,
        handlers: Handlers,
        *,
        estimates: EstimateHandlers | None = None,
        allow_remote: bool = False,
    ) -> None:
        self._context = zmq.Context()
        self._stopping = False
        self._versions = package_versions()
        self.answered = 0
        try:
            self._wake = self._context.socket(zmq.PULL)
            self._wake.bind(WAKE_ENDPOINT)
            self._router = MessageSocket(
                open_socket(self._context, zmq.ROUTER, bind=endpoint, allow_remote=allow_remote)
            )
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._worker = Worker(self._context, WAKE_ENDPOINT, handlers)
        estimates = estimates or EstimateHandlers()
        self._quick = Worker(self._context, WAKE_ENDPOINT, estimates, "estimates")
        self._by_kind = dict.fromkeys(estimates.kinds, self._quick)

    @property
    def endpoint(self) -> str:
        """Where it listens, with the port that was chosen for ``*``."""
        return self._router.endpoint

    def counters(self) -> dict[str, int]:
        """What happened so far, by kind."""
        return {
            "answered": self.answered,
            "failed": self._worker.failed + self._quick.failed,
            "refused": self._router.refused,
            "dropped": self._router.dropped,
        }

    def stop(self) -> None:
        """Let :meth:`serve` return within a tenth of a second; callable from any thread."""
        self._stopping = True

    def serve(self, prepare: Callable[[], None] = lambda: None) -> None:
        """Answer until stopped; ``prepare`` runs first, in the worker thread."""
        self._worker.start(prepare)
        self._quick.start(lambda: None)
        poller = zmq.Poller()
        poller.register(self._router.socket, zmq.POLLIN)
        poller.register(self._wake, zmq.POLLIN)
        while not self._stopping:
            ready = dict(poller.poll(POLL_S * 1e3))
            if self._wake in ready:
                self._wake.recv()
                self._send_answers()
            if self._router.socket in ready:
                arrived = self._router.receive_from(0)
                if arrived is not None:
                    self._accept(*arrived)

    def close(self) -> None:
        """Close the sockets. The worker thread, if it computes, is left to the process's end."""
        self._router.close()
        self._wake.close(linger=0)

    def _accept(self, identity: bytes, request: Message) -> None:
        if request.kind == "ping":
            meta = {
                "versions": self._versions,
                "state": self._worker.state,
                "counters": self.counters(),
            }
            self._reply(identity, Message("pong", {**meta, **_identifier(request)}))
        elif not self._by_kind.get(request.kind, self._worker).submit(Job(identity, request)):
            busy = error_message(PeerError("host service is busy, try again"))
            busy.meta.update(_identifier(request))
            self._reply(identity, busy)

    def _send_answers(self) -> None:
        for worker in (self._quick, self._worker):
            while True:
                try:
                    identity, answer = worker.answers.get_nowait()
                except queue.Empty:
                    break
                self._reply(identity, answer)

    def _reply(self, identity: bytes, answer: Message) -> None:
        try:
            sent = self._router.send_to(identity, answer, REPLY_TIMEOUT_S)
        except Exception as error:  # e.g. an answer over the wire's limits: tell the client
            _log.exception("reply %s cannot be sent", answer.kind)
            told = error_message(error)
            told.meta.update(_identifier(answer))
            sent = self._router.send_to(identity, told, REPLY_TIMEOUT_S)
        self.answered += sent


def _identifier(message: Message) -> dict[str, str]:
    return {"id": message.meta["id"]} if "id" in message.meta else {}
