# SPDX-License-Identifier: GPL-3.0-or-later
"""Band tables: what is permitted, what is on the air, and what damage does to it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.crc import crc16_ccitt
from semcom_blocks.errors import ConfigError, LinkError
from semcom_blocks.phy.bands import MAX_BANDS, Band, BandTable, band_index, band_snr_db
from semcom_blocks.phy.header import (
    HEADER_BYTES,
    Chunk,
    FrameHeader,
    coded_cells,
    coded_symbols,
    decode_cells,
    table_bytes_after,
)
from semcom_blocks.phy.numerology import Numerology

NUM = Numerology()
PROMPT = {"stream_id": None, "carriers": 16, "power": 0.5, "bits_per_symbol": 2}
EDGES = {"stream_id": 3, "carriers": 32, "power": 0.4, "bits_per_symbol": 6}


@st.composite
def tables(draw):
    n_streams = draw(st.integers(0, MAX_BANDS - 1))
    streams = draw(st.permutations(range(256)))[:n_streams]
    orders = st.sampled_from([1, 2, 4, 6, 8])
    shares = draw(st.lists(st.floats(0.001, 1), min_size=n_streams + 2, max_size=n_streams + 2))
    bands = [
        Band(
            stream_id,
            draw(st.integers(1, 60)),
            share / sum(shares),
            draw(orders if stream_id is None else orders | st.just(0)),
        )
        for stream_id, share in zip((None, *streams), shares, strict=False)
    ]
    return BandTable(tuple(bands))


@st.composite
def headers(draw):
    table = draw(tables())
    chunk = st.tuples(st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFF))
    return FrameHeader(
        draw(st.integers(0, 0xFFFF)),
        draw(st.integers(0, 0xFFFF)),
        draw(st.integers(0, 1024)),
        table.bands[0].bits_per_symbol,
        bands=table,
        band_chunks=tuple(draw(chunk) for _ in table.stream_ids),
    )


@given(tables())
def test_a_table_is_the_same_behind_its_bytes_and_its_list(table):
    assert BandTable.from_bytes(table.to_bytes()) == table
    assert BandTable.from_list(table.to_list()) == table


@given(headers())
def test_a_header_with_bands_comes_back_from_its_bytes_and_its_cells(header):
    data = header.to_bytes()
    assert FrameHeader.from_bytes(data) == header
    assert len(data) == HEADER_BYTES + table_bytes_after(data[:HEADER_BYTES])
    table = header.table_bytes()
    cells = coded_cells(table, NUM)
    assert cells.shape == (coded_symbols(len(table), NUM) * NUM.n_data,)
    assert decode_cells(cells, np.float32(1.0), len(table)) == table
    chunks = zip(header.bands.stream_ids, header.band_chunks, strict=True)
    assert header.chunks == tuple(Chunk(n, *chunk) for n, chunk in chunks if chunk[1])


def test_prompt_and_one_stream_take_ten_symbols():
    """Overhead counts: a frame of two bands is ten symbols longer than one without."""
    table = BandTable.from_list([PROMPT, EDGES])
    header = FrameHeader(1, 1, 10, 2, bands=table, band_chunks=((0, 5),))
    assert coded_symbols(len(header.table_bytes()), NUM) == 10


@given(st.floats(1 / 65536, 1))
def test_power_is_what_is_on_the_air(power):
    band = Band(None, 4, power, 2)
    assert -1e-9 <= power - band.power < 1 / 65536 * (1 + 1e-6)
    assert band == Band(None, 4, band.power, 2)


def test_cells_of_a_symbol_have_the_power_of_all_bands():
    table = BandTable.from_list([PROMPT, EDGES])
    amplitudes = table.amplitudes(NUM)
    assert amplitudes**2 == pytest.approx([0.5 * 48 / 16, 0.4 * 48 / 32], rel=1e-3)
    assert np.sum(amplitudes**2 * [16, 32]) == pytest.approx(0.9 * 48, rel=1e-3)


def test_shares_that_add_up_to_one_in_decimals_are_permitted():
    thirds = [dict(PROMPT, power=1 / 3)]
    thirds += [dict(EDGES, stream_id=n, carriers=4, power=1 / 3) for n in (1, 2)]
    assert sum(band.power for band in BandTable.from_list(thirds).bands) <= 1
    tenths = [dict(PROMPT, power=0.7), dict(EDGES, power=0.1 + 0.2)]
    assert len(BandTable.from_list(tenths).bands) == 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"carriers": 0}, "carriers of the prompt's band is 0, permitted: 1 to 1023"),
        ({"carriers": 2.0}, "carriers of the prompt's band is 2.0"),
        ({"carriers": True}, "carriers of the prompt's band is True"),
        ({"power": 0.0}, "power of the prompt's band is 0, permitted: 1/65536 to 1"),
        ({"power": -0.1}, "power of the prompt's band is -0.1"),
        ({"power": float("nan")}, "power of the prompt's band is nan"),
        ({"power": 1.01}, "power of the prompt's band is 1.01"),
        ({"power": "all"}, "power of the prompt's band is 'all'"),
        ({"bits_per_symbol": 3}, "bits_per_symbol of the prompt's band is 3, permitted: 1, 2, 4"),
        ({"bits_per_symbol": 0}, "bits_per_symbol of the prompt's band is 0, permitted: 1, 2, 4"),
        ({"bits_per_symbol": "4"}, "bits_per_symbol of the prompt's band is '4'"),
        ({"stream_id": 3}, "the first band is that of stream 3"),
        ({"stream_id": 256}, "stream_id of a band is 256, permitted: 0 to 255"),
        ({"power": 0.61}, "power of the bands is 1.0"),
        ({"name": 1}, "band 0 is no table of stream_id, carriers, power, bits_per_symbol"),
    ],
)
def test_a_bad_band_is_named(changes, text):
    with pytest.raises(ConfigError, match=text.replace(".", r"\.")):
        BandTable.from_list([PROMPT | changes, EDGES])


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([], "0 bands, permitted: 1 to 17"),
        ("prompt", "bands are str"),
        (None, "bands are NoneType"),
        ([PROMPT, 5], "band 1 is no table"),
        ([PROMPT, PROMPT], "the prompt has two bands"),
        ([PROMPT, EDGES, EDGES | {"power": 0.05}], r"\(3, 3\), permitted: each once"),
        ([PROMPT, EDGES | {"bits_per_symbol": 10}], "of the band of 3 is 10, permitted: 0, 1, 2"),
        ([PROMPT] + [EDGES | {"stream_id": n, "power": 0.01} for n in range(17)], "18 bands"),
    ],
)
def test_a_bad_list_is_named(entries, text):
    with pytest.raises(ConfigError, match=text):
        BandTable.from_list(entries)


def test_carriers_must_be_there():
    table = BandTable.from_list([PROMPT, EDGES | {"carriers": 33}])
    with pytest.raises(ConfigError, match="49 carriers in all, permitted: up to 48"):
        table.check(NUM)
    assert table.check(Numerology(128, 32, 104, 8)) is table


def test_bands_are_contiguous_from_the_lowest_carrier_and_never_touch_a_pilot():
    index = band_index(NUM, (16, 30))
    together = np.concatenate(index)
    assert np.array_equal(together, NUM.data_index[:46])
    assert not set(together) & set(NUM.comb_index)
    assert index[0].max() < index[1].min()


def test_snr_of_a_band_is_the_mean_over_its_carriers_before_its_power():
    table = BandTable.from_list([PROMPT, EDGES])
    response = np.ones(NUM.n_used, np.complex64)
    first, second = band_index(NUM, table.carriers)
    response[first[:8]], response[first[8:]], response[second] = 1j, 3.0, 0.5
    found = band_snr_db(response, 0.01, table, NUM)
    assert found == pytest.approx([10 * np.log10(500), 10 * np.log10(25)], abs=1e-4)


# -- damage ------------------------------------------------------------------------------


def example():
    table = BandTable.from_list([PROMPT, EDGES, EDGES | {"stream_id": 4, "power": 0.1}])
    return FrameHeader(1, 2, 100, 2, bands=table, band_chunks=((7, 800), (9, 900)))


def test_every_flipped_bit_and_every_cut_is_refused():
    data = example().to_bytes()
    number = int.from_bytes(data, "big")
    for bit in range(8 * len(data)):
        with pytest.raises(LinkError):
            FrameHeader.from_bytes((number ^ 1 << bit).to_bytes(len(data), "big"))
    for length in range(len(data)):
        with pytest.raises(LinkError):
            FrameHeader.from_bytes(data[:length])
    with pytest.raises(LinkError):
        FrameHeader.from_bytes(data + b"\0")


@given(st.binary(min_size=35, max_size=35))
def test_noise_behind_a_good_header_is_no_table(noise):
    head = example().head_bytes()
    assert table_bytes_after(head) == 21
    with pytest.raises(LinkError):
        FrameHeader.from_bytes(head + noise[:21])
    with pytest.raises(LinkError):
        FrameHeader.from_bytes(noise)


@given(st.binary(min_size=19, max_size=19))
def test_noise_under_a_right_crc_is_a_permitted_table_or_refused(noise):
    data = example().head_bytes() + noise + crc16_ccitt(noise).to_bytes(2, "big")
    try:
        header = FrameHeader.from_bytes(data)
    except LinkError as error:
        assert "\n" not in str(error)
        return
    assert header.to_bytes() == data
    assert sum(band.power for band in header.bands.bands) <= 1 + 1e-9


@given(st.binary(max_size=100))
def test_a_table_of_random_bytes_is_refused_or_comes_back(data):
    try:
        table = BandTable.from_bytes(data)
    except LinkError:
        return
    assert table.to_bytes() == data


def test_a_header_holds_either_bands_or_a_stream_of_its_own():
    good = example()
    for changes in (
        {"stream_id": 1},
        {"analog_symbols": 1},
        {"end": True},
        {"ack": True},
        {"band_chunks": ((0, 1),)},
        {"band_chunks": ((0, 1), (1 << 24, 1))},
        {"band_chunks": ((0, 1), (0, 1 << 16))},
        {"bits_per_symbol": 4},
        {"bands": None},
    ):
        with pytest.raises(ConfigError):
            replace(good, **changes)


def test_too_many_streams_in_a_header_are_refused():
    body = bytearray(example().head_bytes()[:-2])
    body[8] = MAX_BANDS
    with pytest.raises(LinkError, match="17 streams in bands, permitted: 0 to 16"):
        table_bytes_after(bytes(body) + crc16_ccitt(bytes(body)).to_bytes(2, "big"))
