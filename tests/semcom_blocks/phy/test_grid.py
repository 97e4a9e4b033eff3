# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of a frame over all payload sizes and numerologies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import coding
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.interleave import deinterleave
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology
from semcom_blocks.phy.qam import BITS_PER_SYMBOL

numerologies = st.sampled_from(
    [
        Numerology(),
        Numerology(n_comb=2, block_period=4),
        Numerology(128, 32, 104, 8),
        Numerology(256, 16, 240, 16, 1024),
        Numerology(n_used=16),
    ]
)
headers = st.builds(
    FrameHeader,
    job_id=st.just(1),
    seq=st.integers(0, 0xFFFF),
    digital_bytes=st.integers(0, 300),
    bits_per_symbol=st.sampled_from(BITS_PER_SYMBOL),
    analog_symbols=st.integers(0, 5000),
)
layouts = st.builds(FrameLayout, numerologies, headers)


@given(layouts)
def test_cells_are_enough_and_no_symbol_is_wasted(layout):
    need = layout.n_digital + layout.header.analog_symbols
    assert 0 <= layout.n_cells - need < layout.numerology.n_data
    assert layout.n_digital * layout.header.bits_per_symbol >= (
        coding.coded_length(8 * layout.header.digital_bytes) if layout.header.digital_bytes else 0
    )


@given(layouts)
def test_every_cell_is_either_known_or_data(layout):
    data = np.zeros_like(layout.known)
    data[layout.data_rows[:, None], layout.numerology.data_index] = True
    assert np.array_equal(data, ~layout.known)
    assert np.count_nonzero(data) == layout.n_cells
    assert layout.known[: layout.n_header].all()
    assert layout.known[:, layout.numerology.comb_index].all()


@given(layouts)
def test_references_have_unit_power(layout):
    assert layout.reference.shape == (layout.n_symbols, layout.numerology.n_used)
    np.testing.assert_allclose(np.abs(layout.reference), 1.0, rtol=1e-5)


@given(layouts)
def test_block_pilots_come_once_a_period_from_its_middle_on(layout):
    period, rows = layout.numerology.block_period, np.flatnonzero(layout.block_mask)
    assert np.array_equal(rows, period // 2 + period * np.arange(len(rows)))
    assert len(rows) >= len(layout.block_mask) // period
    # The last symbol carries data: a frame never ends in pilots that nobody needs.
    assert not len(layout.block_mask) or not layout.block_mask[-1]


@given(layouts, st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_payload_stands_where_the_receiver_looks(layout, seed):
    header, num = layout.header, layout.numerology
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, header.analog_symbols))
    analog = (parts[0] + 1j * parts[1]).astype(np.complex64)
    grid = build_grid(layout, rng.bytes(header.digital_bytes), analog)
    assert grid.dtype == np.complex64
    assert np.array_equal(grid[layout.known], layout.reference[layout.known])
    cells = deinterleave(grid[layout.data_rows[:, None], num.data_index].reshape(-1))
    np.testing.assert_allclose(cells[layout.n_digital :][: len(analog)], analog, atol=1e-5)
    np.testing.assert_allclose(cells[layout.n_digital + len(analog) :], 1.0, atol=1e-5)
    assert len(modulate(grid, num)) == layout.n_samples


def test_headers_of_the_same_size_leave_the_pilots_alone():
    layouts = [FrameLayout(Numerology(), FrameHeader(1, seq, 50, 2, 0, 500)) for seq in (0, 9)]
    for rows in (layouts[0].data_rows, np.flatnonzero(layouts[0].block_mask)):
        assert np.array_equal(layouts[0].reference[rows], layouts[1].reference[rows])


@pytest.mark.parametrize(
    ("n_bytes", "n_analog"), [(49, 500), (51, 500), (50, 499), (0, 500), (50, 0)]
)
def test_payload_that_the_header_does_not_announce_is_refused(n_bytes, n_analog):
    layout = FrameLayout(Numerology(), FrameHeader(1, 1, 50, 2, 0, 500))
    with pytest.raises(ConfigError, match=f"{n_bytes} bytes and {n_analog} symbols"):
        build_grid(layout, bytes(n_bytes), np.ones(n_analog, np.complex64))


def test_a_frame_longer_than_the_receiver_holds_is_refused():
    num = Numerology(n_used=16)
    with pytest.raises(ConfigError, match=f"permitted: 1 to {MAX_FRAME_SAMPLES}"):
        FrameLayout(num, FrameHeader(1, 1, analog_symbols=0xFFFF))
    longest = Numerology()
    assert (
        FrameLayout(longest, FrameHeader(1, 1, analog_symbols=0xFFFF)).n_samples
        <= MAX_FRAME_SAMPLES
    )
