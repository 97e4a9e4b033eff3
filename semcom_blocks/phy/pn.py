# SPDX-License-Identifier: GPL-3.0-or-later
"""Pseudo-noise: the one m-sequence that every known value of the waveform comes from."""

from functools import lru_cache

import numpy as np

#: Degree of the generator x^15 + x^14 + 1 (ITU-T O.150, PRBS15).
PN_DEGREE = 15
#: Period of the sequence in bits.
PN_PERIOD = 2**PN_DEGREE - 1
#: Periods of QPSK values kept at hand: 1 MB, enough for the pilots of the longest frame.
QPSK_TABLE_PERIODS = 4


@lru_cache(maxsize=1)
def _m_sequence() -> np.ndarray:
    """One period of PRBS15 from the all-ones state, uint8 (32767,)."""
    bits = np.ones(PN_PERIOD + PN_DEGREE, np.uint8)
    # s[n] = s[n-14] ^ s[n-15]: 14 new bits depend on old ones only, so they come at once.
    for start in range(PN_DEGREE, PN_PERIOD, PN_DEGREE - 1):
        stop = min(start + PN_DEGREE - 1, len(bits))
        bits[start:stop] = bits[start - 14 : stop - 14] ^ bits[start - 15 : stop - 15]
    bits = bits[:PN_PERIOD]
    bits.setflags(write=False)
    return bits


def pn_bits(n: int, offset: int = 0) -> np.ndarray:
    """Return ``n`` bits of the sequence from bit ``offset`` on, uint8 (n,), periodic."""
    return _m_sequence()[(offset + np.arange(n)) % PN_PERIOD]


@lru_cache(maxsize=1)
def _qpsk_periods() -> np.ndarray:
    """QPSK values of successive bit pairs over several periods, complex64.

    The period is odd, so the pairs repeat after two passes over the bits and an odd
    offset is an even one a pass later: every request is a slice of this table.
    """
    bits = pn_bits(2 * QPSK_TABLE_PERIODS * PN_PERIOD)
    signs = (1.0 - 2.0 * bits.astype(np.float32)) / np.float32(np.sqrt(2.0))
    table = signs.view(np.complex64)
    table.setflags(write=False)
    return table


def pn_qpsk(n: int, offset: int = 0) -> np.ndarray:
    """Return ``n`` unit-power QPSK values, complex64 (n,), read-only.

    Value i is ``((1 - 2 b[2i]) + j (1 - 2 b[2i+1])) / sqrt(2)`` with b the
    sequence from bit ``offset`` on.
    """
    offset %= PN_PERIOD
    start = (offset + PN_PERIOD * (offset % 2)) // 2
    table = _qpsk_periods()
    if start + n <= len(table):
        return table[start : start + n]
    return table[(start + np.arange(n)) % PN_PERIOD]
