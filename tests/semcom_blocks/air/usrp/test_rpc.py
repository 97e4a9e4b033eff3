# SPDX-License-Identifier: GPL-3.0-or-later
"""The RPC session: what is complete is answered, what is malformed ends it."""

import contextlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.air.usrp.rpc import MAX_MESSAGE_BYTES, Session
from semcom_blocks.errors import RadioError, WireError


def double(method, arguments):
    if method != "double":
        raise RadioError(f"method is {method!r}, permitted: double")
    (value,) = arguments
    return 2 * value


def answers(*pieces):
    session = Session(double)
    return [msgpack.unpackb(reply) for piece in pieces for reply in session.receive(piece)]


def test_requests_are_answered_notifications_are_not():
    sent = msgpack.packb([0, 1, "double", [4]]) + msgpack.packb([2, "double", [4]])
    sent += msgpack.packb([0, 2, "halve", [4]])
    assert answers(sent) == [[1, 1, None, 8], [1, 2, "method is 'halve', permitted: double", None]]


@given(st.integers(1, 12))
def test_pieces_of_any_size(size):
    sent = msgpack.packb([0, 1, "double", [4]]) * 3
    pieces = [sent[i : i + size] for i in range(0, len(sent), size)]
    assert answers(*pieces) == [[1, 1, None, 8]] * 3


@pytest.mark.parametrize(
    "message",
    [
        7,
        [],
        [0],
        [0, 1],
        [0, "x", "double", []],
        [0, -1, "double", []],
        [1, 1, None, 8],
        {},
        "hello",
    ],
)
def test_other_messages_are_refused(message):
    with pytest.raises(WireError, match="RPC message is"):
        answers(msgpack.packb(message))


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",  # a list of 2^32 - 1
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff" + bytes(2 * MAX_MESSAGE_BYTES),  # four gigabytes to come
        b"\x91" * 5000,  # nested
        b"\xd9\xff" + b"\xff" * 255,  # no UTF-8
        b"\xda\xff\xff" + bytes(2 * MAX_MESSAGE_BYTES),
    ],
)
def test_malformed_bytes_are_refused(data):
    with pytest.raises(WireError, match="RPC message"):
        answers(data)


@given(st.binary(max_size=64))
def test_any_bytes_are_waited_for_answered_or_refused(data):
    with contextlib.suppress(WireError):
        assert isinstance(answers(data), list)


def test_wrong_number_of_arguments_is_an_answer():
    (reply,) = answers(msgpack.packb([0, 1, "double", {"a": 1}]))
    assert reply[3] == "aa"
    session = Session(lambda method, arguments: (lambda: None)(*arguments))
    (reply,) = session.receive(msgpack.packb([0, 1, "none", [1, 2]]))
    assert "takes 0 positional arguments" in msgpack.unpackb(reply)[2]
