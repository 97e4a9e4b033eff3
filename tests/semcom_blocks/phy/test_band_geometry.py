# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells of frames in bands: every one used once, and those of a band on its carriers alone."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.band_geometry import table_cells
from semcom_blocks.phy.bands import Band, BandTable
from semcom_blocks.phy.equalizer import equalize_frame
from semcom_blocks.phy.grid import FrameLayout, most_rows, require_room
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology
from semcom_blocks.phy.payload import extract

NUM = Numerology()
TWO = BandTable((Band(None, 12, 0.3, 2), Band(1, 30, 0.6, 6)))
SMALL = BandTable((Band(None, 3, 0.3, 2), Band(1, 9, 0.6, 6)))
ALONE = BandTable((Band(None, 24, 0.5, 4),))
MANY = BandTable((Band(None, 4, 0.2, 1), *[Band(n, 3, 0.05, 4) for n in range(1, 13)]))


def header(table, counts, digital=0, **fields):
    chunks = tuple((0, count) for count in counts)
    bits = table.bands[0].bits_per_symbol
    return FrameHeader(1, 1, digital, bits, bands=table, band_chunks=chunks, **fields)


@pytest.mark.parametrize(
    ("table", "counts", "digital"),
    [
        *((TWO, [500], 60), (TWO, [0], 60), (TWO, [7], 0), (TWO, [0], 0)),
        *((ALONE, [], 100), (MANY, range(0, 120, 10), 20)),
    ],
)
def test_every_payload_cell_has_one_use(table, counts, digital):
    layout = FrameLayout(NUM, header(table, counts, digital))
    bands, uses = layout.bands, np.zeros((layout.n_symbols, NUM.n_used), int)
    flat = uses.reshape(-1)
    flat[table_cells(layout.geometry, bands.n_table)] += 1
    for cells in (*bands.cells, bands.silent):
        flat[cells] += 1
    uses[layout.known] += 1
    assert np.all(uses == 1)
    needs = [-(-n // b.carriers) for n, b in zip(layout.band_counts, table.bands, strict=True)]
    assert bands.n_rows == max(needs)
    for cells, index in zip(bands.cells, bands.index, strict=True):
        assert set(cells % NUM.n_used) <= set(index)
        assert len(cells) == bands.n_rows * len(index)


@pytest.mark.parametrize("table", [TWO, ALONE, MANY])
def test_each_band_has_its_share_of_the_power(make_link, table):
    link = make_link(1)
    sent = link.banded(table, [3000 // len(table.bands)] * len(table.stream_ids), 200)
    flat, bands = sent.grid.reshape(-1), sent.layout.bands
    for cells, band in zip(bands.cells, table.bands, strict=True):
        energy = np.sum(np.abs(flat[cells]) ** 2) / bands.n_rows
        assert energy == pytest.approx(band.power * NUM.n_data, rel=0.06)
    assert not flat[bands.silent].any()
    known = np.abs(sent.grid[sent.layout.known])
    assert known == pytest.approx(np.ones(known.size), abs=1e-5)


@given(
    st.sampled_from([TWO, ALONE, MANY]),
    st.integers(0, 250),
    st.lists(st.integers(0, 400), min_size=12, max_size=12),
    st.sampled_from(["zf", "mmse"]),
)
def test_a_grid_comes_back_from_a_channel_without_noise(make_link, table, digital, counts, method):
    link = make_link(digital)
    sent = link.banded(table, counts[: len(table.stream_ids)], digital)
    response = link.response(link.rayleigh((0.6, 0.3, 0.1)))
    equalized = equalize_frame(sent.grid * response, response, 1e-9, sent.layout, method)
    payload = extract(equalized, sent.layout)
    assert payload.digital == sent.digital
    assert payload.noise_var.shape == payload.analog.shape
    np.testing.assert_allclose(payload.analog, sent.analog, atol=1e-3)


def test_silent_frames_of_a_band_keep_its_power(link):
    """A frame without a packet has as much power in the prompt's band as one with it."""
    with_packet, without = (link.banded(TWO, [3000], n) for n in (200, 0))
    energies = []
    for sent in (with_packet, without):
        cells = sent.layout.bands.cells[0]
        energies.append(np.mean(np.abs(sent.grid.reshape(-1)[cells]) ** 2))
    assert energies[0] == pytest.approx(energies[1], rel=1e-3)


def test_frames_without_bands_are_what_they_were(make_link):
    """Golden: the grid of a frame of one payload, as earlier programs made it."""
    sent = make_link(11).frame(5, 700, 90, 4)
    cells = np.round(sent.grid * 2**12).view(np.float32).astype("<i4")
    assert hashlib.sha256(cells.tobytes()).hexdigest() == GOLDEN


GOLDEN = "762be10814b704b27bd2ee41092cb0b657523d02195c69c8c80393e670be9d64"


# -- limits ------------------------------------------------------------------------------


def test_bands_beyond_the_carriers_are_no_layout():
    with pytest.raises(ConfigError, match="49 carriers in all"):
        FrameLayout(NUM, header(BandTable((Band(None, 49, 1, 2),)), []))


@pytest.mark.parametrize(
    ("num", "table"),
    [
        (NUM, TWO),
        (NUM, SMALL),
        (Numerology(1024, 512, 800, 32), TWO),
        (Numerology(n_used=16), SMALL),
    ],
)
def test_the_longest_frame_of_bands_just_fits(num, table):
    rows, carriers = most_rows(table, num), table.carriers[1]
    fits = min(rows * carriers, 0xFFFF)
    longest = FrameLayout(num, header(table, [fits]))
    assert longest.bands.n_rows * carriers >= fits
    assert longest.n_samples <= MAX_FRAME_SAMPLES
    if (rows + 1) * carriers <= 0xFFFF:
        with pytest.raises(ConfigError, match="samples"):
            FrameLayout(num, header(table, [rows * carriers + 1]))


def test_a_prompt_band_too_narrow_for_a_packet_is_named():
    narrow = BandTable((Band(None, 2, 0.3, 1), Band(1, 30, 0.6, 6)))
    with pytest.raises(ConfigError, match="prompt's band is 2, permitted: 3 to 48"):
        require_room(narrow, 256, NUM)
    require_room(BandTable((Band(None, 3, 0.3, 1), Band(1, 30, 0.6, 6))), 256, NUM)
    require_room(TWO, 256, NUM)
