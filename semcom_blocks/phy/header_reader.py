# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what follows a long field: the header, and the band table where it announces one.

The header is read with the long field's channel and its own comb pilots.  It then serves as
pilots itself, by which the table is read: that may be long, and phase and timing drift on.
"""

from cmath import phase
from functools import lru_cache

import numpy as np

from semcom_blocks.phy.demodulator import frame_grid
from semcom_blocks.phy.estimators import estimate_known, estimate_long
from semcom_blocks.phy.geometry import pilot_values
from semcom_blocks.phy.header import (
    HEADER_BYTES,
    FrameHeader,
    decode_cells,
    header_symbols,
    table_bytes_after,
)
from semcom_blocks.phy.known_layout import TableLayout
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import sloped_phasors, unit_phasor
from semcom_blocks.phy.preamble import long_field
from semcom_blocks.phy.tracking import dominant_frequency, track

#: Turn from symbol to symbol, in cycles, that the long field's CFO may leave: the worst of
#: 10,000 faded frames at 0 dB left 0.13.  A wider search would only find more noise.
MAX_HEADER_TURN = 0.15


def read_head(samples: np.ndarray, cfo_hz: float, numerology: Numerology) -> tuple[bytes, float]:
    """Decode the header that follows a long field, as bytes whose CRC is not yet checked.

    ``samples`` complex64 start at the window of the first long symbol.  Also returns the CFO
    refined by the header's comb pilots.
    """
    num = numerology
    n_header = header_symbols(num)
    long, grid = frame_grid(samples, n_header, cfo_hz, num)
    channel = estimate_long(long, num)
    grid *= np.conj(channel.response)  # matched filter
    steady = (grid[:, num.comb_index] * _comb_conjugates(num)).sum(axis=1)
    rate = dominant_frequency(steady, MAX_HEADER_TURN)
    turn = 2 * np.pi * rate * np.arange(n_header)
    turn += phase((steady * unit_phasor(-turn)).sum())
    grid *= unit_phasor(-turn)[:, None]
    cells = grid[:, num.data_index].reshape(-1)
    head = decode_cells(cells, np.float32(1.0 / channel.noise_var), HEADER_BYTES)
    return head, cfo_hz + rate * num.sample_rate_hz / num.symbol_len


def read_table(
    samples: np.ndarray, head: bytes, cfo_hz: float, numerology: Numerology
) -> FrameHeader:
    """Decode the band table that a header announces, with the header itself as pilots.

    ``samples`` as for :func:`read_head`, ``cfo_hz`` as it returned.  Raises :class:`LinkError`.
    """
    num, layout = numerology, TableLayout(numerology, head)
    long, grid = frame_grid(samples, layout.n_symbols, cfo_hz, num)
    followed = track(grid, estimate_long(long, num).response, layout)
    grid *= sloped_phasors(-followed.phase, -followed.slope, num.carriers)
    long *= unit_phasor(-(followed.long_phase + followed.long_slope * num.carriers))
    received, sent = layout.select(grid).below(long), layout.known_cells.below(long_field(num))
    channel = estimate_known(received, sent, num)
    cells = (grid * np.conj(channel.response)).reshape(-1).take(layout.table_cells)
    weight = np.float32(1.0 / channel.noise_var)
    return FrameHeader.from_bytes(head + decode_cells(cells, weight, table_bytes_after(head)))


def read_header(
    samples: np.ndarray, cfo_hz: float, numerology: Numerology
) -> tuple[FrameHeader, float]:
    """Decode the header that follows a long field, with its band table where it has one.

    ``samples`` and the CFO as for :func:`read_head`; raises :class:`LinkError`.
    """
    head, cfo_hz = read_head(samples, cfo_hz, numerology)
    if table_bytes_after(head):
        return read_table(samples, head, cfo_hz, numerology), cfo_hz
    return FrameHeader.from_bytes(head), cfo_hz


@lru_cache(maxsize=16)
def _comb_conjugates(numerology: Numerology) -> np.ndarray:
    """Conjugates of the header's comb pilots, complex64 (n_header, n_comb)."""
    pilots = pilot_values(numerology, header_symbols(numerology))
    return np.conj(pilots[:, numerology.comb_index])
