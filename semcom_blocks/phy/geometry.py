# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cells of a frame lie: the same for every frame of equal length.

Most of what a receiver needs to know about a frame's cells follows from the
numerology and the number of data symbols alone, so it is worked out once and kept.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from semcom_blocks.phy.header import header_symbols
from semcom_blocks.phy.interleave import permutation, whitening
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.pn import pn_qpsk

#: Bit of the pseudo-noise sequence at which the pilots start.
PILOT_OFFSET = 12007
#: Lengths of frames that are remembered: the longest takes 2 MB.
REMEMBERED = 16


def pilot_values(numerology: Numerology, n_symbols: int) -> np.ndarray:
    """Pilot value of every cell, complex64 (n_symbols, n_used)."""
    n_used = numerology.n_used
    return pn_qpsk(n_symbols * n_used, PILOT_OFFSET).reshape(n_symbols, n_used)


@dataclass(frozen=True)
class Geometry:
    """Rows, columns and pilots of frames with ``n_data_symbols`` payload symbols that hold data."""

    numerology: Numerology
    n_data_symbols: int

    @cached_property
    def block_mask(self) -> np.ndarray:
        """True for block-pilot symbols among the payload symbols, bool (n_payload,).

        Block pilots stand in the middle of each period, so a payload shorter than
        half a period has none and the others have one near each end.
        """
        n, period = self.n_data_symbols, self.numerology.block_period
        index = np.arange(n + n // (period - 1) + 2)
        is_block = index % period == period // 2
        length = int(np.searchsorted(np.cumsum(~is_block), n)) + 1
        mask = is_block[: length if n else 0]
        mask.setflags(write=False)
        return mask

    @cached_property
    def n_header(self) -> int:
        """Header symbols."""
        return header_symbols(self.numerology)

    @cached_property
    def n_symbols(self) -> int:
        """Header and payload symbols."""
        return self.n_header + len(self.block_mask)

    @cached_property
    def n_cells(self) -> int:
        """Data cells of the payload, pad included."""
        return self.n_data_symbols * self.numerology.n_data

    @cached_property
    def data_rows(self) -> np.ndarray:
        """Grid rows of the payload's data symbols, int64 (n_data_symbols,)."""
        return self.n_header + np.flatnonzero(~self.block_mask)

    @cached_property
    def known_rows(self) -> np.ndarray:
        """Grid rows that a receiver knows on every carrier: header first, block pilots, int64."""
        blocks = self.n_header + np.flatnonzero(self.block_mask)
        return np.concatenate([np.arange(self.n_header), blocks])

    @cached_property
    def comb_cells(self) -> np.ndarray:
        """Comb pilots of the data symbols in the flattened grid, int64 (n_comb, n_data_symbols)."""
        return self.data_rows * self.numerology.n_used + self.numerology.comb_index[:, None]

    @cached_property
    def comb_pilots(self) -> np.ndarray:
        """Their values, complex64 (n_comb, n_data_symbols)."""
        return pilot_values(self.numerology, self.n_symbols).reshape(-1)[self.comb_cells]

    @cached_property
    def row_pilots(self) -> np.ndarray:
        """Pilot values of the known rows, complex64 (n_known_rows, n_used); header cells too."""
        return pilot_values(self.numerology, self.n_symbols)[self.known_rows]

    @cached_property
    def payload_cells(self) -> np.ndarray:
        """Where each payload symbol lies in the flattened grid, int64 (n_cells,)."""
        cells = self.data_rows[:, None] * self.numerology.n_used + self.numerology.data_index
        return cells.reshape(-1)[permutation(self.n_cells)]

    @cached_property
    def payload_carriers(self) -> np.ndarray:
        """Position within the used carriers of each payload symbol, int64 (n_cells,)."""
        num = self.numerology
        return num.data_index[permutation(self.n_cells) % num.n_data]

    @cached_property
    def unwhitening(self) -> np.ndarray:
        """What takes the whitening off each payload symbol, complex64 (n_cells,)."""
        return np.conj(whitening(self.n_cells))


@lru_cache(maxsize=REMEMBERED)
def frame_geometry(numerology: Numerology, n_data_symbols: int) -> Geometry:
    """The geometry of frames with so many data symbols, shared by all of them."""
    return Geometry(numerology, n_data_symbols)
