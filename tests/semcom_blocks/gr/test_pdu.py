# SPDX-License-Identifier: GPL-3.0-or-later
"""PDUs: what goes in comes out bit for bit, and anything else has a name."""

import math

import numpy as np
import pmt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.errors import ConfigError
from semcom_blocks.gr import pdu
from tests.semcom_blocks.gr.bench import no_pdus

DTYPES = [np.uint8, np.float32, np.complex64]


def any_bits(dtype, n, seed=0):
    """NaN, infinities and denormals included."""
    size = n * np.dtype(dtype).itemsize
    return np.frombuffer(np.random.default_rng(seed).bytes(size), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 7, 10_000])
class TestVectors:
    def test_body_round_trip(self, dtype, n):
        sent = any_bits(dtype, n)
        meta, vector = pdu.parse(pdu.make({}, sent))
        assert meta == {}
        assert vector.dtype == dtype and vector.dtype.isnative
        assert vector.tobytes() == sent.tobytes()
        assert vector.flags.writeable

    def test_dictionary_round_trip(self, dtype, n):
        sent = any_bits(dtype, n, seed=1)
        meta, vector = pdu.parse(pdu.make({"channel": sent}))
        assert meta["channel"].dtype == dtype
        assert meta["channel"].tobytes() == sent.tobytes()
        assert vector.dtype == np.uint8 and len(vector) == 0

    def test_is_gnu_radios_own_vector(self, dtype, n):
        sent = np.arange(n).astype(dtype)
        kind = {np.uint8: "u8", np.float32: "f32", np.complex64: "c32"}[dtype]
        ours = pdu.vector_to_pmt(sent)
        assert getattr(pmt, f"is_{kind}vector")(ours)
        assert np.array_equal(getattr(pmt, f"{kind}vector_elements")(ours), sent)
        theirs = getattr(pmt, f"init_{kind}vector")(n, sent.tolist())
        assert np.array_equal(pdu.vector_from_pmt(theirs), sent)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False)
        | st.text(max_size=20),
        max_size=5,
    )
)
def test_plain_values_round_trip(meta):
    assert pdu.parse(pdu.make(meta, b"x"))[0] == meta


def test_numpy_scalars_become_numbers_and_bytes_become_arrays():
    meta, body = pdu.parse(
        pdu.make({"a": np.float32(0.5), "b": np.int8(-3), "c": np.bool_(True), "d": b"\0\xff"}, b"")
    )
    assert (meta["a"], meta["b"], meta["c"]) == (0.5, -3, True)
    assert type(meta["a"]) is float and type(meta["b"]) is int and type(meta["c"]) is bool
    assert meta["d"].tolist() == [0, 255]
    assert len(body) == 0


def test_not_a_number_is_a_number():
    meta, _ = pdu.parse(pdu.make({"a": math.nan, "b": math.inf}))
    assert math.isnan(meta["a"]) and meta["b"] == math.inf


def test_lists_and_tables_round_trip():
    sent = {"counters": {"bad": 1, "good": 2}, "path": [1, 2.5, "x"]}
    assert pdu.parse(pdu.make(sent))[0] == sent


def test_other_views_of_memory_are_copied():
    every_other = np.arange(10, dtype=np.float32)[::2]
    swapped = np.arange(3, dtype=">c8")
    assert pdu.parse(pdu.make({}, every_other))[1].tolist() == [0, 2, 4, 6, 8]
    with pytest.raises(ConfigError, match=r">c8|complex64"):
        pdu.make({}, swapped)


@pytest.mark.parametrize("number", range(len(no_pdus())))
def test_what_is_no_pdu_has_a_name(number):
    with pytest.raises(ConfigError) as caught:
        pdu.parse(no_pdus()[number])
    assert "PDU" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(2, np.float64),
        np.zeros((2, 2), np.uint8),
        np.zeros((), np.complex64),
        np.zeros(2, np.int16),
        2**63,
        -(2**63) - 1,
        "\ud800",
        object(),
        {1, 2},
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_a_pdu_cannot_hold_has_a_name(value):
    with pytest.raises(ConfigError, match="permitted") as caught:
        pdu.make({"a": value})
    assert "\n" not in str(caught.value)


def test_deep_nesting_is_refused():
    deep = pmt.PMT_NIL
    for _ in range(5000):
        deep = pmt.make_vector(1, deep)
    with pytest.raises(ConfigError):
        pdu.parse(pmt.cons(pmt.dict_add(pmt.make_dict(), pmt.intern("a"), deep), pmt.PMT_NIL))
