# SPDX-License-Identifier: GPL-3.0-or-later
"""Bands: disjoint sets of data carriers, each with a stream, a power share and a modulation.

    band 0      prompt packets            the lowest n_0 data carriers
    band b > 0  a conditioning stream     the next n_b
    the rest    silent

The cells of band b are sent with the amplitude

    a_b = sqrt(power_b · n_data / n_b)

so that those of an OFDM symbol have the energy n_data · Σ power_b: the shares are of the
power that all data carriers had without bands (Qiao et al., latency-aware generative
semantic communication: orthogonal bands, p_i W).  On the air and between blocks a table is

    band     carriers u10 | bits/symbol u6 | power u16           power = (u16 + 1) / 65536
    stream   stream id u8, in front of every band but the first       big endian
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from semcom_blocks.errors import ConfigError, LinkError, require_range
from semcom_blocks.phy import qam
from semcom_blocks.phy.numerology import Numerology

#: The prompt's band and one for each stream that a message may have.
MAX_BANDS = 17
#: Most carriers that a table can name; no numerology has more data carriers.
MAX_CARRIERS = 1023
#: Steps of a power share: 1/65536 is 48 dB below the whole, where nothing arrives.
POWER_STEPS = 65_536
#: Modulation of a band whose symbols are no QAM: analog values, equalised as such.
ANALOG = 0
#: What sums of decimal fractions may be above 1.
ROUNDING = 1e-9
_BAND = struct.Struct(">HH")
_STREAM = struct.Struct(">B")
_BITS_FIELD = 6


@dataclass(frozen=True)
class Band:
    """One band.

    ``stream_id``: None for the prompt's, else 0 … 255.  ``carriers``: data carriers, 1 … 1023.
    ``power``: share of the transmit power of the data carriers, 1/65536 … 1, kept in multiples
    of 1/65536 (rounded down), as it is on the air.  ``bits_per_symbol``: 1, 2, 4, 6 or 8; a
    stream may also have 0, which stands for analog symbols.

    Raises :class:`ConfigError` outside these ranges.
    """

    stream_id: int | None
    carriers: int
    power: float
    bits_per_symbol: int

    def __post_init__(self) -> None:
        name = "the prompt's band" if self.stream_id is None else f"the band of {self.stream_id}"
        if self.stream_id is not None:
            _whole("stream_id of a band", self.stream_id, 0, 0xFF)
        _whole(f"carriers of {name}", self.carriers, 1, MAX_CARRIERS)
        if not isinstance(self.power, Real) or isinstance(self.power, bool):
            raise ConfigError(f"power of {name} is {self.power!r}, permitted: 1/65536 to 1")
        power = float(self.power)
        if not 1 / POWER_STEPS <= power <= 1 + ROUNDING:
            raise ConfigError(f"power of {name} is {power:g}, permitted: 1/65536 to 1")
        permitted = (
            qam.BITS_PER_SYMBOL if self.stream_id is None else (ANALOG, *qam.BITS_PER_SYMBOL)
        )
        if type(self.bits_per_symbol) is not int or self.bits_per_symbol not in permitted:
            text = f"bits_per_symbol of {name} is {self.bits_per_symbol!r}"
            raise ConfigError(f"{text}, permitted: {', '.join(map(str, permitted))}")
        steps = min(math.floor(power * POWER_STEPS * (1 + ROUNDING)), POWER_STEPS)
        object.__setattr__(self, "power", steps / POWER_STEPS)


@dataclass(frozen=True)
class BandTable:
    """The bands of a job: the prompt's first, then one for each stream that is sent.

    Raises :class:`ConfigError` where the first is not the prompt's, a stream has two, or the
    power shares exceed 1 in all.
    """

    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.bands) <= MAX_BANDS:
            raise ConfigError(f"{len(self.bands)} bands, permitted: 1 to {MAX_BANDS}")
        if self.bands[0].stream_id is not None:
            found = f"the first band is that of stream {self.bands[0].stream_id}"
            raise ConfigError(f"{found}, permitted: the prompt's (stream_id null)")
        if len(self.stream_ids) < len(self.bands) - 1:
            raise ConfigError("the prompt has two bands, permitted: the first")
        if len(set(self.stream_ids)) < len(self.stream_ids):
            raise ConfigError(f"streams of the bands are {self.stream_ids}, permitted: each once")
        _require_share(sum(band.power for band in self.bands))

    @property
    def stream_ids(self) -> tuple[int, ...]:
        """Streams of the bands behind the first, in their order."""
        return tuple(b.stream_id for b in self.bands[1:] if b.stream_id is not None)

    @property
    def carriers(self) -> tuple[int, ...]:
        """Data carriers of each band."""
        return tuple(band.carriers for band in self.bands)

    def check(self, numerology: Numerology) -> "BandTable":
        """This table if its bands fit into the data carriers, else :class:`ConfigError`."""
        total = sum(self.carriers)
        if total > numerology.n_data:
            text = f"the bands have {total} carriers in all"
            raise ConfigError(f"{text}, permitted: up to {numerology.n_data}")
        return self

    def amplitudes(self, numerology: Numerology) -> np.ndarray:
        """a_b of each band, float32 (n_bands,)."""
        power = np.array([band.power for band in self.bands])
        return np.sqrt(power * numerology.n_data / np.array(self.carriers)).astype(np.float32)

    def to_bytes(self) -> bytes:
        """As on the air, without the part that changes from frame to frame."""
        parts = []
        for band in self.bands:
            if band.stream_id is not None:
                parts.append(_STREAM.pack(band.stream_id))
            first = band.carriers << _BITS_FIELD | band.bits_per_symbol
            parts.append(_BAND.pack(first, round(band.power * POWER_STEPS) - 1))
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> "BandTable":
        """Inverse of :meth:`to_bytes`; :class:`LinkError` for anything else."""
        count = 1 + (len(data) - _BAND.size) // (_STREAM.size + _BAND.size)
        if len(data) != table_size(count):
            raise LinkError(f"band table has {len(data)} bytes, permitted: 4 + 5 for each stream")
        bands, at = [], 0
        try:
            for index in range(count):
                stream_id = None
                if index:
                    (stream_id,) = _STREAM.unpack_from(data, at)
                    at += _STREAM.size
                first, power = _BAND.unpack_from(data, at)
                at += _BAND.size
                bits = first & (1 << _BITS_FIELD) - 1
                share = (power + 1) / POWER_STEPS
                bands.append(Band(stream_id, first >> _BITS_FIELD, share, bits))
            return cls(tuple(bands))
        except ConfigError as error:
            raise LinkError(f"band table: {error}") from None

    @classmethod
    def from_list(cls, entries: Any) -> "BandTable":
        """From the list ``bands`` of a request; raises :class:`ConfigError` naming what is wrong.

        Each entry is a table with the fields of :class:`Band`.
        """
        if not isinstance(entries, Sequence) or isinstance(entries, (str, bytes)):
            raise ConfigError(f"bands are {type(entries).__name__}, permitted: a list of tables")
        names = ("stream_id", "carriers", "power", "bits_per_symbol")
        bands = []
        for index, entry in enumerate(entries):
            if not isinstance(entry, Mapping) or set(entry) != set(names):
                raise ConfigError(f"band {index} is no table of {', '.join(names)}")
            bands.append(Band(**entry))
        _require_share(sum(entry["power"] for entry in entries))
        return cls(tuple(bands))

    def to_list(self) -> list[dict[str, Any]]:
        """As a request has it, with the power shares that are on the air."""
        names = ("stream_id", "carriers", "power", "bits_per_symbol")
        return [{name: getattr(band, name) for name in names} for band in self.bands]


def table_size(count: int) -> int:
    """Bytes of a table of ``count`` bands, as :meth:`BandTable.to_bytes` makes it."""
    return count * _BAND.size + (count - 1) * _STREAM.size


@lru_cache(maxsize=64)
def band_index(numerology: Numerology, carriers: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Positions of each band's carriers within the used carriers, int64 (n_b,) each."""
    edges = np.cumsum((0, *carriers))
    return tuple(numerology.data_index[low:high] for low, high in pairwise(edges))


def band_snr_db(
    response: np.ndarray, noise_var: float, table: BandTable, numerology: Numerology
) -> list[float]:
    """Es/N0 of each band at unit power, in dB: the mean of |H|²/σ² over its carriers.

    ``response`` complex64 (n_used,), ``noise_var`` the complex noise variance of a cell.  It
    tells of the channel alone: what a band had is 10 log10(a_b²) more.
    """
    power = response.real**2 + response.imag**2
    means = [float(power[index].mean()) for index in band_index(numerology, table.carriers)]
    return [10 * math.log10(max(mean / noise_var, 1e-20)) for mean in means]


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if type(value) is not int:
        raise ConfigError(f"{name} is {value!r}, permitted: {low} to {high}")
    require_range(name, value, low, high)


def _require_share(power: float) -> None:
    if power > 1 + ROUNDING:
        raise ConfigError(f"power of the bands is {power:g} in all, permitted: up to 1")
