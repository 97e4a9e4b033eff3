# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets with limits: refusals are counted, and the next good message gets through."""

import contextlib
import logging
import socket as tcp
import struct
import time

import numpy as np
import pytest
import zmq

from semcom_blocks import wire
from semcom_blocks.errors import ConfigError, WireError
from semcom_blocks.transport import (
    BoundedSender,
    MessageSocket,
    check_endpoint,
    is_loopback,
    open_socket,
)
from semcom_blocks.wire import Message, encode

FREE_PORT = "tcp://127.0.0.1:*"
# Loopback needs milliseconds; the rest is for a machine under load.
PATIENCE_S = 5.0


@pytest.fixture
def net():
    """Opens message sockets on one context and closes all of them afterwards."""
    with contextlib.ExitStack() as stack:
        context = zmq.Context()
        stack.callback(context.term)

        def opened(socket_type, **options):
            return stack.enter_context(MessageSocket(open_socket(context, socket_type, **options)))

        yield opened


def number(index, size=0):
    return Message("number", {"index": index}, {"body": np.zeros(size, np.uint8)})


# --- opening ---------------------------------------------------------------------------------


def test_every_limit_is_set_on_the_socket(net):
    held = net(zmq.PULL, bind=FREE_PORT, max_message_bytes=12345, high_water_mark=7).socket
    assert held.getsockopt(zmq.MAXMSGSIZE) == 12345
    assert held.getsockopt(zmq.RCVHWM) == 7 and held.getsockopt(zmq.SNDHWM) == 7
    assert held.getsockopt(zmq.LINGER) == 0
    assert held.getsockopt(zmq.IPV6) == 0


def test_a_free_port_is_chosen_and_told(net):
    first, second = net(zmq.PULL, bind=FREE_PORT), net(zmq.PULL, bind="tcp://127.0.0.1:*")
    assert first.endpoint != second.endpoint
    assert check_endpoint(first.endpoint) == first.endpoint


def test_a_port_in_use_is_named(net):
    endpoint = net(zmq.PULL, bind=FREE_PORT).endpoint
    with pytest.raises(ConfigError, match=f"endpoint {endpoint} is in use"):
        net(zmq.PULL, bind=endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "127.0.0.1:5000",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:5000/x",
        "tcp://127.0.0.1:5000\n",
        "tcp://:5000",
        "tcp://[::1]:5000",
        "udp://127.0.0.1:5000",
        "pgm://127.0.0.1:5000",
        "ipc://",
        None,
        5000,
    ],
)
def test_malformed_endpoints_are_refused(net, endpoint):
    if endpoint is not None:
        with pytest.raises(ConfigError, match=r"endpoint is .*permitted: tcp://HOST:PORT"):
            net(zmq.PUSH, connect=endpoint)
    with pytest.raises(ConfigError, match=r"endpoint is .*permitted: tcp://HOST:PORT"):
        check_endpoint(endpoint, binds=True)


def test_a_wildcard_is_for_binding_only(net):
    for endpoint in (FREE_PORT, "tcp://*:5000"):
        with pytest.raises(ConfigError, match="endpoint is"):
            net(zmq.PUSH, connect=endpoint)


def test_exactly_one_endpoint_and_positive_limits(net):
    with pytest.raises(ConfigError, match="exactly one"):
        net(zmq.PULL)
    with pytest.raises(ConfigError, match="exactly one"):
        net(zmq.PULL, bind=FREE_PORT, connect="tcp://127.0.0.1:5000")
    for limits in ({"max_message_bytes": 0}, {"high_water_mark": 0}):
        with pytest.raises(ConfigError, match="permitted: 1 or more"):
            net(zmq.PULL, bind=FREE_PORT, **limits)


def test_only_loopback_is_bound_unless_asked(net, caplog):
    for endpoint in ("tcp://*:*", "tcp://0.0.0.0:*", "tcp://192.0.2.1:*", "tcp://eth0:*"):
        with pytest.raises(ConfigError, match="is not loopback"):
            net(zmq.PULL, bind=endpoint)
    with caplog.at_level(logging.WARNING):
        assert net(zmq.PULL, bind="tcp://0.0.0.0:*", allow_remote=True).endpoint
    assert "neither encrypted nor authenticated" in caplog.text
    # 192.0.2.0/24 is reserved for documentation, so no interface has it.
    with pytest.raises(ConfigError, match=r"endpoint tcp://192.0.2.1:\* cannot be opened"):
        net(zmq.PULL, bind="tcp://192.0.2.1:*", allow_remote=True)


def test_loopback_is_recognised():
    for endpoint in (
        "tcp://127.0.0.1:1",
        "tcp://127.9.9.9:*",
        "tcp://localhost:1",
        "ipc:///a",
        "inproc://a",
    ):
        assert is_loopback(endpoint)
    for endpoint in (
        "tcp://*:1",
        "tcp://0.0.0.0:1",
        "tcp://10.0.0.1:1",
        "tcp://127.0.0.1.example.org:1",
        "x",
    ):
        assert not is_loopback(endpoint)


# --- messages --------------------------------------------------------------------------------


def test_messages_pass_and_are_counted(net):
    pull = net(zmq.PULL, bind=FREE_PORT)
    push = net(zmq.PUSH, connect=pull.endpoint)
    sent = Message("frame", {"seq": 3}, {"channel": np.arange(52, dtype=np.complex64)})
    assert push.send(sent, PATIENCE_S)
    found = pull.receive(PATIENCE_S)
    assert (found.kind, found.meta) == ("frame", {"seq": 3})
    np.testing.assert_array_equal(found.arrays["channel"], sent.arrays["channel"])
    assert push.counters() == {"sent": 1, "received": 0, "refused": 0, "dropped": 0}
    assert pull.counters() == {"sent": 0, "received": 1, "refused": 0, "dropped": 0}


def test_request_and_reply_through_a_router(net):
    router = net(zmq.ROUTER, bind=FREE_PORT)
    clients = [net(zmq.DEALER, connect=router.endpoint) for _ in range(2)]
    for index, client in enumerate(clients):
        assert client.send(number(index), PATIENCE_S)
    for _ in clients:
        identity, asked = router.receive_from(PATIENCE_S)
        assert router.send_to(identity, Message("answer", asked.meta), PATIENCE_S)
    for index, client in enumerate(clients):
        assert client.receive(PATIENCE_S).meta == {"index": index}


def test_a_reply_to_an_unknown_peer_is_counted_not_raised(net):
    router = net(zmq.ROUTER, bind=FREE_PORT)
    assert not router.send_to(b"nobody", number(0), 0.05)
    assert router.counters()["dropped"] == 1


def test_receive_and_send_wait_no_longer_than_asked(net):
    pull = net(zmq.PULL, bind=FREE_PORT)
    push = net(zmq.PUSH, bind=FREE_PORT)
    start = time.monotonic()
    assert pull.receive(0.0) is None
    assert pull.receive(-1.0) is None
    assert time.monotonic() - start < 0.5
    start = time.monotonic()
    assert pull.receive(0.15) is None
    assert not push.send(number(0), 0.15)
    assert 0.29 < time.monotonic() - start < 1.0
    assert push.counters()["dropped"] == 1 and push.counters()["sent"] == 0


def test_nothing_is_queued_for_a_peer_that_was_never_there(net):
    with tcp.socket() as held:
        held.bind(("127.0.0.1", 0))  # held but not listened on: every connection is refused
        port = held.getsockname()[1]
        assert not net(zmq.PUSH, connect=f"tcp://127.0.0.1:{port}").send(number(0), 0.1)


@pytest.mark.parametrize("timeout_s", [float("nan"), float("inf"), 1e6])
def test_impossible_timeouts_are_refused(net, timeout_s):
    pull = net(zmq.PULL, bind=FREE_PORT)
    with pytest.raises(ConfigError, match="timeout_s is"):
        pull.receive(timeout_s)


def test_an_oversized_message_is_the_senders_error(net):
    pull = net(zmq.PULL, bind=FREE_PORT)
    push = net(zmq.PUSH, connect=pull.endpoint)
    with pytest.raises(WireError, match="more than 4096 items"):
        push.send(Message("x", {"a": [0] * 5000}), PATIENCE_S)
    assert push.send(number(1), PATIENCE_S)
    assert pull.receive(PATIENCE_S).meta == {"index": 1}


GOOD_FRAMES = encode(number(1, 8))
MALFORMED = {
    "empty": [b""],
    "one byte": [b"S"],
    "a part missing": GOOD_FRAMES[:2],
    "a part too many": [*GOOD_FRAMES, b""],
    "magic": [b"XXXX" + GOOD_FRAMES[0][4:], *GOOD_FRAMES[1:]],
    "version": [GOOD_FRAMES[0][:4] + b"\x02\x00" + GOOD_FRAMES[0][6:], *GOOD_FRAMES[1:]],
    "declared length": [GOOD_FRAMES[0][:8] + b"\xff" * 4, *GOOD_FRAMES[1:]],
    "nesting": [struct.pack("<4sHHI", wire.MAGIC, wire.VERSION, 0, 10**5), b"\x91" * 10**5],
    "body cut": [*GOOD_FRAMES[:2], GOOD_FRAMES[2][:-1]],
    "hundred parts": [b"x"] * 100,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_is_counted_and_the_next_one_works(net, name):
    pull = net(zmq.PULL, bind=FREE_PORT)
    push = net(zmq.PUSH, connect=pull.endpoint)
    assert push.send(number(1), PATIENCE_S)
    for _ in range(3):
        push.socket.send_multipart(MALFORMED[name])
    assert push.send(number(2), PATIENCE_S)
    assert [pull.receive(PATIENCE_S).meta["index"] for _ in range(2)] == [1, 2]
    assert pull.counters() == {"sent": 0, "received": 2, "refused": 3, "dropped": 0}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_counted_and_the_next_one_works(net, name):
    router = net(zmq.ROUTER, bind=FREE_PORT)
    dealer = net(zmq.DEALER, connect=router.endpoint)
    dealer.socket.send_multipart(MALFORMED[name])
    assert dealer.send(number(2), PATIENCE_S)
    assert router.receive_from(PATIENCE_S)[1].meta == {"index": 2}
    assert router.counters()["refused"] == 1


def test_only_malformed_messages_come_to_nothing_in_time(net, caplog):
    pull = net(zmq.PULL, bind=FREE_PORT, high_water_mark=200)
    push = net(zmq.PUSH, connect=pull.endpoint, high_water_mark=200)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            push.socket.send(b"x")
        start = time.monotonic()
        while pull.refused < 100 and time.monotonic() < start + PATIENCE_S:
            assert pull.receive(0.05) is None
    assert pull.refused == 100
    assert len(caplog.records) == 7  # at 1, 2, 4, … 64


def test_a_part_over_the_socket_limit_never_arrives_and_the_next_message_works(net):
    pull = net(zmq.PULL, bind=FREE_PORT, max_message_bytes=10_000)
    push = net(zmq.PUSH, connect=pull.endpoint)
    assert push.send(number(1, 9_000), PATIENCE_S)
    assert pull.receive(PATIENCE_S).meta == {"index": 1}
    assert push.send(number(2, 20_000), PATIENCE_S)
    assert pull.receive(0.3) is None
    # The connection was cut; it comes back by itself.
    assert push.send(number(3, 9_000), PATIENCE_S)
    assert pull.receive(PATIENCE_S).meta == {"index": 3}


def test_a_body_just_over_the_wire_limit_is_refused_and_counted(net):
    pull = net(zmq.PULL, bind=FREE_PORT)
    push = net(zmq.PUSH, connect=pull.endpoint)
    header, meta, _ = encode(number(1, 1))
    push.socket.send_multipart([header, meta, bytes(wire.MAX_ARRAY_BYTES + 1)])
    assert push.send(number(2), PATIENCE_S)
    assert pull.receive(PATIENCE_S).meta == {"index": 2}
    assert pull.refused == 1


def test_bytes_that_are_not_zeromq_do_no_harm(net):
    pull = net(zmq.PULL, bind=FREE_PORT)
    port = int(pull.endpoint.rsplit(":", 1)[1])
    for junk in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, bytes(10_000)):
        with tcp.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as stray:
            stray.sendall(junk)
    push = net(zmq.PUSH, connect=pull.endpoint)
    assert push.send(number(1), PATIENCE_S)
    assert pull.receive(PATIENCE_S).meta == {"index": 1}


# --- the bounded queue -----------------------------------------------------------------------


def test_the_queue_keeps_the_newest_while_the_peer_is_away(net):
    push = net(zmq.PUSH, bind=FREE_PORT, high_water_mark=1)
    sender = BoundedSender(push, max_messages=5)
    start = time.monotonic()
    for index in range(100):
        sender.push(number(index))
    assert time.monotonic() - start < 1.0
    assert sender.counters() == {"sent": 0, "dropped": 95, "queued": 5}
    pull = net(zmq.PULL, connect=push.endpoint)
    assert sender.drain(PATIENCE_S)
    assert [pull.receive(PATIENCE_S).meta["index"] for _ in range(5)] == [95, 96, 97, 98, 99]
    assert sender.counters() == {"sent": 5, "dropped": 95, "queued": 0}


def test_a_stalled_peer_costs_a_bounded_queue_and_no_time(net):
    pull = net(zmq.PULL, bind=FREE_PORT, high_water_mark=1)
    push = net(zmq.PUSH, connect=pull.endpoint, high_water_mark=1)
    sender = BoundedSender(push, max_messages=4)
    assert push.send(number(0, 1 << 20), PATIENCE_S)
    start = time.monotonic()
    for index in range(1, 60):
        sender.push(number(index, 1 << 20))
    assert time.monotonic() - start < 2.0
    assert len(sender) == 4 and sender.dropped > 20
    received = []
    while len(received) + sender.dropped < 60 and time.monotonic() < start + PATIENCE_S:
        sender.pump()
        found = pull.receive(0.02)
        received += [] if found is None else [found.meta["index"]]
    # In order, none twice, each one either received or dropped, and the newest among them.
    assert received == sorted(set(received))
    assert len(received) + sender.dropped == 60
    assert received[-4:] == [56, 57, 58, 59]


def test_the_queue_is_bounded_in_bytes_too(net):
    sender = BoundedSender(net(zmq.PUSH, bind=FREE_PORT), max_messages=100, max_bytes=10_000)
    for index in range(20):
        sender.push(number(index, 3_000))
    assert sender.counters() == {"sent": 0, "dropped": 17, "queued": 3}
    # One message over the limit is still better than none.
    sender.push(number(20, 50_000))
    assert sender.counters() == {"sent": 0, "dropped": 20, "queued": 1}


def test_a_message_follows_what_the_other_queue_had_before_it(net):
    push = net(zmq.PUSH, bind=FREE_PORT, high_water_mark=2)
    frames = BoundedSender(push, max_messages=10)
    results = BoundedSender(push, follows=frames)
    for index in range(0, 20, 2):
        frames.push(number(index))
        results.push(number(index + 1))
    pull = net(zmq.PULL, connect=push.endpoint, high_water_mark=2)
    received, start = [], time.monotonic()
    while len(received) < 20 and time.monotonic() < start + PATIENCE_S:
        results.pump()
        found = pull.receive(0.02)
        received += [] if found is None else [found.meta["index"]]
    assert sorted(received) == list(range(20))
    place = {index: at for at, index in enumerate(received)}
    assert all(place[index] < place[index + 1] for index in range(0, 20, 2))
    assert [index for index in received if index % 2] == list(range(1, 20, 2))


def test_what_the_other_queue_dropped_holds_nothing_up(net):
    push = net(zmq.PUSH, bind=FREE_PORT, high_water_mark=1)
    frames = BoundedSender(push, max_messages=2)
    results = BoundedSender(push, follows=frames)
    frames.push(number(0))
    results.push(number(1))
    for index in range(2, 50):
        frames.push(number(index))
    pull = net(zmq.PULL, connect=push.endpoint)
    assert results.drain(PATIENCE_S) and frames.drain(PATIENCE_S)
    assert {pull.receive(PATIENCE_S).meta["index"] for _ in range(3)} == {1, 48, 49}


def test_drain_gives_up_in_time(net):
    sender = BoundedSender(net(zmq.PUSH, bind=FREE_PORT))
    assert sender.drain(0.0)
    sender.push(number(0))
    start = time.monotonic()
    assert not sender.drain(0.15)
    assert 0.14 < time.monotonic() - start < 1.0


def test_the_queue_needs_room_for_one(net):
    push = net(zmq.PUSH, bind=FREE_PORT)
    for limits in ({"max_messages": 0}, {"max_bytes": 0}):
        with pytest.raises(ConfigError, match="permitted: 1 or more"):
            BoundedSender(push, **limits)


def test_close_lets_the_last_word_out():
    context = zmq.Context()
    pull = MessageSocket(open_socket(context, zmq.PULL, bind=FREE_PORT))
    other = zmq.Context()
    push = MessageSocket(open_socket(other, zmq.PUSH, connect=pull.endpoint))
    assert push.send(number(1, 1 << 22), PATIENCE_S)
    push.close(linger_s=PATIENCE_S)
    other.term()
    assert pull.receive(PATIENCE_S).meta == {"index": 1}
    pull.close()
    context.term()
