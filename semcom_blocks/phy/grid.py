# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource grid of a frame: which cell of which symbol carries what.

    symbol   0 … H−1   header: comb pilots + coded header
             H … end   payload: comb pilots + data; every block_period-th all pilots

The data cells of the payload hold, interleaved, the digital symbols (coded
prompt packet), the analog symbols and a pad of known values.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil

import numpy as np

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import coding, qam
from semcom_blocks.phy.geometry import Geometry, frame_geometry, pilot_values
from semcom_blocks.phy.header import FrameHeader, header_cells
from semcom_blocks.phy.interleave import whitening
from semcom_blocks.phy.known import KnownCells
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology
from semcom_blocks.phy.preamble import preamble_len


@dataclass(frozen=True)
class FrameLayout:
    """Where everything of a frame lies; follows from numerology and header alone."""

    numerology: Numerology
    header: FrameHeader

    def __post_init__(self) -> None:
        if self.n_samples > MAX_FRAME_SAMPLES:
            raise ConfigError(
                f"frame is {self.n_samples} samples, permitted: 1 to {MAX_FRAME_SAMPLES}"
            )

    @cached_property
    def n_digital(self) -> int:
        """Digital (QAM) symbols of the payload."""
        if self.header.digital_bytes == 0:
            return 0
        coded = coding.coded_length(8 * self.header.digital_bytes)
        return ceil(coded / self.header.bits_per_symbol)

    @cached_property
    def geometry(self) -> Geometry:
        """Rows and columns, shared by all frames of this length."""
        cells = self.n_digital + self.header.analog_symbols
        return frame_geometry(self.numerology, ceil(cells / self.numerology.n_data))

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
        cells = header_cells(self.header, num).reshape(n_header, num.n_data)
        rows[:n_header, num.data_index] = cells


@lru_cache(maxsize=8)
def frame_layout(numerology: Numerology, header: FrameHeader) -> FrameLayout:
    """The layout of a frame; every stage of the receiver asks for the same one in turn."""
    return FrameLayout(numerology, header)


def build_grid(layout: FrameLayout, digital: bytes, analog: np.ndarray) -> np.ndarray:
    """Fill the grid of a frame, complex64 (n_symbols, n_used).

    ``digital`` is one prompt packet (already with its CRC), ``analog`` the
    complex symbols of unit average power, complex64 (analog_symbols,).
    Raises :class:`ConfigError` if they do not match the header.
    """
    header = layout.header
    if (len(digital), len(analog)) != (header.digital_bytes, header.analog_symbols):
        raise ConfigError(
            f"payload is {len(digital)} bytes and {len(analog)} symbols, "
            f"permitted by the header: {header.digital_bytes} and {header.analog_symbols}"
        )
    cells = np.ones(layout.n_cells, np.complex64)
    if digital:
        bits = coding.encode(coding.bytes_to_bits(digital))
        padded = np.zeros(layout.n_digital * header.bits_per_symbol, np.uint8)
        padded[: len(bits)] = bits
        cells[: layout.n_digital] = qam.modulate(padded, header.bits_per_symbol)
    cells[layout.n_digital : layout.n_digital + len(analog)] = analog
    cells *= whitening(layout.n_cells)
    grid = layout.reference.copy()
    grid.reshape(-1)[layout.geometry.payload_cells] = cells
    return grid
