# SPDX-License-Identifier: GPL-3.0-or-later
"""What a receiver knows of a frame, as far as it has read its header."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from semcom_blocks.phy.band_geometry import table_cells
from semcom_blocks.phy.geometry import Geometry, frame_geometry, pilot_values
from semcom_blocks.phy.header import coded_cells, coded_symbols, table_bytes_after
from semcom_blocks.phy.known import KnownCells
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import preamble_len


class KnownLayout:
    """What a receiver knows of a frame whose header it has read: rows, pilots, header cells.

    Subclasses have ``numerology`` and say what header and ``geometry`` are.
    """

    numerology: Numerology

    def head_bytes(self) -> bytes:
        """The header as it is on the air."""
        raise NotImplementedError

    @property
    def geometry(self) -> Geometry:
        """Rows and columns, shared by all frames of this length."""
        raise NotImplementedError

    @property
    def n_header(self) -> int:
        """Header symbols."""
        return self.geometry.n_header

    @property
    def block_mask(self) -> np.ndarray:
        """True for the payload symbols that consist of pilots, bool (n_payload,)."""
        return self.geometry.block_mask

    @property
    def n_symbols(self) -> int:
        """Header and payload symbols."""
        return self.geometry.n_symbols

    @property
    def n_cells(self) -> int:
        """Data cells of the payload, pad included."""
        return self.geometry.n_cells

    @property
    def n_samples(self) -> int:
        """Samples of the whole frame with its preamble."""
        return preamble_len(self.numerology) + self.n_symbols * self.numerology.symbol_len

    @property
    def data_rows(self) -> np.ndarray:
        """Grid rows of the payload's data symbols, int64."""
        return self.geometry.data_rows

    @cached_property
    def known(self) -> np.ndarray:
        """Cells that a receiver knows from the header on, bool (n_symbols, n_used)."""
        mask = np.zeros((self.n_symbols, self.numerology.n_used), bool)
        mask[:, self.numerology.comb_index] = True
        mask[self.geometry.known_rows] = True
        return mask

    @cached_property
    def reference(self) -> np.ndarray:
        """Pilot and header values, complex64 (n_symbols, n_used); pilot values elsewhere too."""
        grid = pilot_values(self.numerology, self.n_symbols).copy()
        self._write_header(grid)
        return grid

    @cached_property
    def known_cells(self) -> KnownCells:
        """The values of :attr:`reference` where the cells are known, and nothing else."""
        rows = self.geometry.row_pilots.copy()
        self._write_header(rows)
        return KnownCells(rows, self.geometry.comb_pilots)

    def select(self, grid: np.ndarray) -> KnownCells:
        """The known cells of a received grid (n_symbols, n_used)."""
        geometry = self.geometry
        rows = grid.take(geometry.known_rows, axis=0)
        return KnownCells(rows, grid.reshape(-1).take(geometry.comb_cells))

    def _write_header(self, rows: np.ndarray) -> None:
        num, n_header = self.numerology, self.n_header
        cells = coded_cells(self.head_bytes(), num).reshape(n_header, num.n_data)
        rows[:n_header, num.data_index] = cells


@dataclass(frozen=True)
class TableLayout(KnownLayout):
    """The part of a frame from which its band table is read, known from the header alone.

    ``head`` is a valid header that announces a table.
    """

    numerology: Numerology
    head: bytes

    def head_bytes(self) -> bytes:
        """The header as it is on the air."""
        return self.head

    @cached_property
    def n_table(self) -> int:
        """OFDM symbols of the table."""
        return coded_symbols(table_bytes_after(self.head), self.numerology)

    @cached_property
    def geometry(self) -> Geometry:
        """As if the payload ended with the table."""
        return frame_geometry(self.numerology, self.n_table)

    @property
    def table_cells(self) -> np.ndarray:
        """Where the cells of the table lie in the flattened grid, int64."""
        return table_cells(self.geometry, self.n_table)
