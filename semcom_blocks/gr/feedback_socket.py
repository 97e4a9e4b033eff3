# SPDX-License-Identifier: GPL-3.0-or-later
"""Acknowledgements out of band: the feedback path ``zmq``."""

from typing import Any

import numpy as np
import zmq

from semcom_blocks import transport
from semcom_blocks.errors import WireError
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.gr.socket_thread import SocketThread
from semcom_blocks.wire import Message

#: How long the receiving thread waits before it looks whether to stop.
WAIT_S = 0.05
#: How long an ack may wait for a sender that comes back: well below its retransmission timeout.
TICK_S = 0.02


class FeedbackSink(PduBlock):
    """``ack`` in (u8); PUSH bound at ``endpoint``.  Old acks are dropped when nobody takes them."""

    def __init__(self, endpoint: str = "tcp://127.0.0.1:5562", allow_remote: bool = False) -> None:
        super().__init__("Feedback Sink", {"ack": self._on_ack}, (), TICK_S, self._on_tick)
        socket = transport.open_socket(
            zmq.Context.instance(), zmq.PUSH, bind=endpoint, allow_remote=allow_remote
        )
        self._socket = transport.MessageSocket(socket)
        self._sender = transport.BoundedSender(self._socket, max_messages=64)

    def stop(self) -> bool:
        """Close the socket."""
        super().stop()
        self._socket.close(linger_s=0.2)
        return True

    def _on_ack(self, _meta: dict[str, Any], data: np.ndarray) -> None:
        self._sender.push(Message("ack", {}, {"data": data}))

    def _on_tick(self) -> None:
        self._sender.pump()


class FeedbackSource(PduBlock):
    """``ack`` out (u8); PULL connected to ``endpoint``."""

    def __init__(self, endpoint: str = "tcp://127.0.0.1:5562") -> None:
        super().__init__("Feedback Source", {}, ("ack",))
        socket = transport.open_socket(zmq.Context.instance(), zmq.PULL, connect=endpoint)
        self._socket = transport.MessageSocket(socket)
        self._helpers.append(SocketThread("feedback", self._socket, self._serve))

    def _serve(self, socket: transport.MessageSocket) -> None:
        message = socket.receive(WAIT_S)
        if message is None:
            return
        try:
            data = message.array("data", np.uint8, 1)
        except WireError:
            data = None
        if message.kind == "ack" and data is not None:
            self.publish("ack", {}, data)
        else:
            socket.refused += 1
