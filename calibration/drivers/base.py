# SPDX-License-Identifier: GPL-3.0-or-later
"""What a calibration asks of a radio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Limits:
    """Ranges that the radio reports, ends included; gains as its driver counts them."""

    tx_db: tuple[float, float]
    rx_db: tuple[float, float]
    lo_hz: tuple[float, float]


class Radio(Protocol):
    """One radio, one transmit and one receive channel.

    Errors of every method: :class:`semcom_blocks.errors.RadioError` where the radio refuses,
    is gone or does not answer; :class:`semcom_blocks.errors.ConfigError` for a value out of range.
    """

    kind: str  # pluto or usrp
    serial: str
    name: str  # as the user gave it
    limits: Limits
    #: Input power that gives a full-scale tone at receive gain 0; nominal, not measured.
    full_scale_dbm: float
    #: What the driver believes its crystal to be, where it can be told otherwise.
    xo_hz: float | None

    def tune(self, rate_hz: float, tx_lo_hz: float, rx_lo_hz: float) -> tuple[float, float, float]:
        """Set them, filters as wide as the rate; returns what the radio reports it has set."""
        ...

    def gains(self, tx_db: float | None = None, rx_db: float | None = None) -> None:
        """Set fixed gains; ``None`` leaves one as it is."""
        ...

    def transmit(self, waveform: np.ndarray) -> None:
        """Repeat complex (period,), full scale 1, until told otherwise."""
        ...

    def interrupted(self) -> bool:
        """Whether the repetition had a gap since this was last asked (or since it began)."""
        ...

    def silence(self) -> None:
        """Transmit nothing."""
        ...

    def receive(self, count: int) -> np.ndarray:
        """``count`` samples in a row that were taken after this call: complex128, full scale 1."""
        ...

    def there_and_back(self, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One period as it was given to the converter, and the same as received.

        Both complex (period,), on one time base, so that the second lies behind the first by
        the delay from converter to converter.
        """
        ...

    def close(self) -> None:
        """Transmit nothing and release the radio; may be called twice."""
        ...
