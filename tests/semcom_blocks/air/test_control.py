# SPDX-License-Identifier: GPL-3.0-or-later
import threading

import pytest
import zmq

from semcom_blocks.air.control import ControlServer, answer
from semcom_blocks.air.engine import Air
from semcom_blocks.errors import ConfigError
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message, encode
from tests.semcom_blocks.air.unit_device import UnitDevice, config, receive, tone

TIMEOUT_S = 10.0


@pytest.fixture
def pair():
    """A running air of two devices, the first of which sends a tone."""
    devices = [UnitDevice("a", tone(0.1)), UnitDevice("b")]
    with Air(config(*devices), devices) as air:
        yield air, *devices


def test_state_names_time_tunings_and_counters(pair):
    air, _, b = pair
    receive(air, b, 2000)
    reply = answer(air, Message("state"))
    assert reply.kind == "state"
    state = reply.meta
    assert state["clock"] == "virtual"
    assert state["time_s"] > 0
    assert state["devices"]["b"]["count"] >= 2000
    assert state["devices"]["b"]["rx"][0]["lo_hz"] == 2.4e9
    assert state["devices"]["a"]["tx"][0]["streaming"] is True
    assert state["devices"]["a"]["counters"] == {"overflows": 0}
    encode(reply)  # all of it fits the wire


def test_fault_reaches_its_device(pair):
    air, a, b = pair
    meta = {"device": "b", "fault": "drop", "seconds": 1.5}
    assert answer(air, Message("fault", meta)).kind == "done"
    assert answer(air, Message("fault", {"device": "b", "fault": "reconnect"})).kind == "done"
    assert b.faults == [("drop", 1.5), ("reconnect", 0.0)]
    assert a.faults == []


def test_path_changes_what_is_named_and_keeps_the_rest(pair):
    air, _, b = pair
    assert answer(air, Message("path", {"from": "a", "to": "b", "delay_s": 2e-6})).kind == "done"
    assert answer(air, Message("path", {"from": "a", "to": "b", "gain_db": -70.0})).kind == "done"
    now = air.path_config("a", "b")
    assert (now.gain_db, now.delay_s) == (-70.0, 2e-6)
    assert abs(receive(air, b, 40_000)[-2000:]).mean() == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Message("dance"), ["'dance'", "state, fault, path"]),
        (Message("fault", {"device": "z", "fault": "drop"}), ["'z'", "a, b"]),
        (Message("fault", {"device": "a", "fault": "burn"}), ["'burn'", "drop, stall"]),
        (Message("fault", {"device": "a", "fault": "drop", "seconds": -1}), ["-1", "3600"]),
        (Message("fault", {"device": "a", "fault": "unplug"}), ["'unplug'", "permitted: drop"]),
        (Message("fault", {"fault": "drop"}), ["device is missing"]),
        (Message("path", {"from": "a"}), ["'a'", "None"]),
        (Message("path", {"from": "a", "to": "z"}), ["'z'", "a, b"]),
        (Message("path", {"from": "a", "to": "b", "gain_db": 99}), ["gain_db is 99", "30"]),
        (Message("path", {"from": "a", "to": "b", "loss": 9}), ["'loss'", "gain_db"]),
    ],
)
def test_refusals_are_answers(pair, request_, words):
    reply = answer(pair[0], request_)
    assert reply.kind == "error"
    for word in words:
        assert word in reply.meta["text"]


def test_socket_answers_and_survives_malformed_requests(pair):
    context = zmq.Context()
    with (
        ControlServer(pair[0], "tcp://127.0.0.1:*") as server,
        MessageSocket(open_socket(context, zmq.REQ, connect=server.endpoint)) as client,
    ):
        assert client.send(Message("state"), TIMEOUT_S)
        assert client.receive(TIMEOUT_S).kind == "state"
        assert client.offer([b"junk", b"more"], TIMEOUT_S)
        assert client.receive(TIMEOUT_S).meta["name"] == "WireError"
        assert client.send(Message("state"), TIMEOUT_S)
        assert client.receive(TIMEOUT_S).kind == "state"
    context.destroy(linger=0)
    assert "air control" not in [thread.name for thread in threading.enumerate()]


def test_socket_is_on_loopback_only(pair):
    with pytest.raises(ConfigError, match="not loopback"):
        ControlServer(pair[0], "tcp://0.0.0.0:*")
