# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets, acks and fragments as bytes; no damage passes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.crc import crc32
from semcom_blocks.errors import ConfigError, LinkError
from semcom_blocks.link import fragment
from semcom_blocks.link.packets import (
    MAX_ACK_BANDS,
    MAX_ACK_BYTES,
    MAX_PACKET_BYTES,
    MAX_PACKETS,
    MAX_PAYLOAD_BYTES,
    Ack,
    CorruptPacket,
    Packet,
)

PACKET = Packet(0xDEADBEEF, 0x1234, 2, 7, b"a cat on a mat", 3)
ACK = Ack(0xDEADBEEF, 0x1234, 2, 12, 0b1010_0000_0111, 3)


@st.composite
def fields(draw):
    count = draw(st.integers(1, MAX_PACKETS))
    return {
        "tag": draw(st.integers(0, 2**32 - 1)),
        "job_id": draw(st.integers(0, 2**16 - 1)),
        "count": count,
        "index": draw(st.integers(0, count - 1)),
        "attempt": draw(st.integers(1, 255)),
    }


@given(fields(), st.binary(min_size=1, max_size=MAX_PAYLOAD_BYTES))
def test_packet_round_trip(common, payload):
    packet = Packet(payload=payload, **common)
    data = packet.to_bytes()
    assert len(data) == len(payload) + 16 <= MAX_PACKET_BYTES == 256
    assert Packet.from_bytes(data) == packet
    with pytest.raises(CorruptPacket):
        Ack.from_bytes(data)


@given(fields(), st.data())
def test_ack_round_trip(common, data):
    received = data.draw(st.integers(0, 2 ** common["count"] - 1))
    told = data.draw(st.lists(st.integers(0, 255), max_size=MAX_ACK_BANDS))
    snr_db = tuple(-16.0 + step / 4 for step in told)
    ack = Ack(received=received, band_snr_db=snr_db, **common)
    encoded = ack.to_bytes()
    assert len(encoded) <= MAX_ACK_BYTES == 98
    assert ack.band_snr_db == snr_db
    assert Ack.from_bytes(encoded) == ack
    assert ack.complete == (received == 2 ** common["count"] - 1)
    with pytest.raises(CorruptPacket):
        Packet.from_bytes(encoded)


def test_layout_is_fixed():
    """Golden bytes: another version of the program must still understand them."""
    assert PACKET.to_bytes().hex() == (
        "d1deadbeef12340002000703" + b"a cat on a mat".hex() + "992a7a11"
    )
    assert ACK.to_bytes().hex() == "a1deadbeef12340002000c03" + "070a" + "55954f91"


@pytest.mark.parametrize("item", [PACKET, ACK])
def test_every_bit_flip_and_every_cut_is_refused(item):
    data = item.to_bytes()
    kind = type(item)
    number = int.from_bytes(data, "big")
    for bit in range(8 * len(data)):
        with pytest.raises(CorruptPacket):
            kind.from_bytes((number ^ (1 << bit)).to_bytes(len(data), "big"))
    for length in range(len(data)):
        with pytest.raises(CorruptPacket):
            kind.from_bytes(data[:length])
    with pytest.raises(CorruptPacket):
        kind.from_bytes(data + b"\0")


@given(st.binary(max_size=400))
def test_noise_is_no_packet(data):
    for kind in (Packet, Ack):
        with pytest.raises(CorruptPacket):
            kind.from_bytes(data)


def reseal(data, place, value):
    """``data`` with other header bytes and a CRC that is right again."""
    body = data[:place] + value + data[place + len(value) : -4]
    return body + crc32(body).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, b"\xd2"),  # another version
        (7, b"\x00\x07"),  # index = count
        (9, b"\x00\x00"),  # no packets
        (9, b"\x02\x01"),  # 513 packets
        (11, b"\x00"),  # attempt 0
    ],
)
def test_impossible_fields_are_refused_even_with_a_right_crc(place, value):
    assert Packet.from_bytes(reseal(PACKET.to_bytes(), 7, b"\x00\x06")).index == 6
    with pytest.raises(CorruptPacket):
        Packet.from_bytes(reseal(PACKET.to_bytes(), place, value))


def test_bitmap_must_fit_the_count():
    with pytest.raises(CorruptPacket):
        Ack.from_bytes(reseal(ACK.to_bytes(), 9, b"\x00\x03"))  # too long
    with pytest.raises(CorruptPacket):
        Ack.from_bytes(reseal(ACK.to_bytes(), 9, b"\x00\x11"))  # too short
    with pytest.raises(CorruptPacket):
        Ack.from_bytes(reseal(ACK.to_bytes(), 13, b"\xff"))  # bits beyond the count


def test_an_ack_tells_the_snr_of_bands_to_a_quarter_of_a_decibel():
    """An ack without them is as it always was."""
    told = replace(ACK, band_snr_db=(7.1, -3.9, 60.0, -60.0, float("inf")))
    assert told.band_snr_db == (7.0, -4.0, 47.75, -16.0, 47.75)
    assert Ack.from_bytes(told.to_bytes()) == told
    assert len(told.to_bytes()) == len(ACK.to_bytes()) + 1 + 5
    with pytest.raises(ConfigError, match="nan"):
        replace(ACK, band_snr_db=(float("nan"),))
    with pytest.raises(ConfigError, match="bands is 18, permitted: 0 to 17"):
        replace(ACK, band_snr_db=(1.0,) * 18)


@pytest.mark.parametrize("tail", [b"\0", b"\1", b"\1ab", b"\3ab", b"\x12" + bytes(18)])
def test_what_is_behind_a_bitmap_must_fit(tail):
    body = ACK.to_bytes()[:-4] + tail
    with pytest.raises(CorruptPacket):
        Ack.from_bytes(body + crc32(body).to_bytes(4, "big"))


def test_fields_out_of_range_are_named():
    with pytest.raises(ConfigError, match="job_id is 65536"):
        Packet(0, 65536, 0, 1, b"x")
    with pytest.raises(ConfigError, match="index is 1"):
        Packet(0, 0, 1, 1, b"x")
    with pytest.raises(ConfigError, match="payload bytes is 241"):
        Packet(0, 0, 0, 1, bytes(241))
    with pytest.raises(ConfigError, match="payload bytes is 0"):
        Packet(0, 0, 0, 1, b"")
    with pytest.raises(ConfigError, match="received is 2"):
        Ack(0, 0, 0, 1, 2)


@given(st.binary(max_size=1000), st.integers(8, MAX_PAYLOAD_BYTES))
def test_split_and_join(message, size):
    payloads = fragment.split(message, size)
    assert all(1 <= len(payload) <= size for payload in payloads)
    assert fragment.join(payloads) == message


def test_fragments_of_two_messages_do_not_join():
    one, two = fragment.split(bytes(range(250)) * 2), fragment.split(b"b" * 500)
    with pytest.raises(LinkError, match="CRC-32 of the message"):
        fragment.join([one[0], two[1], one[2]])
    with pytest.raises(LinkError):
        fragment.join([one[1], one[0], one[2]])


def test_longest_message():
    longest = MAX_PACKETS * MAX_PAYLOAD_BYTES - 4
    assert len(fragment.split(bytes(longest))) == MAX_PACKETS
    with pytest.raises(LinkError, match=f"permitted: 0 to {longest}"):
        fragment.split(bytes(longest + 1))
