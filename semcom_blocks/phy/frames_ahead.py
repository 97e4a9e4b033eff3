# SPDX-License-Identifier: GPL-3.0-or-later
"""How many frames may be given out before they are on the air, without I/O.

Frames that wait in the modulator are fixed; those that are not built yet can still take a packet
that is sent again.  A few ahead keep the radio busy.
"""

#: What the frames ahead last together, from which on no other goes: a busy machine may take that
#: long to hand on the next.  Four of the default length at 1 MS/s.
AHEAD_S = 0.05
#: Silence, beyond twice what the frames ahead last, after which nobody is taken to tell.
PATIENCE_S = 0.5


class FramesAhead:
    """Frames given out and not yet on the air, by their numbers; times are of any clock."""

    def __init__(self, sample_rate_hz: float) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._ahead: dict[int, int] = {}  # samples by number
        self._heard_s = 0.0
        self._open = False

    @property
    def has_room(self) -> bool:
        """Whether another frame may go."""
        return self._open or self._ahead_s() < AHEAD_S

    def add(self, seq: int, n_samples: int, now_s: float) -> None:
        """A frame was given out."""
        if self._open:
            return
        if not self._ahead:
            self._heard_s = now_s
        self._ahead[seq] = n_samples

    def sent(self, seq: int, now_s: float) -> bool:
        """A frame went on the air; True if it was one of those ahead."""
        self._heard_s, self._open = now_s, False
        return self._ahead.pop(seq, None) is not None

    def give_up(self, now_s: float) -> bool:
        """Whether nothing was told for so long that all may go, until something is told again."""
        patience_s = PATIENCE_S + 2 * self._ahead_s()
        if not self._ahead or now_s - self._heard_s < patience_s:
            return False
        self._ahead.clear()
        self._open = True
        return True

    def _ahead_s(self) -> float:
        return sum(self._ahead.values()) / self._sample_rate_hz
