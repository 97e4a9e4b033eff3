# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic Source: takes prompts and analog symbols from the host over ZeroMQ."""

import queue
from typing import Any

import numpy as np
import zmq

from semcom_blocks import transport
from semcom_blocks.errors import ConfigError, WireError, require_choice
from semcom_blocks.gr.base import PduBlock, versions
from semcom_blocks.gr.socket_thread import SocketThread
from semcom_blocks.link.message import SemanticMessage
from semcom_blocks.link.transmission import Transmission
from semcom_blocks.phy import interleave
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.wire import Message

#: How long the socket thread waits for a message before it looks for replies to send.
POLL_S = 0.01
#: Jobs on their way at once: each may hold 64 MiB of symbols until they are on the air.
MAX_JOBS = 16


class SemanticSource(PduBlock):
    """ROUTER bound at ``endpoint``; replies go to the peer that sent the job.

    Ports: ``message`` out (u8: prompt and stream descriptors), ``analog`` out
    (c32; in front of the streams of a job with bands their table, without symbols),
    ``status`` in (progress of the blocks behind).
    """

    def __init__(
        self,
        endpoint: str = "tcp://127.0.0.1:5560",
        allow_remote: bool = False,
        numerology: Numerology | None = None,
        interleaver: str = interleave.DEFAULT_INTERLEAVER,
    ) -> None:
        super().__init__("Semantic Source", {"status": self._on_status}, ("message", "analog"))
        socket = transport.open_socket(
            zmq.Context.instance(), zmq.ROUTER, bind=endpoint, allow_remote=allow_remote
        )
        self._socket = transport.MessageSocket(socket)
        self._numerology = numerology or Numerology()
        self._interleaver = require_choice("interleaver", interleaver, interleave.INTERLEAVERS)
        self._replies: queue.SimpleQueue[tuple[bytes, Message]] = queue.SimpleQueue()
        self._jobs: dict[int, tuple[bytes, Transmission]] = {}
        self._radio: dict[str, int] = {}
        self._helpers.append(SocketThread("semantic-source", self._socket, self._serve))

    def _serve(self, socket: transport.MessageSocket) -> None:
        received = socket.receive_from(POLL_S)
        if received is not None:
            self._on_request(*received)
        while not self._replies.empty():
            peer, reply = self._replies.get()
            socket.send_to(peer, reply, 0.0)

    def _on_request(self, peer: bytes, request: Message) -> None:
        # What a reply repeats, so that the peer knows which request it answers.
        echo = {key: request.meta[key] for key in ("id", "job_id") if key in request.meta}
        try:
            if request.kind == "transmit":
                self._transmit(peer, request, echo)
            elif request.kind == "ping":
                counters = self._socket.counters()
                status = {"role": "tx", "counters": counters, "versions": versions()}
                status["radio"] = self._radio
                self._replies.put((peer, Message("status", echo | status, {})))
            else:
                raise WireError(f"kind is {request.kind!r}, permitted: transmit, ping")
        # Whatever one request does to this thread, it has to serve the next one.
        except Exception as error:
            self._socket.refused += 1
            reason = {"name": type(error).__name__, "text": str(error)}
            self._replies.put((peer, Message("error", echo | reason, {})))

    def _transmit(self, peer: bytes, request: Message, echo: dict[str, Any]) -> None:
        transmission = Transmission.from_request(
            request.meta, request.arrays, self._numerology, self._interleaver
        )
        job_id = transmission.job_id
        if job_id in self._jobs:
            raise ConfigError(f"job_id is {job_id}, which is on its way, permitted: another one")
        if len(self._jobs) >= MAX_JOBS:
            raise ConfigError(f"{MAX_JOBS} jobs are on their way, permitted: wait for tx_done")
        body = SemanticMessage(transmission.prompt, transmission.descriptors).to_bytes()
        self._jobs[job_id] = (peer, transmission)
        self._replies.put((peer, Message("accepted", echo, {})))
        if transmission.bands is not None:
            self.publish("analog", {"job_id": job_id, "bands": transmission.bands.to_bytes()})
        for stream_id, descriptor in transmission.descriptors:
            meta = {"job_id": job_id, "stream_id": stream_id}
            method = interleave.interleaver_of(descriptor)
            symbols = interleave.spread(transmission.streams[stream_id], method)
            self.publish("analog", meta, symbols)
        transmission.streams.clear()
        self.publish("message", {"job_id": job_id}, body)

    def _on_status(self, meta: dict[str, Any], _vector: np.ndarray) -> None:
        if "radio" in meta:
            self._radio = meta["radio"]
            return
        found = self._jobs.get(meta["job_id"])
        if found is None:
            return
        peer, transmission = found
        transmission.on_status(meta)
        kind = "tx_done" if transmission.done else "tx_progress"
        if transmission.done:
            del self._jobs[meta["job_id"]]
        self._replies.put((peer, Message(kind, transmission.report(), {})))
