# SPDX-License-Identifier: GPL-3.0-or-later
"""The streams of a job with bands, cut into frames as these are built.

A frame takes as many symbols of every stream as its band holds in the frame's rows.  As long as
packets wait, the streams are spread over as many frames as there are packets, so that none
travels alone; and no frame is longer than asked for, unless its packet is.
"""

from math import ceil

import numpy as np

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.bands import BandTable
from semcom_blocks.phy.grid import packet_symbols

#: A chunk's length has 16 bits.
MAX_CHUNK = 0xFFFF


class BandQueue:
    """What is still to send of each stream of one job.

    ``rows``: OFDM symbols that the bands of a frame last at most, where no packet needs more.
    """

    def __init__(self, table: BandTable, rows: int) -> None:
        self.table = table
        self._rows = rows
        self._streams = {n: np.zeros(0, np.complex64) for n in table.stream_ids}
        self._sent = dict.fromkeys(table.stream_ids, 0)

    def add(self, stream_id: int, symbols: np.ndarray) -> None:
        """Queue a stream, complex64 (n,); :class:`ConfigError` if no band is its own."""
        if stream_id not in self._streams:
            permitted = ", ".join(map(str, self.table.stream_ids)) or "none"
            raise ConfigError(f"stream {stream_id} has no band, permitted: {permitted}")
        self._streams[stream_id], self._sent[stream_id] = symbols, 0

    @property
    def rows_left(self) -> int:
        """Rows that the longest stream still needs."""
        bands = zip(self.table.stream_ids, self.table.carriers[1:], strict=True)
        return max((ceil(self._left(n) / carriers) for n, carriers in bands), default=0)

    def frames_left(self, packets: int) -> int:
        """Frames that are still to come if so many packets wait."""
        return max(packets, ceil(self.rows_left / self._rows))

    def take(self, packet: bytes, packets: int) -> tuple[tuple[tuple[int, int], ...], np.ndarray]:
        """Chunks (offset, symbols) and symbols complex64 of the next frame.

        ``packet`` shares it, empty for none; ``packets`` wait, this one among them.
        """
        band = self.table.bands[0]
        needs = ceil(packet_symbols(len(packet), band.bits_per_symbol) / band.carriers)
        rows = max(needs, ceil(self.rows_left / max(self.frames_left(packets), 1)))
        chunks, parts = [], [np.zeros(0, np.complex64)]
        for stream_id, carriers in zip(self.table.stream_ids, self.table.carriers[1:], strict=True):
            start = self._sent[stream_id]
            count = min(self._left(stream_id), rows * carriers, MAX_CHUNK)
            parts.append(self._streams[stream_id][start : start + count])
            chunks.append((start if count else 0, count))
            self._sent[stream_id] += count
        return tuple(chunks), np.concatenate(parts)

    def _left(self, stream_id: int) -> int:
        return len(self._streams[stream_id]) - self._sent[stream_id]
