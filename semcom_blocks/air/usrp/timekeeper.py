# SPDX-License-Identifier: GPL-3.0-or-later
"""Device time: ticks of the master clock, counted from wherever the host has set them."""

from __future__ import annotations

from collections.abc import Callable

from semcom_blocks.air.usrp.chdr import MASK_64

_HALF = 1 << 63

# A channel that waits for its time streams from this many samples before it on, more than the
# air's longest step.  Till then a virtual clock goes with the wall's, so that the host has as
# long as with a real device to prepare what else shall happen then.
NEAR_SAMPLES = 1 << 15


def difference(a: int, b: int) -> int:
    """``a - b`` of two 64-bit times, the shorter way round."""
    return (a - b + _HALF & MASK_64) - _HALF


class Timekeeper:
    """Ticks = offset + sample counter, modulo 2^64.

    The PPS of this device is its own: an edge at every whole second of its sample
    counter.  ``counter()`` and ``rate_hz()`` give the counter and the master clock rate.
    """

    def __init__(self, counter: Callable[[], int], rate_hz: Callable[[], float]) -> None:
        self.counter = counter
        self._rate_hz = rate_hz
        self.forget()

    def forget(self) -> None:
        """Back to how the device starts."""
        self._offset = 0
        self._at_edge: tuple[int, int] | None = None  # counter at the edge, offset from there

    def ticks(self, at: int) -> int:
        """The time at a value of the sample counter."""
        if self._at_edge is not None and at >= self._at_edge[0]:
            self._offset, self._at_edge = self._at_edge[1], None
        return self._offset + at & MASK_64

    def now(self) -> int:
        """The time."""
        return self.ticks(self.counter())

    def last_pps(self) -> int:
        """The time at the last edge of the PPS."""
        at = self.counter()
        now = self.ticks(at)
        period = max(1, round(self._rate_hz()))
        return now - at % period & MASK_64

    def set(self, ticks: int, at_next_pps: bool) -> None:
        """Set the time, at once or at the next edge of the PPS."""
        at = self.counter()
        if at_next_pps:
            period = max(1, round(self._rate_hz()))
            edge = at - at % period + period
            self._at_edge = edge, ticks - edge
        else:
            self._offset, self._at_edge = ticks - at, None
