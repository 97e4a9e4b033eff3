# SPDX-License-Identifier: GPL-3.0-or-later
"""OFDM numerology: sizes, carriers and rates from which everything else follows."""

from dataclasses import dataclass, fields
from functools import cached_property
from numbers import Integral, Real
from typing import Any

import numpy as np

from semcom_blocks.errors import ConfigError, require_range

#: FFT sizes that a 1 MS/s testbed can use; the smallest still holds the short training field.
FFT_SIZES = (64, 128, 256, 512, 1024)
#: Samples of one frame at most: bounds the receiver's buffer and the timing drift to track.
MAX_FRAME_SAMPLES = 2**17
_REAL = ("sample_rate_hz",)


@dataclass(frozen=True)
class Numerology:
    """Sizes of the OFDM waveform.

    Subcarrier k (k = ±1 … ±n_used/2, DC unused) lies at ``k * sample_rate_hz /
    fft_size``.  A symbol is ``cp_len + fft_size`` samples long.  ``n_comb``
    subcarriers of every header and payload symbol are pilots, and one symbol in
    ``block_period`` payload symbols consists of pilots only.

    Raises :class:`ConfigError` for sizes that do not fit together.
    """

    fft_size: int = 64
    cp_len: int = 16
    n_used: int = 52
    n_comb: int = 4
    block_period: int = 32
    sample_rate_hz: float = 1e6

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kind, words = (Real, "numbers") if field.name in _REAL else (Integral, "integers")
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ConfigError(f"{field.name} is {value!r}, permitted: {words}")
        if self.fft_size not in FFT_SIZES:
            raise ConfigError(f"fft_size is {self.fft_size}, permitted: {FFT_SIZES}")
        require_range("cp_len", self.cp_len, 4, self.fft_size // 2)
        require_range("n_used", self.n_used, 16, self.fft_size - 4)
        if self.n_used % 2:
            raise ConfigError(f"n_used is {self.n_used}, permitted: even numbers")
        require_range("n_comb", self.n_comb, 2, self.n_used // 2)
        require_range("block_period", self.block_period, 4, 1024)
        require_range("sample_rate_hz", self.sample_rate_hz, 1e3, 100e6)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Numerology":
        """Build from a mapping; unknown keys raise :class:`ConfigError`."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(
                f"numerology has unknown key {unknown[0]!r}, permitted: {sorted(known)}"
            )
        return cls(**values)

    @property
    def symbol_len(self) -> int:
        """Samples of one OFDM symbol with its cyclic prefix."""
        return self.fft_size + self.cp_len

    @property
    def spacing_hz(self) -> float:
        """Subcarrier spacing in Hz."""
        return self.sample_rate_hz / self.fft_size

    @property
    def symbol_energy(self) -> float:
        """Es of a unit-power subcarrier value when the time signal has unit power (unitary FFT)."""
        return self.fft_size / self.n_used

    @cached_property
    def carriers(self) -> np.ndarray:
        """Used subcarrier numbers in rising order, int64 (n_used,), without 0."""
        half = self.n_used // 2
        return np.concatenate([np.arange(-half, 0), np.arange(1, half + 1)])

    @cached_property
    def comb_index(self) -> np.ndarray:
        """Positions of the comb pilots within :attr:`carriers`, int64 (n_comb,), evenly spread."""
        return np.floor((np.arange(self.n_comb) + 0.5) * self.n_used / self.n_comb).astype(int)

    @cached_property
    def data_index(self) -> np.ndarray:
        """Positions of the data subcarriers within :attr:`carriers`, int64 (n_data,)."""
        return np.setdiff1d(np.arange(self.n_used), self.comb_index)

    @property
    def n_data(self) -> int:
        """Data subcarriers of a symbol."""
        return self.n_used - self.n_comb
