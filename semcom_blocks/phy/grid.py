# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource grid of a frame: which cell of which symbol carries what.

    symbol   0 … H−1   header: comb pilots + coded header
             H … end   payload: comb pilots + data; every block_period-th all pilots

The data cells of the payload hold, interleaved, the digital symbols (coded
prompt packet), the analog symbols and a pad of known values.  With bands they
hold the coded band table first, on all data carriers, and then every band on
carriers of its own, interleaved within itself: the packet in the first, a chunk
of its stream in each of the others, padded to the length of the longest.

Without bands, analog symbols or all data cells may be precoded
(:mod:`semcom_blocks.phy.precoding`).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil

import numpy as np

from semcom_blocks.errors import ConfigError, require_range
from semcom_blocks.phy import coding, qam
from semcom_blocks.phy.band_geometry import (
    BandGeometry,
    UsedCells,
    band_geometry,
    table_cells,
    used_cells,
)
from semcom_blocks.phy.bands import BandTable
from semcom_blocks.phy.geometry import Geometry, frame_geometry
from semcom_blocks.phy.header import (
    FrameHeader,
    coded_cells,
    coded_symbols,
)
from semcom_blocks.phy.interleave import whitening
from semcom_blocks.phy.known_layout import KnownLayout
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology
from semcom_blocks.phy.preamble import preamble_len
from semcom_blocks.phy.precoding import mix, precode


@dataclass(frozen=True)
class FrameLayout(KnownLayout):
    """Where everything of a frame lies; follows from numerology and header alone.

    Raises :class:`ConfigError` for a frame that is too long, or bands that do not fit.
    """

    numerology: Numerology
    header: FrameHeader

    def __post_init__(self) -> None:
        if self.header.bands is not None:
            self.header.bands.check(self.numerology)
        if self.n_samples > MAX_FRAME_SAMPLES:
            raise ConfigError(
                f"frame is {self.n_samples} samples, permitted: 1 to {MAX_FRAME_SAMPLES}"
            )

    def head_bytes(self) -> bytes:
        """The header as it is on the air."""
        return self.header.head_bytes()

    @cached_property
    def n_digital(self) -> int:
        """Digital (QAM) symbols of the payload."""
        return packet_symbols(self.header.digital_bytes, self.header.bits_per_symbol)

    @cached_property
    def geometry(self) -> Geometry:
        """Rows and columns, shared by all frames of this length."""
        if self.bands is not None:
            return self.bands.geometry
        cells = self.n_digital + self.header.analog_symbols
        return frame_geometry(self.numerology, ceil(cells / self.numerology.n_data))

    @cached_property
    def bands(self) -> BandGeometry | None:
        """Where the bands lie; None in a frame of one interleaved payload."""
        if self.header.bands is None:
            return None
        carriers = self.header.bands.carriers
        counts = self.band_counts
        n_rows = max(ceil(count / n) for count, n in zip(counts, carriers, strict=True))
        n_table = coded_symbols(len(self.header.table_bytes()), self.numerology)
        return band_geometry(self.numerology, carriers, n_table, n_rows)

    @property
    def band_counts(self) -> tuple[int, ...]:
        """Symbols that each band carries."""
        return (self.n_digital, *(symbols for _, symbols in self.header.band_chunks))

    @property
    def has_single_carrier(self) -> bool:
        """Whether the data cells of each symbol are precoded together."""
        return self.header.precoding == "dft" and self.n_cells > 0

    @property
    def data_cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 (m, 1) and carriers int64 (n,) of all data cells of the payload."""
        return self.geometry.data_rows[:, None], self.numerology.data_index

    @cached_property
    def used(self) -> UsedCells:
        """The cells of the payload without pad: digital symbols, then those of each chunk."""
        if self.bands is not None:
            return used_cells(self.bands, self.band_counts)
        geometry, used = self.geometry, slice(0, self.n_digital + self.header.analog_symbols)
        return UsedCells(
            geometry.payload_cells[used],
            geometry.payload_carriers[used],
            geometry.unwhitening[used],
        )


@lru_cache(maxsize=8)
def frame_layout(numerology: Numerology, header: FrameHeader) -> FrameLayout:
    """The layout of a frame; every stage of the receiver asks for the same one in turn."""
    return FrameLayout(numerology, header)


def build_grid(layout: FrameLayout, digital: bytes, analog: np.ndarray) -> np.ndarray:
    """Fill the grid of a frame, complex64 (n_symbols, n_used).

    ``digital`` is one prompt packet (already with its CRC), ``analog`` the complex symbols of
    unit average power, complex64 (n_analog,), those of several streams one after another.
    Raises :class:`ConfigError` if they do not match the header.
    """
    header = layout.header
    if (len(digital), len(analog)) != (header.digital_bytes, header.n_analog):
        raise ConfigError(
            f"payload is {len(digital)} bytes and {len(analog)} symbols, "
            f"permitted by the header: {header.digital_bytes} and {header.n_analog}"
        )
    grid = layout.reference.copy()
    if layout.bands is not None:
        _write_bands(grid, layout, _packet(layout, digital), analog)
        return grid
    cells = np.ones(layout.n_cells, np.complex64)
    cells[: layout.n_digital] = _packet(layout, digital)
    spread = header.precoding == "frame" and len(analog)
    cells[layout.n_digital : layout.n_digital + len(analog)] = mix(analog) if spread else analog
    cells *= whitening(layout.n_cells)
    grid.reshape(-1)[layout.geometry.payload_cells] = cells
    if layout.has_single_carrier:
        grid[layout.data_cells] = precode(grid[layout.data_cells])
    return grid


def most_rows(table: BandTable, numerology: Numerology) -> int:
    """OFDM symbols that the bands of a frame may last, beside header, table and block pilots."""
    symbols = (MAX_FRAME_SAMPLES - preamble_len(numerology)) // numerology.symbol_len
    longer = Geometry(numerology, symbols)
    is_pilots = longer.block_mask[: symbols - longer.n_header]
    n_data_symbols = len(is_pilots) - int(np.count_nonzero(is_pilots))
    chunks = ((0, 0),) * len(table.stream_ids)
    bits = table.bands[0].bits_per_symbol
    header = FrameHeader(0, 0, bits_per_symbol=bits, bands=table, band_chunks=chunks)
    return n_data_symbols - coded_symbols(len(header.table_bytes()), numerology)


def require_room(table: BandTable, packet_bytes: int, numerology: Numerology) -> None:
    """Refuse a prompt's band too narrow for a packet in a frame: :class:`ConfigError`."""
    band, rows = table.bands[0], most_rows(table, numerology)
    symbols = packet_symbols(packet_bytes, band.bits_per_symbol)
    least = ceil(symbols / rows) if rows > 0 else numerology.n_data + 1
    require_range("carriers of the prompt's band", band.carriers, least, numerology.n_data)


def packet_symbols(n_bytes: int, bits_per_symbol: int) -> int:
    """QAM symbols of a coded packet of ``n_bytes``; none where there is no packet."""
    return ceil(coding.coded_length(8 * n_bytes) / bits_per_symbol) if n_bytes else 0


def _packet(layout: FrameLayout, digital: bytes) -> np.ndarray:
    """Coded and mapped bytes, complex64 (n_digital,)."""
    if not digital:
        return np.zeros(0, np.complex64)
    bits = coding.encode(coding.bytes_to_bits(digital))
    padded = np.zeros(layout.n_digital * layout.header.bits_per_symbol, np.uint8)
    padded[: len(bits)] = bits
    return qam.modulate(padded, layout.header.bits_per_symbol)


def _write_bands(
    grid: np.ndarray, layout: FrameLayout, packet: np.ndarray, analog: np.ndarray
) -> None:
    """Fill in the band table, and each band with its symbols and pad at its amplitude."""
    header, bands = layout.header, layout.bands
    assert header.bands is not None and bands is not None
    flat = grid.reshape(-1)
    table = coded_cells(header.table_bytes(), layout.numerology)
    flat[table_cells(layout.geometry, bands.n_table)] = table
    flat[bands.silent] = 0
    edges = np.cumsum(layout.band_counts[1:])
    contents = [packet, *np.split(analog, edges[:-1])] if len(edges) else [packet]
    amplitudes = header.bands.amplitudes(layout.numerology)
    for cells, turns, content, amplitude in zip(
        bands.cells, bands.whitening, contents, amplitudes, strict=True
    ):
        values = turns * amplitude
        values[: len(content)] *= content
        flat[cells] = values
