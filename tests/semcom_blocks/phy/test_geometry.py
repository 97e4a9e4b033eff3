# SPDX-License-Identifier: GPL-3.0-or-later
"""Geometry: every cell has one purpose, and the gather undoes what interleaving did."""

import numpy as np
import pytest

from semcom_blocks.phy.geometry import frame_geometry
from semcom_blocks.phy.interleave import interleave
from semcom_blocks.phy.numerology import Numerology

FAMILY = [Numerology(), Numerology(block_period=4, n_comb=8), Numerology(128, 32, 104, 8)]
LENGTHS = [0, 1, 15, 16, 17, 100]


@pytest.mark.parametrize("num", FAMILY, ids=lambda num: f"{num.fft_size}-{num.block_period}")
@pytest.mark.parametrize("n_data_symbols", LENGTHS)
def test_every_cell_has_one_purpose(num, n_data_symbols):
    geometry = frame_geometry(num, n_data_symbols)
    shape = geometry.n_symbols, num.n_used
    uses = np.zeros(shape, int)
    uses[geometry.known_rows] += 1
    uses.reshape(-1)[geometry.comb_cells] += 1
    uses.reshape(-1)[geometry.payload_cells] += 1
    assert np.all(uses == 1)
    assert len(geometry.data_rows) == n_data_symbols
    assert geometry.known_rows[: geometry.n_header].tolist() == list(range(geometry.n_header))


@pytest.mark.parametrize("n_data_symbols", LENGTHS)
def test_payload_is_gathered_in_order(n_data_symbols):
    num = FAMILY[0]
    geometry = frame_geometry(num, n_data_symbols)
    symbols = np.exp(1j * np.arange(geometry.n_cells)).astype(np.complex64)
    grid = np.zeros((geometry.n_symbols, num.n_used), np.complex64)
    cells = interleave(symbols).reshape(-1, num.n_data)
    grid[geometry.data_rows[:, None], num.data_index] = cells
    gathered = grid.reshape(-1)[geometry.payload_cells] * geometry.unwhitening
    np.testing.assert_allclose(gathered, symbols, atol=1e-6)
    columns = geometry.payload_cells % num.n_used
    np.testing.assert_array_equal(geometry.payload_carriers, columns)


def test_frames_of_equal_length_share_their_geometry():
    assert frame_geometry(Numerology(), 30) is frame_geometry(Numerology(), 30)
    assert frame_geometry(Numerology(), 30) is not frame_geometry(Numerology(), 31)
