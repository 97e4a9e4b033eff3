# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cells of each band lie; as :mod:`semcom_blocks.phy.geometry`, worked out once and kept.

The first data symbols of the payload hold the band table, on all data carriers; in the others
every band has its own columns, within which its symbols are interleaved.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from semcom_blocks.phy.bands import band_index
from semcom_blocks.phy.geometry import REMEMBERED, Geometry, frame_geometry
from semcom_blocks.phy.interleave import permutation, whitening
from semcom_blocks.phy.numerology import Numerology


@dataclass(frozen=True)
class UsedCells:
    """The cells that carry something, one after another: ``cells`` int64 (n,) in the flattened
    grid, ``carriers`` int64 (n,) within the used carriers, ``unwhitening`` complex64 (n,)."""

    cells: np.ndarray
    carriers: np.ndarray
    unwhitening: np.ndarray


@dataclass(frozen=True)
class BandGeometry:
    """Cells of frames whose bands have ``carriers`` and ``n_rows`` symbols behind the table's."""

    numerology: Numerology
    carriers: tuple[int, ...]
    n_table: int
    n_rows: int

    @cached_property
    def geometry(self) -> Geometry:
        """Rows and columns of the whole frame."""
        return frame_geometry(self.numerology, self.n_table + self.n_rows)

    @cached_property
    def rows(self) -> np.ndarray:
        """Grid rows in which the bands lie, int64 (n_rows,)."""
        return self.geometry.data_rows[self.n_table :]

    @cached_property
    def index(self) -> tuple[np.ndarray, ...]:
        """Positions of each band's carriers within the used carriers, int64 (n_b,) each."""
        return band_index(self.numerology, self.carriers)

    @cached_property
    def cells(self) -> tuple[np.ndarray, ...]:
        """Where each symbol of each band lies in the flattened grid, int64 (n_rows · n_b,) each."""
        columns = (self.rows[:, None] * self.numerology.n_used + index for index in self.index)
        return tuple(cells.reshape(-1)[permutation(cells.size)] for cells in columns)

    @cached_property
    def whitening(self) -> tuple[np.ndarray, ...]:
        """Quarter turns of each band's symbols, complex64 (n_rows · n_b,) each."""
        edges = np.cumsum([self.n_rows * n for n in self.carriers])
        return tuple(np.split(whitening(int(edges[-1])), edges[:-1]))

    @cached_property
    def silent(self) -> np.ndarray:
        """Cells on data carriers of no band, int64 (n,)."""
        index = self.numerology.data_index[sum(self.carriers) :]
        return (self.rows[:, None] * self.numerology.n_used + index).reshape(-1)


def table_cells(geometry: Geometry, n_table: int) -> np.ndarray:
    """Where the cells of the band table lie in the flattened grid, int64 (n_table · n_data,)."""
    num = geometry.numerology
    return (geometry.data_rows[:n_table, None] * num.n_used + num.data_index).reshape(-1)


@lru_cache(maxsize=REMEMBERED)
def band_geometry(
    numerology: Numerology, carriers: tuple[int, ...], n_table: int, n_rows: int
) -> BandGeometry:
    """The geometry of such frames, shared by all of them."""
    return BandGeometry(numerology, carriers, n_table, n_rows)


@lru_cache(maxsize=REMEMBERED)
def used_cells(geometry: BandGeometry, counts: tuple[int, ...]) -> UsedCells:
    """The cells of frames whose bands carry ``counts`` symbols each."""
    pairs = list(zip(geometry.cells, counts, strict=True))
    cells = np.concatenate([band[:count] for band, count in pairs])
    turns = [band[:count] for band, count in zip(geometry.whitening, counts, strict=True)]
    carriers = cells % geometry.numerology.n_used
    return UsedCells(cells, carriers, np.conj(np.concatenate(turns)))
