# SPDX-License-Identifier: GPL-3.0-or-later
"""Bit error rate of this testbed's uncoded QAM in noise: exact, and the bound behind (4).

A Gray-mapped axis of n levels loses a bit wherever noise carries a level into a neighbour's
interval whose label differs in it; with the levels' distances from the thresholds

    BER = 1/(n·log2 n) Σ_i Σ_j d_H(i, j) · P(level i is decided as j)

The bound is BER ≤ exp(−α·γ/(M−1))/β, of BPSK with 1.5 in place of M − 1.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from host.allocation.streams import ORDERS, steps_of
from semcom_blocks.errors import ConfigError

Array = NDArray[np.float64]

#: (α, β) of (4) by name: cited by the paper, and the tightest bound on this testbed's BPSK to
#: 256-QAM for BERs from 1e-7 to 0.1; ``semcom experiment latency-aware --only bits``.
BOUNDS = {"paper": (1.5, 5.0), "fitted": (1.6324, 4.0916)}
#: Where the inverse is tabulated: γ/(M−1), from half the bits wrong to none.
_STEPS = np.geomspace(1e-4, 60.0, 600)
_LEAST = 1e-300


def gray_levels(bits: int) -> tuple[Array, NDArray[np.int64]]:
    """Levels of a Gray-mapped axis of unit power, rising (2**bits,), and their labels."""
    n = 1 << bits
    position = np.arange(n)
    levels = (2.0 * position - (n - 1)) / np.sqrt((n * n - 1) / 3)
    # The all-zero label is the highest level.
    index = n - 1 - position
    return levels, index ^ (index >> 1)


def bit_error_rate(order: int, snr: ArrayLike) -> Array:
    """Exact BER of M-QAM of ``order`` (2, 4, 16, 64, 256) at Es/N0 ``snr``, linear."""
    if order not in ORDERS:
        raise ConfigError(f"modulation order is {order}, permitted: {ORDERS}")
    snr = np.asarray(snr, float)
    if order == 2:  # all of the energy on one axis
        return ndtr(-np.sqrt(2 * snr))
    bits = (order.bit_length() - 1) // 2
    levels, labels = gray_levels(bits)
    thresholds = np.concatenate([[-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]])
    wrong = np.array([[bin(a ^ b).count("1") for b in labels] for a in labels])  # (n, n)
    scale = np.sqrt(snr)[..., None]  # an axis of unit power has noise 1/γ
    total = np.zeros(snr.shape)
    for level, row in zip(levels, wrong, strict=True):
        with np.errstate(invalid="ignore"):
            cells = np.diff(_below((thresholds - level) * scale), axis=-1)
        total += cells @ row
    return total / (len(levels) * bits)


def _below(x: Array) -> Array:
    return ndtr(np.where(np.isnan(x), 0.0, x))


@lru_cache(maxsize=8)
def _table(order: int) -> tuple[Array, Array]:
    """ln γ and −ln BER, both rising."""
    snr = _STEPS * float(steps_of(order))
    return np.log(snr), -np.log(np.maximum(bit_error_rate(order, snr), _LEAST))


def fast_bit_error_rate(order: int, snr: ArrayLike) -> Array:
    """:func:`bit_error_rate` from a table, within 1 % of it above 1e-9."""
    at, log_rate = _table(order)
    snr = np.maximum(np.asarray(snr, float), _LEAST)
    return np.exp(-np.interp(np.log(snr), at, log_rate))


def least_snr(order: int, ber: ArrayLike) -> Array:
    """The Es/N0, linear, at which M-QAM of ``order`` has ``ber``."""
    at, log_rate = _table(order)
    return np.exp(np.interp(-np.log(np.asarray(ber, float)), log_rate, at))
