# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture Source: takes decoded pictures from the host over ZeroMQ, to be shown."""

import numpy as np
import zmq

from semcom_blocks import transport
from semcom_blocks.errors import WireError
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.gr.socket_thread import SocketThread
from semcom_blocks.wire import Message

#: How long the receiving thread waits before it looks whether to stop.
WAIT_S = 0.05
#: Pictures are shown, not kept: what waits behind a slow window is stale.
HIGH_WATER_MARK = 4


class PictureSource(PduBlock):
    """PULL bound at ``endpoint``; ``picture`` out (u8, rows of RGB).

    The dictionary holds width, height, prompt and job_id.
    """

    def __init__(self, endpoint: str = "tcp://127.0.0.1:5565", allow_remote: bool = False) -> None:
        super().__init__("Picture Source", {}, ("picture",))
        socket = transport.open_socket(
            zmq.Context.instance(),
            zmq.PULL,
            bind=endpoint,
            high_water_mark=HIGH_WATER_MARK,
            allow_remote=allow_remote,
        )
        self._socket = transport.MessageSocket(socket)
        self._helpers.append(SocketThread("picture", self._socket, self._serve))

    def _serve(self, socket: transport.MessageSocket) -> None:
        message = socket.receive(WAIT_S)
        if message is None:
            return
        try:
            self._take(message)
        except WireError:
            socket.refused += 1

    def _take(self, message: Message) -> None:
        if message.kind != "picture":
            raise WireError(f"message is {message.kind}, permitted: picture")
        image = message.array("image", np.uint8, 3)
        height, width, colours = image.shape
        if colours != 3 or not image.size:
            raise WireError(f"image is {image.shape}, permitted: (height, width, 3)")
        meta = {"width": width, "height": height, "prompt": message.value("prompt", str)}
        meta["job_id"] = message.value("job_id", int)
        self.publish("picture", meta, image.reshape(-1))
