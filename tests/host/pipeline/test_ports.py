# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's end of a radio's socket: heartbeats, messages that wait, and silence."""

import time

import pytest
import zmq

from host.pipeline.ports import SILENCE_MAX_S, SinkPort
from host.supervise import free_ports
from semcom_blocks.errors import PeerError
from semcom_blocks.wire import Message, encode


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def pair():
    endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with zmq.Context() as context:
        radio = context.socket(zmq.PUSH)
        radio.bind(endpoint)
        port = SinkPort(context, endpoint)
        port._clock = Clock()
        yield radio, port
        port.close()
        radio.close(0)


def say(radio, port, *messages):
    """Send, and wait until the port has taken them in."""
    for kind, meta in messages:
        radio.send_multipart(encode(Message(kind, meta, {})))
    deadline = time.monotonic() + 10
    seen = dict(port.status)
    while port.status == seen:
        assert time.monotonic() < deadline
        port.listen()
        time.sleep(0.005)


def test_listening_keeps_what_is_not_a_heartbeat(pair):
    radio, port = pair
    say(radio, port, ("frame", {"seq": 1}), ("frame", {"seq": 2}), ("status", {"n": 1}))
    say(radio, port, ("frame", {"seq": 3}), ("status", {"n": 2}))
    assert [message.meta["seq"] for message in port.arrived()] == [1, 2, 3]
    assert list(port.arrived()) == []
    assert port.status == {"n": 2}


def test_what_a_process_left_behind_counts_but_not_what_it_said_of_itself(pair):
    radio, port = pair
    say(radio, port, ("received", {"job_id": 7}), ("status", {"n": 1}))
    port.forget()
    assert port.status == {}
    assert [message.kind for message in port.arrived()] == ["received"]


def test_silence_counts_from_when_somebody_listens(pair):
    _, port = pair
    port.renew()
    port._clock.now = SILENCE_MAX_S + 1
    with pytest.raises(PeerError, match="radio rx does not answer"):
        port.check()
    port.renew()
    port.check()
    assert port.silent_s == 0
