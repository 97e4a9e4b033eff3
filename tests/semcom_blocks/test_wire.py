# SPDX-License-Identifier: GPL-3.0-or-later
"""Wire format: what goes in comes out, and nothing malformed comes in."""

import math
import pickle
import struct

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from semcom_blocks import wire
from semcom_blocks.errors import WireError
from semcom_blocks.wire import DTYPES, Message, decode, encode

GOOD = Message("decode", {"id": "a1"}, {"symbols": np.arange(6, dtype=np.complex64)})


def frames_of(
    document, bodies=(), *, version=wire.VERSION, magic=wire.MAGIC, count=None, length=None
):
    """Frames with every field of the header under the test's control."""
    meta = document if isinstance(document, bytes) else msgpack.packb(document)
    declared = len(bodies) if count is None else count
    size = len(meta) if length is None else length
    return [struct.pack("<4sHHI", magic, version, declared, size), meta, *bodies]


def document(meta=None, arrays=(), kind="ping"):
    return {"kind": kind, "meta": meta if meta is not None else {}, "arrays": list(arrays)}


def same(left, right):
    """Equality that holds for NaN and tells 1 from 1.0 and True."""
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(same(left[key], right[key]) for key in left)
        )
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return type(left) is type(right) and left == right


# --- round trips ---------------------------------------------------------------------------


@pytest.mark.parametrize("code", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 0, 3), (2, 3, 2, 2)])
def test_arrays_round_trip(code, shape):
    rng = np.random.default_rng(1)
    array = rng.integers(0, 100, size=shape).astype(code)
    if code.startswith("c"):
        array = array * np.dtype(code).type(1 - 2j)
    found = decode(encode(Message("test", {}, {"x": array}))).arrays["x"]
    assert found.dtype == array.dtype and found.dtype.isnative
    assert found.shape == shape
    np.testing.assert_array_equal(found, array)


def test_foreign_byte_order_and_strides_arrive_as_native_c_order():
    array = np.arange(24, dtype=">i4").reshape(4, 6)[::2, ::-1].T
    found = decode(encode(Message("test", {}, {"x": array}))).arrays["x"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype("=i4") and found.flags.c_contiguous


def test_nan_payloads_survive_bit_for_bit():
    array = np.array([np.nan, np.inf, -np.inf, -0.0], dtype=np.float32)
    found = decode(encode(Message("test", {}, {"x": array}))).arrays["x"]
    assert found.tobytes() == array.tobytes()


def test_encoded_frames_do_not_alias_the_caller_and_decoded_arrays_are_writable():
    array = np.ones(4, dtype=np.float32)
    frames = encode(Message("test", {}, {"x": array}))
    array[:] = 7
    found = decode(frames).arrays["x"]
    assert found.tolist() == [1, 1, 1, 1]
    found[:] = 3
    assert decode(frames).arrays["x"].tolist() == [1, 1, 1, 1]


def test_numpy_scalars_and_tuples_become_plain_python():
    meta = {
        "f": np.float32(1.5),
        "i": np.uint16(7),
        "b": np.bool_(True),
        "s": np.str_("a"),
        "t": (1, (2.0, None)),
        "nan": float("nan"),
    }
    found = decode(encode(Message("test", meta))).meta
    expected = {"f": 1.5, "i": 7, "b": True, "s": "a", "t": [1, [2.0, None]], "nan": math.nan}
    assert same(found, expected)


def test_memoryview_frames_decode():
    frames = [memoryview(bytearray(frame)) for frame in encode(GOOD)]
    np.testing.assert_array_equal(decode(frames).arrays["symbols"], GOOD.arrays["symbols"])


def test_encoding_is_deterministic():
    assert encode(GOOD) == encode(GOOD)


names = st.from_regex(r"\A[a-z][a-z0-9_]{0,63}\Z")
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(blacklist_categories=["Cs"]))
    | st.binary(max_size=64),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abç", max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
arrays = st.sampled_from(DTYPES).flatmap(
    lambda code: hnp.arrays(
        np.dtype(code), hnp.array_shapes(min_dims=0, max_dims=4, max_side=4, min_side=0)
    )
)


@settings(max_examples=150, deadline=None)
@given(
    kind=names,
    meta=st.dictionaries(st.text("abc", max_size=5), values, max_size=4),
    held=st.dictionaries(names, arrays, max_size=3),
)
def test_random_messages_round_trip_identically(kind, meta, held):
    message = Message(kind, meta, held)
    try:
        frames = encode(message)
    except WireError as error:
        assert "nested deeper" in str(error)
        return
    found = decode(frames)
    assert found.kind == kind
    assert same(found.meta, meta)
    assert found.arrays.keys() == held.keys()
    for name, array in held.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


# --- refusals on decode: the rows of the fault table ----------------------------------------


SHAPED = document(arrays=[["x", "f4", [2]]])
REFUSED = {
    "no part": ([], "0 parts"),
    "one empty part": ([b""], "1 parts"),
    "empty parts": ([b"", b""], "header has 0 bytes"),
    "one byte": ([b"S"], "1 parts"),
    "one byte twice": ([b"S", b"S"], "header has 1 bytes"),
    "short header": ([b"SEMC\x01\x00\x00", b""], "header has 7 bytes"),
    "long header": ([encode(GOOD)[0] + b"\0", *encode(GOOD)[1:]], "header has 13 bytes"),
    "a part too few": (encode(GOOD)[:-1], "2 parts, its header declares 3"),
    "a part too many": ([*encode(GOOD), b""], "4 parts, its header declares 3"),
    "wrong magic": (frames_of(document(), magic=b"SEMD"), "magic is b'SEMD'"),
    "version below": (
        frames_of(document(), version=wire.VERSION - 1),
        "version is 0, permitted: 1",
    ),
    "version above": (
        frames_of(document(), version=wire.VERSION + 1),
        "version is 2, permitted: 1",
    ),
    "declared length": (frames_of(document(), length=2**32 - 1), "declares 4294967295"),
    "declared count": (frames_of(document(), count=2**16 - 1), "65535 arrays, permitted: up to 32"),
    "meta too long": (frames_of(document({"a": "x" * (1 << 20)})), "bytes of meta"),
    "meta empty": (frames_of(b""), "not valid MessagePack"),
    "meta truncated": (frames_of(msgpack.packb(document({"a": 1}))[:-1]), "not valid MessagePack"),
    "meta with a tail": (frames_of(msgpack.packb(document()) + b"\0"), "not valid MessagePack"),
    "meta reserved byte": (frames_of(b"\xc1"), "not valid MessagePack"),
    "meta of 2^32-1 items": (frames_of(b"\xdd\xff\xff\xff\xff"), "not valid MessagePack"),
    "meta of 2^32-1 keys": (frames_of(b"\xdf\xff\xff\xff\xff"), "not valid MessagePack"),
    "text of 2^32-1 bytes": (frames_of(b"\xdb\xff\xff\xff\xff"), "not valid MessagePack"),
    "nesting 10^5": (frames_of(b"\x91" * 100_000 + b"\xc0"), "not valid MessagePack"),
    "map nesting 10^5": (frames_of(b"\x81\xa1a" * 100_000 + b"\xc0"), "not valid MessagePack"),
    "pickle": (frames_of(pickle.dumps({"kind": "x"})), "not valid MessagePack"),
    "a list": (frames_of([1]), "not a map of kind, meta and arrays"),
    "a number": (frames_of(1), "not a map of kind, meta and arrays"),
    "a key too many": (frames_of({**document(), "extra": 1}), "not a map of kind, meta and arrays"),
    "a key too few": (frames_of({"kind": "x", "meta": {}}), "not a map of kind, meta and arrays"),
    "integer keys": (frames_of(document({1: 2})), "not valid MessagePack"),
    "bytes keys": (frames_of(document({b"a": 2})), "key that is not str"),
    "meta a list": (frames_of(document([])), "meta is list, permitted: dict"),
    "kind a number": (frames_of(document(kind=5)), "kind is 5"),
    "kind empty": (frames_of(document(kind="")), "kind is ''"),
    "kind with capitals": (frames_of(document(kind="Ping")), "kind is 'Ping'"),
    "kind with a line end": (frames_of(document(kind="ping\n")), r"kind is 'ping\\n'"),
    "kind with other digits": (frames_of(document(kind="a٣")), "kind is"),
    "kind too long": (frames_of(document(kind="a" * 65)), "kind is"),
    "extension": (frames_of(document({"a": msgpack.ExtType(5, b"x")})), "MessagePack"),
    "empty extension": (frames_of(document({"a": msgpack.ExtType(5, b"")})), "extension 5"),
    "time stamp": (frames_of(document({"a": msgpack.Timestamp(1, 0)})), "MessagePack"),
    "table a map": (frames_of({**document(), "arrays": {}}), "array table is dict"),
    "table too short": (frames_of(document(), [b""]), "0 rows, the header declares 1"),
    "table too long": (frames_of(SHAPED), "1 rows, the header declares 0"),
    "row of two": (
        frames_of(document(arrays=[["x", "f4"]]), [b""]),
        "not \\[name, dtype, shape\\]",
    ),
    "row a map": (frames_of(document(arrays=[{}]), [b""]), "not \\[name, dtype, shape\\]"),
    "body short": (frames_of(SHAPED, [b"\0" * 7]), "has 7 bytes"),
    "body long": (frames_of(SHAPED, [b"\0" * 9]), "has 9 bytes"),
    "body empty": (frames_of(SHAPED, [b""]), "has 0 bytes"),
}
for _code in [
    "O",
    "O8",
    "|O",
    "S4",
    "U4",
    "V8",
    "b1",
    "M8",
    "m8",
    "f2",
    "f16",
    ">f4",
    "<f4",
    "",
    4,
    None,
    [],
]:
    REFUSED[f"dtype {_code!r}"] = (
        frames_of(document(arrays=[["x", _code, [2]]]), [b"\0" * 8]),
        "dtype",
    )
for _shape in [[-1], [-2, -1], [2.0], [True, 2], ["2"], 2, None, {}]:
    REFUSED[f"shape {_shape!r}"] = (
        frames_of(document(arrays=[["x", "f4", _shape]]), [b"\0" * 8]),
        "not a list of natural numbers",
    )
REFUSED["five axes"] = (frames_of(document(arrays=[["x", "f4", [1] * 5]]), [b"\0" * 4]), "5 axes")
for _shape in [[2**62, 4], [2**63, 2**63, 2**63, 2**63], [0, 2**62], [2**32, 0, 2**32]]:
    # 2^62 x 4 x 4 bytes is 2^66, and 0 in 64-bit arithmetic.
    REFUSED[f"shape {_shape!r}"] = (
        frames_of(document(arrays=[["x", "f4", _shape]]), [b""]),
        "bytes of array x, permitted: up to 67108864",
    )
REFUSED["name twice"] = (
    frames_of(document(arrays=[["x", "u1", [1]], ["x", "u1", [1]]]), [b"a", b"b"]),
    "array x appears twice",
)
for _name in ["", "X", "a b", "../x", "__class__", 3, None, "a" * 65]:
    REFUSED[f"name {str(_name)[:12]!r}"] = (
        frames_of(document(arrays=[[_name, "u1", [1]]]), [b"a"]),
        "array name is",
    )
for _bytes in [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"]:
    # A stray byte, a cut sequence, a UTF-16 surrogate, and an overlong NUL.
    REFUSED[f"text {_bytes!r}"] = (
        frames_of(
            msgpack.packb(document({"a": "?"})).replace(
                b"\xa1?", bytes([0xA0 + len(_bytes)]) + _bytes
            )
        ),
        "not valid UTF-8",
    )


@pytest.mark.parametrize("name", REFUSED)
def test_malformed_message_is_refused_in_one_line(name):
    frames, reason = REFUSED[name]
    with pytest.raises(WireError, match=reason) as caught:
        decode(frames)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250
    assert decode(encode(GOOD)).kind == "decode"


def test_parts_that_are_not_bytes_are_refused():
    for frames in [b"SEMC", "SEMC", [1, 2], [None, b""], [*encode(GOOD)[:2], "x"]]:
        with pytest.raises(WireError):
            decode(frames)
    with pytest.raises(WireError, match="contiguous"):
        decode([memoryview(b"abcdef")[::2], b""])


def test_nesting_limit_is_the_same_on_both_sides():
    def nested(levels):
        value = {}
        for _ in range(levels - 1):
            value = {"a": value}
        return value

    deepest = nested(wire.MAX_NESTING)
    assert decode(encode(Message("x", deepest))).meta == deepest
    with pytest.raises(WireError, match="nested deeper than 8"):
        encode(Message("x", nested(wire.MAX_NESTING + 1)))
    with pytest.raises(WireError, match="nested deeper than 8"):
        decode(frames_of(document(nested(wire.MAX_NESTING + 1))))
    endless = {}
    endless["a"] = endless
    with pytest.raises(WireError, match="nested deeper than 8"):
        encode(Message("x", endless))


def test_item_limit_is_the_same_on_both_sides():
    # The map, the list, and then its members.
    fits, too_many = [0] * (wire.MAX_ITEMS - 2), [0] * (wire.MAX_ITEMS - 1)
    assert decode(encode(Message("x", {"a": fits}))).meta == {"a": fits}
    with pytest.raises(WireError, match="more than 4096 items"):
        encode(Message("x", {"a": too_many}))
    with pytest.raises(WireError, match="more than 4096 items"):
        decode(frames_of(document({"a": too_many})))
    with pytest.raises(WireError, match="more than 4096 items"):
        decode(frames_of(document({"a": [[0] * 100] * 100})))


def test_size_limits_are_the_same_on_both_sides():
    largest = np.zeros(wire.MAX_ARRAY_BYTES, dtype=np.uint8)
    assert decode(encode(Message("x", {}, {"a": largest}))).arrays["a"].size == largest.size
    larger = np.zeros(wire.MAX_ARRAY_BYTES + 1, dtype=np.uint8)
    with pytest.raises(WireError, match="67108865 bytes of array a, permitted: up to 67108864"):
        encode(Message("x", {}, {"a": larger}))
    table = [["a", "u1", [larger.size]]]
    with pytest.raises(WireError, match="67108865 bytes of array a, permitted: up to 67108864"):
        decode(frames_of(document(arrays=table), [larger.tobytes()]))
    with pytest.raises(WireError, match="bytes in all, permitted: up to 134217728"):
        encode(Message("x", {}, {"a": largest, "b": largest}))
    table = [["a", "u1", [largest.size]], ["b", "u1", [largest.size]]]
    body = largest.tobytes()
    with pytest.raises(WireError, match="bytes in all, permitted: up to 134217728"):
        decode(frames_of(document(arrays=table), [body, body]))
    many = {f"a{index}": np.zeros(1, np.uint8) for index in range(wire.MAX_ARRAYS + 1)}
    with pytest.raises(WireError, match="33 arrays, permitted: up to 32"):
        encode(Message("x", {}, many))
    with pytest.raises(WireError, match="bytes of meta, permitted: up to 1048576"):
        encode(Message("x", {"a": "x" * wire.MAX_META_BYTES}))


# --- refusals on encode ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message("Bad Kind"), "kind is 'Bad Kind'"),
        (Message(None), "kind is None"),
        (Message("x", {1: 2}), "key that is not str"),
        (Message("x", {"a": object()}), "type object"),
        (Message("x", {"a": 1 + 2j}), "type complex"),
        (Message("x", {"a": np.complex64(1)}), "type complex"),
        (Message("x", {"a": {1, 2}}), "type set"),
        (Message("x", {"a": np.zeros(3)}), "type ndarray"),
        (Message("x", {"a": msgpack.ExtType(1, b"")}), "type ExtType"),
        (Message("x", {"a": 2**64}), "cannot be packed"),
        (Message("x", {"a": -(2**63) - 1}), "cannot be packed"),
        (Message("x", {"a": "\ud800"}), "lone surrogate"),
        (Message("x", {"\udfff": 1}), "lone surrogate"),
        (Message("x", []), "meta is list"),
        (Message("x", {}, {"a": np.array([None])}), "dtype 'O8'"),
        (Message("x", {}, {"a": np.array(["text"])}), "dtype 'U16'"),
        (Message("x", {}, {"a": np.array([True])}), "dtype 'b1'"),
        (Message("x", {}, {"a": np.zeros(2, np.float16)}), "dtype 'f2'"),
        (Message("x", {}, {"a": np.zeros((1, 1, 1, 1, 1))}), "5 axes"),
        (Message("x", {}, {"a-b": np.zeros(1)}), "array name is 'a-b'"),
    ],
)
def test_encode_refuses_what_decode_would_refuse(message, reason):
    with pytest.raises(WireError, match=reason):
        encode(message)


# --- fuzzing --------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_random_parts_raise_nothing_but_wire_error(frames):
    with pytest.raises(WireError):
        decode(frames)


@settings(max_examples=400, deadline=None)
@given(meta=st.binary(max_size=300), count=st.integers(0, 3), body=st.binary(max_size=20))
def test_random_meta_behind_a_good_header_raises_nothing_but_wire_error(meta, count, body):
    with pytest.raises(WireError):
        decode(frames_of(meta, [body] * count))


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_damaged_messages_are_refused_or_still_a_message(data):
    frames = [bytearray(frame) for frame in encode(GOOD)]
    for _ in range(data.draw(st.integers(1, 3))):
        part = data.draw(st.integers(0, 2))
        if frames[part]:
            at = data.draw(st.integers(0, len(frames[part]) - 1))
            frames[part][at] ^= data.draw(st.integers(1, 255))
            del frames[part][len(frames[part]) - data.draw(st.sampled_from([0, 0, 0, 1, 5])) :]
    try:
        found = decode(frames)
    except WireError:
        return
    assert decode(encode(found)).arrays.keys() == found.arrays.keys()


json_like = st.recursive(
    st.none()
    | st.integers(-5, 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(DTYPES),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(kind=json_like, meta=json_like, rows=st.lists(st.lists(json_like, max_size=4), max_size=3))
def test_wrongly_typed_documents_raise_nothing_but_wire_error(kind, meta, rows):
    document_of = {"kind": kind, "meta": meta, "arrays": rows}
    try:
        found = decode(frames_of(document_of, [b"\0" * 4] * len(rows)))
    except WireError:
        return
    assert found.kind == kind and same(found.meta, meta)


# --- typed access ---------------------------------------------------------------------------


def test_typed_access_names_what_is_wrong():
    message = Message(
        "decode", {"n": 3, "flag": True, "x": 0.5}, {"s": np.zeros((2, 2), np.complex64)}
    )
    assert message.value("n", int) == 3
    assert message.value("flag", bool) is True
    assert message.value("x", (int, float)) == 0.5
    assert message.array("s", np.complex64, ndim=2).shape == (2, 2)
    assert message.array("s", np.complex64).shape == (2, 2)
    with pytest.raises(WireError, match="decode: job_id is missing"):
        message.value("job_id", int)
    with pytest.raises(WireError, match="decode: n is int, permitted: str"):
        message.value("n", str)
    with pytest.raises(WireError, match="decode: flag is bool, permitted: int or float"):
        message.value("flag", (int, float))
    with pytest.raises(WireError, match="decode: array t is missing"):
        message.array("t", np.complex64)
    with pytest.raises(WireError, match="decode: array s is complex64, permitted: float32"):
        message.array("s", np.float32)
    with pytest.raises(WireError, match="decode: array s has 2 axes, permitted: 1"):
        message.array("s", np.complex64, ndim=1)
