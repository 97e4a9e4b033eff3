# SPDX-License-Identifier: GPL-3.0-or-later
"""The known cells of a frame, packed: in a long frame they are one in eight.

Tracking and channel estimation look at nothing else, so they work on these two small
arrays rather than on the grid and a mask over it.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class KnownCells:
    """Cells whose sent values a receiver knows, or those values themselves.

    ``rows`` complex64 (n_rows, n_used) are the symbols known on every carrier (long
    field, header, block pilots); ``comb`` complex64 (n_comb, n_others) are the comb
    pilots of the other symbols, a row per comb carrier.
    """

    rows: np.ndarray
    comb: np.ndarray

    def below(self, rows: np.ndarray) -> "KnownCells":
        """The same with further known symbols on top, (n, n_used)."""
        return KnownCells(np.concatenate([rows, self.rows]), self.comb)

    def flat(self) -> np.ndarray:
        """All of them in one row, complex64."""
        return np.concatenate([self.rows.reshape(-1), self.comb.reshape(-1)])


def pack(grid: np.ndarray, known: np.ndarray) -> KnownCells | None:
    """The cells of ``grid`` (m, n_used) that the bool mask ``known`` marks.

    Symbols that are not marked throughout must all be marked on the same carriers;
    None if they are not.
    """
    whole = known.all(axis=1)
    others = known[~whole]
    comb = others.any(axis=0)
    if np.count_nonzero(others) != len(others) * np.count_nonzero(comb):
        return None
    return KnownCells(grid[whole], np.ascontiguousarray(grid[~whole][:, comb].T))
