# SPDX-License-Identifier: GPL-3.0-or-later
"""Retransmission timeout from measured round trips, RFC 6298.

first sample R    SRTT = R                          RTTVAR = R / 2
next              RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R|   SRTT = 7/8 SRTT + 1/8 R
always            RTO = SRTT + max(G, 4 RTTVAR), within [min, max]
expiry            RTO = 2 RTO, until the next sample
"""

#: Clock granularity G: an operating system wakes a sleeper about that late.
CLOCK_GRANULARITY_S = 0.001


class RtoEstimator:
    """Adaptive timeout in seconds; :attr:`rto_s` is what to wait now."""

    def __init__(self, initial_s: float, min_s: float, max_s: float) -> None:
        self._initial_s = initial_s
        self._min_s = min_s
        self._max_s = max_s
        self._srtt_s: float | None = None
        self._rttvar_s = 0.0
        self.rto_s = initial_s

    @property
    def srtt_s(self) -> float | None:
        """Smoothed round trip in seconds, None before the first sample."""
        return self._srtt_s

    def sample(self, rtt_s: float) -> None:
        """Take one round trip; it must belong to one known transmission (Karn's rule)."""
        if self._srtt_s is None:
            self._srtt_s = rtt_s
            self._rttvar_s = rtt_s / 2
        else:
            self._rttvar_s += (abs(self._srtt_s - rtt_s) - self._rttvar_s) / 4
            self._srtt_s += (rtt_s - self._srtt_s) / 8
        wanted_s = self._srtt_s + max(CLOCK_GRANULARITY_S, 4 * self._rttvar_s)
        self.rto_s = min(max(wanted_s, self._min_s), self._max_s)

    def back_off(self) -> None:
        """The timer expired: wait twice as long next time, within the initial timeout."""
        self.rto_s = max(self.rto_s, min(2 * self.rto_s, self._initial_s))
