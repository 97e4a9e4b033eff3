# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages: what may be sent comes back exactly, everything else is refused by name."""

import contextlib
import zlib

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.errors import LinkError, SourceError
from semcom_blocks.link import SemanticMessage
from semcom_blocks.link.message import (
    MAX_BODY_BYTES,
    MAX_DESCRIPTOR_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PROMPT_BYTES,
)

DESCRIPTOR = {"c": "jscc-1", "w": 768, "h": 512, "r": 2, "s": 12.5, "n": 196608}

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
messages = st.builds(
    SemanticMessage,
    st.text(max_size=300),
    st.lists(
        st.tuples(st.integers(0, 255), st.dictionaries(st.text(max_size=4), scalars, max_size=6)),
        max_size=4,
        unique_by=lambda pair: pair[0],
    ).map(tuple),
)


@given(messages)
def test_round_trip(message):
    data = message.to_bytes()
    assert len(data) <= MAX_MESSAGE_BYTES
    assert SemanticMessage.from_bytes(data) == message
    assert message.to_bytes() == data


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "a red bus in front of a white house",
        "nul \0, bell \a, escape \x1b[31m, line\r\nend",
        "bidi \u202e override, zero width \u200b, 旧い漢字, \U0001f98a, e\u0301",
        "x" * MAX_PROMPT_BYTES,
        "\U0001f98a" * (MAX_PROMPT_BYTES // 4),
    ],
)
def test_prompt_arrives_exactly(prompt):
    message = SemanticMessage(prompt, ((1, DESCRIPTOR),))
    assert SemanticMessage.from_bytes(message.to_bytes()).prompt == prompt


def test_incompressible_prompt_of_full_length():

    draw = np.random.default_rng(0).integers(0x20, 0x7F, MAX_PROMPT_BYTES, dtype=np.uint8)
    message = SemanticMessage(draw.tobytes().decode("ascii"))
    assert SemanticMessage.from_bytes(message.to_bytes()) == message


def test_compresses_only_when_it_helps():
    short, long = SemanticMessage("a cat"), SemanticMessage("a cat on a mat, " * 40)
    assert len(short.to_bytes()) <= len("a cat") + 5
    assert len(long.to_bytes()) < 60


def test_usual_message_fits_one_packet():
    prompt = "two people walking along a beach at sunset, the sea on the left, a dog ahead of them"
    assert len(SemanticMessage(prompt, ((1, DESCRIPTOR),)).to_bytes()) < 150


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("x" * (MAX_PROMPT_BYTES + 1), "65537 bytes"),
        ("é" * (MAX_PROMPT_BYTES // 2 + 1), "65538 bytes"),
        ("abc\ud800", r"U\+D800 at 3"),
        ("\udcff", r"U\+DCFF at 0"),
        (b"bytes", "bytes, permitted: text"),
        (None, "NoneType"),
    ],
)
def test_prompt_that_cannot_be_sent(prompt, named):
    with pytest.raises(SourceError, match=named):
        SemanticMessage(prompt)


@pytest.mark.parametrize(
    ("streams", "named"),
    [
        (((256, {}),), "256"),
        (((-1, {}),), "-1"),
        (((True, {}),), "True"),
        (((1, {}), (1, {})), "twice"),
        (tuple((i, {}) for i in range(17)), "17 streams"),
        (((1, []),), "mapping"),
        (((1, {1: 2}),), "int, permitted: text"),
        (((1, {"a": [1]}),), "list"),
        (((1, {"a": b"x"}),), "bytes"),
        (((1, {"a": float("nan")}),), "nan"),
        (((1, {"a": float("inf")}),), "inf"),
        (((1, {"a": 2**63}),), "64 bits"),
        (((1, {"a": "\ud800"}),), "D800"),
        (((1, {str(i): 0 for i in range(33)}),), "32 keys"),
        (((1, {"a": "x" * MAX_DESCRIPTOR_BYTES}),), "bytes, permitted"),
    ],
)
def test_descriptor_that_cannot_be_sent(streams, named):
    with pytest.raises(SourceError, match=named):
        SemanticMessage("a cat", streams)


def deflate(body):
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(body) + packer.flush()


GOOD = msgpack.packb(["a", [[1, {"n": 3}]]])
MALFORMED = {
    "empty": b"",
    "one byte": b"\x10",
    "too long": b"\x10" + b"x" * MAX_MESSAGE_BYTES,
    "version 0": b"\x00" + GOOD,
    "version 2": b"\x20" + GOOD,
    "unknown flag": b"\x12" + GOOD,
    "cut short": b"\x10" + GOOD[:-1],
    "followed by more": b"\x10" + GOOD + b"\xc0",
    "not deflate": b"\x11" + GOOD,
    "deflate cut short": b"\x11" + deflate(GOOD)[:-1],
    "deflate followed by more": b"\x11" + deflate(GOOD) + b"x",
    "bomb": b"\x11" + deflate(bytes(50_000_000)),
    "bomb of nested arrays": b"\x11" + deflate(b"\x91" * (MAX_BODY_BYTES + 10)),
    "deep nesting": b"\x10" + b"\x91" * 60_000,
    "a number": b"\x10" + msgpack.packb(7),
    "nil": b"\x10" + msgpack.packb(None),
    "one field": b"\x10" + msgpack.packb(["a"]),
    "three fields": b"\x10" + msgpack.packb(["a", [], 1]),
    "prompt is a number": b"\x10" + msgpack.packb([1, []]),
    "prompt is bytes": b"\x10" + msgpack.packb([b"a", []]),
    "prompt too long": b"\x11" + deflate(msgpack.packb(["x" * (MAX_PROMPT_BYTES + 1), []])),
    "invalid UTF-8": b"\x10\x92\xa1\xff\x90",
    "surrogate in UTF-8": b"\x10\x92\xa3\xed\xa0\x80\x90",
    "streams are a map": b"\x10" + msgpack.packb(["a", {1: 2}]),
    "stream without descriptor": b"\x10" + msgpack.packb(["a", [[1]]]),
    "descriptor is a list": b"\x10" + msgpack.packb(["a", [[1, [2]]]]),
    "descriptor nests": b"\x10" + msgpack.packb(["a", [[1, {"n": {"m": 1}}]]]),
    "descriptor with nan": b"\x10" + msgpack.packb(["a", [[1, {"n": float("nan")}]]]),
    "stream id is a list": b"\x10" + msgpack.packb(["a", [[[1], {}]]]),
    "key is a number": b"\x10" + msgpack.packb(["a", [[1, {1: 1}]]]),
    "key is an array": b"\x10\x92\xa1a\x91\x92\x01\x81\x91\x01\x01",
    "extension type": b"\x10\x92\xa1a\x91\x92\x01\x81\xa1n\xd4\x05\x01",
    "timestamp": b"\x10\x92\xa1a\x91\x92\x01\x81\xa1n" + msgpack.packb(msgpack.Timestamp(1, 2)),
    "timestamp out of range": b"\x10\x92\xa1a\x91\x92\x01\x81\xa1n\xd7\xff" + b"\xff" * 8,
    "array of 2^32-1": b"\x10\xdd\xff\xff\xff\xff",
    "map of 2^32-1": b"\x10\x92\xa1a\x91\x92\x01\xdf\xff\xff\xff\xff",
    "text of 2^32-1": b"\x10\x92\xdb\xff\xff\xff\xff",
    "reserved byte": b"\x10\xc1",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_is_refused(data):
    with pytest.raises(LinkError):
        SemanticMessage.from_bytes(data)


@given(st.binary(max_size=200))
def test_noise_raises_nothing_but_link_error(data):
    for first in (b"", b"\x10", b"\x11"):
        with contextlib.suppress(LinkError):
            SemanticMessage.from_bytes(first + data)


@given(messages, st.data())
def test_damage_raises_nothing_but_link_error(message, data):
    damaged = bytearray(message.to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = SemanticMessage.from_bytes(bytes(damaged))
    except LinkError:
        return
    assert SemanticMessage.from_bytes(again.to_bytes()) == again
