# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that computes, so that the socket's thread always answers."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import zmq

from semcom_blocks.errors import ModelError, SemcomError
from semcom_blocks.wire import Message

# A picture's request holds up to 128 MB; more clients than this are told to come back.
QUEUED_JOBS_MAX = 8
ERROR_CHARS_MAX = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A request and where its answer goes."""

    identity: bytes
    request: Message


class Handlers(Protocol):
    """What a worker does."""

    def warm_up(self) -> None:
        """Make ready; may fail."""

    def handle(self, request: Message, tell: Callable[[Message], None]) -> Message:
        """Answer ``request``; whatever it raises is told to the client."""


def error_message(error: Exception) -> Message:
    """The reply that tells a client what went wrong: class name and one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return Message("error", {"name": type(error).__name__, "text": safe[:ERROR_CHARS_MAX]})


class Worker:
    """Runs jobs one after another in a thread of its own.

    Answers wait in ``answers``; after each one the ``wake`` endpoint (inproc PULL,
    bound by the owner) gets an empty message.
    """

    def __init__(
        self, context: zmq.Context, wake: str, handlers: Handlers, name: str = "worker"
    ) -> None:
        self.answers: queue.SimpleQueue[tuple[bytes, Message]] = queue.SimpleQueue()
        self.failed = 0
        self.state = "warming"
        self.name = name
        self._context = context
        self._wake = wake
        self._handlers = handlers
        self._jobs: queue.Queue[Job] = queue.Queue(QUEUED_JOBS_MAX)
        # A daemon: torch cannot be interrupted in the middle of a convolution.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self, prepare: Callable[[], None]) -> None:
        """Start the thread; it first calls ``prepare`` and warms the codec up."""
        self._prepare = prepare
        self._thread.start()

    def submit(self, job: Job) -> bool:
        """Queue ``job``; False if the queue is full."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        with self._context.socket(zmq.PUSH) as wake:
            wake.connect(self._wake)
            self._warm_up()
            while True:
                job = self._jobs.get()

                def reply(message: Message, job: Job = job) -> None:
                    identifier = job.request.meta.get("id")
                    if identifier is not None:
                        message.meta["id"] = identifier
                    self.answers.put((job.identity, message))
                    wake.send(b"")

                reply(self._answer(job.request, reply))

    def _warm_up(self) -> None:
        try:
            self._prepare()
            self._handlers.warm_up()
            self.state = "ready"
        except Exception as error:
            # Not the end: the request that needs the codec will be told the reason,
            # and weights may appear in the meantime.
            self.state = "failed"
            _log.warning("%s: warm-up failed: %s: %s", self.name, type(error).__name__, error)

    def _answer(self, request: Message, tell: Callable[[Message], None]) -> Message:
        try:
            return self._handlers.handle(request, tell)
        except SemcomError as error:
            self.failed += 1
            _log.warning("%s refused: %s", request.kind, error)
            return error_message(error)
        except Exception as error:
            # One bad request must not end the service for all others.
            self.failed += 1
            _log.exception("%s failed", request.kind)
            return error_message(_out_of_memory(error) or error)


def _out_of_memory(error: Exception) -> ModelError | None:
    """What to do where a network of ours did not fit; torch has no one exception for it."""
    text = str(error).lower()
    if isinstance(error, MemoryError) or "allocate memory" in text or "out of memory" in text:
        return ModelError("out of memory; try a smaller picture, or end other programs")
    return None
