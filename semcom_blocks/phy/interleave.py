# SPDX-License-Identifier: GPL-3.0-or-later
"""Spread neighbours over time and frequency, and whiten what is sent.

Analog symbols carry picture structure: neighbours in one fade would be lost
together, and constant areas would raise the peak power.  A golden-section
permutation and pseudo-noise quarter turns remove both without side information.
"""

from functools import lru_cache
from math import gcd, sqrt

import numpy as np

from semcom_blocks.phy.pn import pn_qpsk

#: Bit of the pseudo-noise sequence at which the whitening starts, clear of pilots.
WHITENING_OFFSET = 4099


@lru_cache(maxsize=64)
def permutation(n: int) -> np.ndarray:
    """Golden-section permutation of n cells, int64 (n,): item i goes to cell ``i·q mod n``.

    q is the integer nearest to n·(sqrt(5) − 1)/2 that has no factor in common
    with n, so that any run of items is spread almost evenly (a Kronecker sequence).
    """
    if n < 3:
        return np.arange(n)
    step = round(n * (sqrt(5.0) - 1.0) / 2.0)
    while gcd(step, n) != 1:
        step += 1
    cells = np.arange(n, dtype=np.int64) * step % n
    cells.setflags(write=False)
    return cells


def whitening(n: int) -> np.ndarray:
    """Quarter turns of n symbols before they are permuted, complex64 (n,), read-only."""
    return pn_qpsk(n, WHITENING_OFFSET)


def interleave(symbols: np.ndarray) -> np.ndarray:
    """Whiten and permute, complex64 (n,) → complex64 (n,)."""
    out = np.empty(len(symbols), np.complex64)
    out[permutation(len(symbols))] = symbols * whitening(len(symbols))
    return out


def deinterleave(cells: np.ndarray) -> np.ndarray:
    """Undo :func:`interleave`, complex64 (n,) → complex64 (n,)."""
    n = len(cells)
    return cells[permutation(n)] * np.conj(whitening(n))


def spread(symbols: np.ndarray) -> np.ndarray:
    """Permute a whole stream before it is cut into frames, (n,) → (n,).

    Every frame then holds a sample of the whole picture: frames have equal power
    although a codec's channels have not, and a lost frame leaves many small gaps
    instead of one large one.  Position p takes item ``p·q mod n``: any run of
    positions samples the stream evenly.
    """
    return symbols[permutation(len(symbols))]


def gather(cells: np.ndarray) -> np.ndarray:
    """Undo :func:`spread`, (n,) → (n,)."""
    out = np.empty_like(cells)
    out[permutation(len(cells))] = cells
    return out
