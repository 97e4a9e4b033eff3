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
from semcom_blocks.phy import coding, interleave, qam
from semcom_blocks.phy.header import FrameHeader, header_cells, header_symbols
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology
from semcom_blocks.phy.pn import pn_qpsk
from semcom_blocks.phy.preamble import preamble_len

#: Bit of the pseudo-noise sequence at which the pilots start.
PILOT_OFFSET = 12007


@lru_cache(maxsize=64)
def _block_mask(n_data_symbols: int, period: int) -> np.ndarray:
    """True for block-pilot symbols among the payload symbols, bool (n_payload,).

    Block pilots stand in the middle of each period, so a payload shorter than
    half a period has none and the others have one near each end.
    """
    index = np.arange(n_data_symbols + n_data_symbols // (period - 1) + 2)
    is_block = index % period == period // 2
    length = int(np.searchsorted(np.cumsum(~is_block), n_data_symbols)) + 1
    mask = is_block[: length if n_data_symbols else 0]
    mask.setflags(write=False)
    return mask


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
    def n_header(self) -> int:
        """Header symbols."""
        return header_symbols(self.numerology)

    @cached_property
    def n_digital(self) -> int:
        """Digital (QAM) symbols of the payload."""
        if self.header.digital_bytes == 0:
            return 0
        coded = coding.coded_length(8 * self.header.digital_bytes)
        return ceil(coded / self.header.bits_per_symbol)

    @cached_property
    def block_mask(self) -> np.ndarray:
        """True for the payload symbols that consist of pilots, bool (n_payload,)."""
        cells = self.n_digital + self.header.analog_symbols
        return _block_mask(ceil(cells / self.numerology.n_data), self.numerology.block_period)

    @property
    def n_symbols(self) -> int:
        """Header and payload symbols."""
        return self.n_header + len(self.block_mask)

    @property
    def n_cells(self) -> int:
        """Data cells of the payload, pad included."""
        return int(np.count_nonzero(~self.block_mask)) * self.numerology.n_data

    @property
    def n_samples(self) -> int:
        """Samples of the whole frame with its preamble."""
        return preamble_len(self.numerology) + self.n_symbols * self.numerology.symbol_len

    @cached_property
    def data_rows(self) -> np.ndarray:
        """Grid rows of the payload's data symbols, int64."""
        return self.n_header + np.flatnonzero(~self.block_mask)

    @cached_property
    def known(self) -> np.ndarray:
        """Cells that a receiver knows from the header on, bool (n_symbols, n_used)."""
        mask = np.zeros((self.n_symbols, self.numerology.n_used), bool)
        mask[:, self.numerology.comb_index] = True
        mask[: self.n_header] = True
        mask[self.n_header + np.flatnonzero(self.block_mask)] = True
        return mask

    @cached_property
    def reference(self) -> np.ndarray:
        """Pilot and header values, complex64 (n_symbols, n_used); pilot values elsewhere too."""
        num = self.numerology
        grid = pilot_values(num, self.n_symbols).copy()
        cells = header_cells(self.header, num).reshape(self.n_header, num.n_data)
        grid[: self.n_header, num.data_index] = cells
        return grid


@lru_cache(maxsize=8)
def frame_layout(numerology: Numerology, header: FrameHeader) -> FrameLayout:
    """The layout of a frame; every stage of the receiver asks for the same one in turn."""
    return FrameLayout(numerology, header)


def pilot_values(numerology: Numerology, n_symbols: int) -> np.ndarray:
    """Pilot value of every cell, complex64 (n_symbols, n_used)."""
    n_used = numerology.n_used
    return pn_qpsk(n_symbols * n_used, PILOT_OFFSET).reshape(n_symbols, n_used)


def build_grid(layout: FrameLayout, digital: bytes, analog: np.ndarray) -> np.ndarray:
    """Fill the grid of a frame, complex64 (n_symbols, n_used).

    ``digital`` is one prompt packet (already with its CRC), ``analog`` the
    complex symbols of unit average power, complex64 (analog_symbols,).
    Raises :class:`ConfigError` if they do not match the header.
    """
    header, num = layout.header, layout.numerology
    if (len(digital), len(analog)) != (header.digital_bytes, header.analog_symbols):
        raise ConfigError(
            f"payload is {len(digital)} bytes and {len(analog)} symbols, "
            f"permitted by the header: {header.digital_bytes} and {header.analog_symbols}"
        )
    cells = np.ones(layout.n_cells, np.complex64)
    if digital:
        bits = coding.encode(np.unpackbits(np.frombuffer(digital, np.uint8)))
        padded = np.zeros(layout.n_digital * header.bits_per_symbol, np.uint8)
        padded[: len(bits)] = bits
        cells[: layout.n_digital] = qam.modulate(padded, header.bits_per_symbol)
    cells[layout.n_digital : layout.n_digital + len(analog)] = analog
    grid = layout.reference.copy()
    rows = layout.data_rows
    grid[rows[:, None], num.data_index] = interleave.interleave(cells).reshape(-1, num.n_data)
    return grid
