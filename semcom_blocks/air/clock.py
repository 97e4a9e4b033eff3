# SPDX-License-Identifier: GPL-3.0-or-later
"""A device's sample clock on the air's time axis."""

from __future__ import annotations

import math

# Air time reaches a sample's instant within rounding; a thousandth of a sample is far above that
# for a day at 60 MS/s, and no signal hears it.
_TOLERANCE = 1e-3


class SampleClock:
    """Sample k of a device is taken at ``anchor_s + (k - anchor_count) / rate_hz``.

    rate_hz   true rate: the nominal one times ``1 + 1e-6 ppm``
    count     the next sample's number, which goes on over changes of rate
    """

    def __init__(self, nominal_hz: float, ppm: float) -> None:
        self.ppm = ppm
        self.count = 0
        self.rebase(nominal_hz, 0.0)

    def rebase(self, nominal_hz: float, time_s: float) -> None:
        """From the next sample on, at ``time_s``, tick at another rate."""
        self.nominal_hz = nominal_hz
        self.rate_hz = nominal_hz * (1 + 1e-6 * self.ppm)
        self.anchor_s = time_s
        self.anchor_count = self.count

    def join(self, other: SampleClock) -> None:
        """Take the next sample together with ``other``'s, which has the same rate: one grid."""
        self.anchor_s = other.anchor_s
        self.anchor_count = self.count - (other.count - other.anchor_count)

    def time_of(self, count: int) -> float:
        """When sample ``count`` is taken."""
        return self.anchor_s + (count - self.anchor_count) / self.rate_hz

    def due(self, time_s: float) -> int:
        """How many samples are taken from the next one on before ``time_s``."""
        elapsed = (time_s - self.anchor_s) * self.rate_hz
        return max(0, self.anchor_count + math.ceil(elapsed - _TOLERANCE) - self.count)

    def same_grid(self, other: SampleClock) -> int | None:
        """What to add to a count of this clock to get ``other``'s; None if they never coincide."""
        if self.rate_hz != other.rate_hz or self.anchor_s != other.anchor_s:
            return None
        return other.anchor_count - self.anchor_count
