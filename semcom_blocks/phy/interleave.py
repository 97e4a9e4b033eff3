# SPDX-License-Identifier: GPL-3.0-or-later
"""Spread neighbours over time and frequency, and whiten what is sent.

Analog symbols carry picture structure: neighbours in one fade would be lost
together, and constant areas would raise the peak power.  A golden-section
permutation of a frame's cells and pseudo-noise quarter turns remove both without
side information.

Before it is cut into frames a stream is permuted as a whole, in one of three ways:

    golden   position p takes item p·q mod n, q by the golden section
    none     as it comes
    random   one pseudo-random permutation for each length

The golden section samples a stream most evenly, so that what is lost with a frame is
missed least.  But two of them in a row, this one and that of the cells, are one
lattice: a codec's strong planes then lie on neighbouring carriers, unless precoding
(:mod:`semcom_blocks.phy.precoding`) gives all of them the same power.
``./semcom eval waveform`` measures both.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import gcd, sqrt
from typing import Any

import numpy as np

from semcom_blocks.errors import ConfigError, require_choice
from semcom_blocks.phy.pn import pn_qpsk

#: Interleavers of a stream; their place here is what a stream's descriptor has as ``i``, and
#: the first is that of a descriptor without one.
INTERLEAVERS = ("golden", "none", "random")
DEFAULT_INTERLEAVER = "golden"
#: Seed of the random permutations.
RANDOM_SEED = 0x5E3C
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


@lru_cache(maxsize=4)
def random_permutation(n: int) -> np.ndarray:
    """Pseudo-random permutation of n items, int64 (n,): position p takes item ``order[p]``.

    The order of n raw numbers of the PCG64 generator, whose stream NumPy keeps the same
    in all its versions (NEP 19), as it does not for its ``permutation``.
    """
    order = np.argsort(np.random.PCG64(RANDOM_SEED).random_raw(n), kind="stable")
    order.setflags(write=False)
    return order


def _order(n: int, method: str) -> np.ndarray:
    """Item of each position, int64 (n,)."""
    require_choice("interleaver", method, INTERLEAVERS)
    if method == "none":
        return np.arange(n)
    return permutation(n) if method == "golden" else random_permutation(n)


def interleaver_of(descriptor: Mapping[str, Any]) -> str:
    """Interleaver that a stream's descriptor names; :class:`ConfigError` for an unknown number."""
    number = descriptor.get("i", 0)
    if type(number) is not int or not 0 <= number < len(INTERLEAVERS):
        limits = f"permitted: 0 to {len(INTERLEAVERS) - 1}"
        raise ConfigError(f"interleaver i of a descriptor is {number!r}, {limits}")
    return INTERLEAVERS[number]


def naming(method: str) -> dict[str, int]:
    """What a descriptor has besides for :func:`interleaver_of` to find ``method``."""
    number = INTERLEAVERS.index(require_choice("interleaver", method, INTERLEAVERS))
    return {"i": number} if number else {}


def spread(symbols: np.ndarray, method: str = DEFAULT_INTERLEAVER) -> np.ndarray:
    """Permute a whole stream before it is cut into frames, (n,) → (n,).

    Unless ``method`` is ``none`` every frame then holds a sample of the whole picture: frames
    have equal power although a codec's channels have not, and a lost frame leaves many small
    gaps instead of one large one.  Raises :class:`ConfigError` for an unknown ``method``.
    """
    return symbols[_order(len(symbols), method)]


def gather(cells: np.ndarray, method: str = DEFAULT_INTERLEAVER) -> np.ndarray:
    """Undo :func:`spread` of the same ``method``, (n,) → (n,)."""
    out = np.empty_like(cells)
    out[_order(len(cells), method)] = cells
    return out
