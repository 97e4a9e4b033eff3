# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets: what is packed is unpacked, what is damaged is refused by name."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.air.usrp.chdr import (
    ChdrError,
    Control,
    PacketType,
    StreamCommand,
    StreamStatus,
    pack,
    unpack,
)

U16, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))


def as_words(payload):
    return struct.unpack(f"<{len(payload) // 8}Q", payload)


@given(st.sampled_from(PacketType), U16, U16, st.binary(max_size=8000), U64, st.booleans())
def test_packet_there_and_back(kind, destination, sequence, payload, time, end):
    time = time if kind is PacketType.TIMED_DATA else None
    packet = unpack(pack(kind, destination, sequence, payload, time, end))
    assert (packet.kind, packet.destination, packet.sequence) == (kind, destination, sequence)
    assert (bytes(packet.payload), packet.time, packet.end_of_burst) == (payload, time, end)


@given(
    st.builds(
        Control,
        source_port=st.integers(0, 1023),
        destination_port=st.integers(0, 1023),
        sequence=st.integers(0, 63),
        source=U16,
        op=st.integers(0, 15),
        address=st.integers(0, 2**20 - 1),
        data=st.lists(U32, min_size=1, max_size=15).map(tuple),
        time=st.none() | U64,
        is_ack=st.booleans(),
        status=st.integers(0, 3),
        byte_enable=st.integers(0, 15),
    )
)
def test_control_there_and_back(control):
    assert Control.unpack(as_words(control.pack())) == control


@given(st.tuples(U16, st.integers(0, 15), st.integers(0, 2**40 - 1), U64))
def test_stream_command_there_and_back(fields):
    assert StreamCommand.unpack(as_words(StreamCommand(*fields).pack())) == StreamCommand(*fields)


@given(
    st.tuples(
        U16,
        st.integers(0, 2**40 - 1),
        st.integers(0, 2**24 - 1),
        st.integers(0, 2**40 - 1),
        U64,
        st.integers(0, 15),
    )
)
def test_stream_status_there_and_back(fields):
    assert StreamStatus.unpack(as_words(StreamStatus(*fields).pack())) == StreamStatus(*fields)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_packet_or_refused(datagram):
    try:
        packet = unpack(datagram)
    except ChdrError:
        return
    assert len(packet.payload) <= packet.length <= len(datagram)


@given(
    st.lists(U64, max_size=6).map(tuple), st.sampled_from([Control, StreamCommand, StreamStatus])
)
def test_any_words_are_a_payload_or_refused(words, kind):
    try:
        payload = kind.unpack(words)
    except ChdrError:
        return
    assert isinstance(payload, kind)


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (b"", "packet has 0 bytes, permitted: 8 to 9000"),
        (bytes(9001), "packet has 9001 bytes"),
        (struct.pack("<Q", 3 << 53 | 8 << 16), "packet type is 3, permitted"),
        (struct.pack("<Q", 6 << 53 | 16 << 16), "packet length is 16, permitted: 8 to 8"),
        (struct.pack("<Q", 6 << 53 | 7 << 16), "packet length is 7"),
        (struct.pack("<Q", 7 << 53 | 8 << 16), "packet length is 8, permitted: 16 to 8"),
        (struct.pack("<Q", 6 << 53 | 31 << 48 | 8 << 16), "permitted: 256 to 8"),
    ],
)
def test_damaged_packets_are_named(datagram, said):
    with pytest.raises(ChdrError, match=said):
        unpack(datagram)


def test_header_as_the_specification_draws_it():
    """A timed data packet to endpoint 2 with one sample that ends a burst, word by word."""
    datagram = pack(PacketType.TIMED_DATA, 2, 5, struct.pack("<hh", 1, -1), 0x1122, True)
    assert as_words(datagram[:16]) == (0x02E0_0005_0014_0002, 0x1122)
