# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame header: nothing but what was sent may come out of it, and it must come far."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.crc import crc16_ccitt
from semcom_blocks.errors import ConfigError, LinkError
from semcom_blocks.phy.header import (
    CODED_BITS,
    HEADER_BYTES,
    MAX_DIGITAL_BYTES,
    FrameHeader,
    decode_header,
    header_cells,
    header_symbols,
)
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.precoding import PRECODINGS
from semcom_blocks.phy.qam import BITS_PER_SYMBOL

headers = st.builds(
    FrameHeader,
    job_id=st.integers(0, 0xFFFF),
    seq=st.integers(0, 0xFFFF),
    digital_bytes=st.integers(0, MAX_DIGITAL_BYTES),
    bits_per_symbol=st.sampled_from(BITS_PER_SYMBOL),
    stream_id=st.integers(0, 0xFF),
    analog_symbols=st.integers(0, 0xFFFF),
    analog_offset=st.integers(0, 0xFFFFFF),
    end=st.booleans(),
    precoding=st.sampled_from(PRECODINGS),
)
EXAMPLE = FrameHeader(0x1234, 513, 200, 4, 3, 4096, 0x012345, True)


def with_crc(body):
    return body + struct.pack(">H", crc16_ccitt(body))


@given(headers)
def test_bytes_round_trip(header):
    data = header.to_bytes()
    assert len(data) == HEADER_BYTES
    assert FrameHeader.from_bytes(data) == header


@given(
    headers, st.sampled_from([Numerology(), Numerology(256, 16, 240, 16), Numerology(n_used=16)])
)
def test_cells_round_trip(header, num):
    cells = header_cells(header, num)
    assert cells.shape == (header_symbols(num) * num.n_data,)
    np.testing.assert_allclose(np.abs(cells), 1.0, rtol=1e-5)
    assert decode_header(cells, np.float32(1.0)) == header


@given(headers)
def test_every_flipped_bit_is_noticed(header):
    data = int.from_bytes(header.to_bytes(), "big")
    for bit in range(8 * HEADER_BYTES):
        with pytest.raises(LinkError):
            FrameHeader.from_bytes((data ^ 1 << bit).to_bytes(HEADER_BYTES, "big"))


def test_every_burst_of_up_to_16_bits_is_noticed():
    data = int.from_bytes(EXAMPLE.to_bytes(), "big")
    rng = np.random.default_rng(0)
    for length in range(2, 17):
        for start in range(8 * HEADER_BYTES - length + 1):
            inside = int(rng.integers(0, 1 << (length - 2))) if length > 2 else 0
            burst = (1 | inside << 1 | 1 << (length - 1)) << start
            with pytest.raises(LinkError):
                FrameHeader.from_bytes((data ^ burst).to_bytes(HEADER_BYTES, "big"))


@pytest.mark.parametrize("length", [0, 1, HEADER_BYTES - 1, HEADER_BYTES + 1])
def test_other_lengths_are_refused(length):
    with pytest.raises(LinkError, match=str(length)):
        FrameHeader.from_bytes(bytes(length))


def test_all_zeros_are_no_header():
    """Silence decodes to zeros; they must not have a valid CRC."""
    with pytest.raises(LinkError):
        FrameHeader.from_bytes(bytes(HEADER_BYTES))


@pytest.mark.parametrize(
    ("at", "value", "what"),
    [
        (0, 0x21, "version"),
        (0, 0x01, "version"),
        (7, 3, "bits_per_symbol"),
        (5, 0xFF, "digital"),
        (7, 0x34, "precoding of a header is 3, permitted: 0 to 2"),
    ],
)
def test_valid_crc_over_impossible_fields_is_refused(at, value, what):
    body = bytearray(EXAMPLE.to_bytes()[:-2])
    body[at] = value
    with pytest.raises(LinkError, match=what):
        FrameHeader.from_bytes(with_crc(bytes(body)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("job_id", -1),
        ("job_id", 0x10000),
        ("seq", 0x10000),
        ("digital_bytes", MAX_DIGITAL_BYTES + 1),
        ("bits_per_symbol", 3),
        ("stream_id", 256),
        ("analog_symbols", 0x10000),
        ("analog_offset", 0x1000000),
    ],
)
def test_fields_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        FrameHeader(**{"job_id": 1, "seq": 1, name: value})


def error_rate(snr_db, n_headers, seed):
    """Share of headers lost in AWGN, and that of wrong ones taken for right."""
    num, rng = Numerology(), np.random.default_rng(seed)
    variance = 10 ** (-snr_db / 10)
    lost = wrong = 0
    for _ in range(n_headers):
        sent = FrameHeader(int(rng.integers(0x10000)), int(rng.integers(0x10000)))
        cells = header_cells(sent, num)
        noise = rng.standard_normal((2, len(cells))) * np.sqrt(variance / 2)
        try:
            wrong += decode_header(cells + noise[0] + 1j * noise[1], 1 / variance) != sent
        except LinkError:
            lost += 1
    return lost / n_headers, wrong / n_headers


def test_holds_at_minus_2_db():
    """6 dB below the payload, whose QPSK at rate 1/2 needs about 4 dB (test_payload)."""
    lost, wrong = error_rate(-2.0, 1000, seed=1)
    assert lost < 0.01
    assert wrong == 0


def test_a_third_of_the_cells_may_be_lost():
    """Nulls in the spectrum take whole carriers: the interleaver spreads them over all words."""
    num = Numerology()
    cells = header_cells(EXAMPLE, num).reshape(-1, num.n_data).copy()
    weight = np.ones_like(cells.real)
    cells[:, 10 : 10 + num.n_data // 3] = 5.0
    weight[:, 10 : 10 + num.n_data // 3] = 0.0
    assert decode_header(cells.reshape(-1), weight.reshape(-1)) == EXAMPLE


def test_noise_alone_makes_no_header():
    """CRC, version, order and sizes let one random header in 2**31 pass."""
    num, rng = Numerology(), np.random.default_rng(5)
    n_cells = header_symbols(num) * num.n_data
    for _ in range(3000):
        noise = rng.standard_normal((2, n_cells))
        with pytest.raises(LinkError):
            decode_header((noise[0] + 1j * noise[1]).astype(np.complex64), np.float32(1.0))


def test_header_needs_no_more_symbols_than_its_bits():
    num = Numerology()
    assert (header_symbols(num) - 1) * num.n_data < CODED_BITS <= header_symbols(num) * num.n_data
