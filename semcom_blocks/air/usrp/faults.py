# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device can be made to do wrong, and until when.

drop       sample packets get lost, both ways
stall      nothing is read or sent
overflow   the receiver finds no room: overruns, however often the driver restarts it
underflow  the transmitter finds no samples
unplug     the sockets are gone, the claim with them; back after the time given, with
           0 seconds not before ``reconnect``
reconnect  back from ``unplug`` now; if it was there, off and on again
"""

from __future__ import annotations

from collections.abc import Callable

from semcom_blocks.air.device import FAULTS
from semcom_blocks.errors import require_choice, require_range

MAX_SECONDS = 3600.0  # a test's, not a radio's life
POWER_CYCLE_S = 0.2  # of "reconnect" on a device that is there
FOR_EVER = float("inf")


class Faults:
    """The faults under way; ``clock`` is a monotonic time in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = dict.fromkeys(FAULTS, 0.0)

    def begin(self, kind: str, seconds: float) -> None:
        """Start a fault, or end one; :class:`ConfigError` for what is none."""
        require_choice("fault", kind, FAULTS)
        require_range("fault seconds", seconds, 0.0, MAX_SECONDS)
        now = self._clock()
        if kind == "reconnect":
            self._until["unplug"] = 0.0 if self.active("unplug") else now + POWER_CYCLE_S
        elif kind == "unplug" and seconds == 0.0:
            self._until["unplug"] = FOR_EVER
        else:
            self._until[kind] = now + seconds

    def active(self, kind: str) -> bool:
        """Whether this fault is under way."""
        return self._clock() < self._until[kind]
