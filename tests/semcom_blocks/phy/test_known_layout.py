# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a frame once its header is read is what the whole frame then has there."""

import numpy as np
import pytest

from semcom_blocks.phy.band_geometry import table_cells
from semcom_blocks.phy.bands import Band, BandTable
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.header import FrameHeader, coded_cells
from semcom_blocks.phy.known_layout import TableLayout
from semcom_blocks.phy.numerology import Numerology

NUMEROLOGIES = [
    Numerology(),
    Numerology(block_period=4),
    Numerology(n_used=16, n_comb=2),
    Numerology(256, 64, 208, 16),
]


def banded(n_streams, symbols):
    bands = [Band(n, 1, 0.05, 4) for n in range(n_streams)]
    table = BandTable((Band(None, 1, 0.1, 2), *bands))
    return FrameHeader(1, 2, 9, bands=table, band_chunks=((0, symbols),) * n_streams)


@pytest.mark.parametrize("num", NUMEROLOGIES, ids=str)
@pytest.mark.parametrize(("n_streams", "symbols"), [(0, 0), (1, 0), (1, 200), (6, 20)])
def test_the_table_lies_where_the_header_alone_says(num, n_streams, symbols):
    header = banded(n_streams, symbols)
    part, whole = TableLayout(num, header.head_bytes()), FrameLayout(num, header)
    assert part.n_table == whole.bands.n_table
    assert np.array_equal(part.table_cells, table_cells(whole.geometry, part.n_table))
    n = part.n_symbols
    assert n <= whole.n_symbols
    # Symbols of pilots may follow the last of the table; the others are the same throughout.
    assert np.array_equal(part.known, whole.known[:n])
    assert np.array_equal(part.reference[part.known], whole.reference[:n][whole.known[:n]])
    assert np.array_equal(
        part.known_cells.rows, whole.known_cells.rows[: len(part.known_cells.rows)]
    )


def test_known_cells_are_those_of_the_reference():
    header, num = banded(2, 100), Numerology()
    layout = TableLayout(num, header.head_bytes())
    selected = layout.select(layout.reference)
    assert np.array_equal(selected.flat(), layout.known_cells.flat())
    cells = layout.reference[: layout.n_header, num.data_index].reshape(-1)
    assert np.array_equal(cells, coded_cells(header.head_bytes(), num))
