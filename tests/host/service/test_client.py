# SPDX-License-Identifier: GPL-3.0-or-later
"""The client never waits for ever, and says what it waited for."""

import time

import numpy as np
import pytest
import zmq

from host.client import HostClient, named_error
from semcom_blocks.errors import ArqGaveUp, PeerError
from semcom_blocks.wire import Message

IMAGE = np.zeros((8, 8, 3), np.uint8)


def test_nobody_there(context):
    client = HostClient(context, "tcp://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(PeerError, match=r"tcp://127\.0\.0\.1:9 does not answer within 0\.3 s"):
        client.ping(0.3)
    assert time.monotonic() - began < 2
    client.close()


def test_a_silent_service_is_given_up(context):
    mute = context.socket(zmq.ROUTER)
    port = mute.bind_to_random_port("tcp://127.0.0.1")
    client = HostClient(context, f"tcp://127.0.0.1:{port}", silence_max_s=0.4)
    with pytest.raises(PeerError, match=r"does not answer for 0\.4 s, in encode"):
        client.encode(IMAGE, "1/6", 1)
    client.close()
    mute.close(linger=0)


def test_a_wait_ends_when_the_caller_knows_better(context):
    mute = context.socket(zmq.ROUTER)
    port = mute.bind_to_random_port("tcp://127.0.0.1")
    ends = time.monotonic() + 0.3

    def alive():
        if time.monotonic() > ends:
            raise PeerError("host process died (signal 9)")

    client = HostClient(context, f"tcp://127.0.0.1:{port}", alive=alive)
    with pytest.raises(PeerError, match="signal 9"):
        client.encode(IMAGE, "1/6", 1)
    client.close()
    mute.close(linger=0)


def test_a_late_reply_to_another_request_is_not_taken(client):
    client._socket.send(Message("quality", {"id": "old"}, {"reference": IMAGE, "image": IMAGE}), 1)
    symbols, descriptor = client.encode(IMAGE, "1/6", 1)
    assert descriptor["n"] == len(symbols)


def test_errors_keep_their_class_only_if_it_is_ours():
    assert isinstance(named_error("ArqGaveUp", "x"), ArqGaveUp)
    for name in ("KeyboardInterrupt", "require_range", "no such", "Exception"):
        error = named_error(name, "x")
        assert type(error) is PeerError
        assert name in str(error)
