# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoded pictures go back to the flowgraph that received them, to be looked at."""

from __future__ import annotations

import zmq

from host.pipeline.outcome import Outcome
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message

# A Picture Source on this machine answers at once; a flowgraph without one never does.
SHOW_TIMEOUT_S = 0.5
LINGER_S = 1.0
# Longest side that is shown; a window in a flowgraph has room for no more.
MAX_SIDE = 1024


def show_picture(context: zmq.Context, endpoint: str, outcome: Outcome) -> bool:
    """Hand the picture of ``outcome`` to a Picture Source; whether one took it."""
    picture = outcome.picture
    if picture is None:
        return False
    step = -(-max(picture.shape[:2]) // MAX_SIDE)
    meta = {"job_id": outcome.job_id, "prompt": outcome.prompt_received or ""}
    message = Message("picture", meta, {"image": picture[::step, ::step]})
    socket = MessageSocket(open_socket(context, zmq.PUSH, connect=endpoint))
    try:
        return socket.send(message, SHOW_TIMEOUT_S)
    finally:
        socket.close(linger_s=LINGER_S)
