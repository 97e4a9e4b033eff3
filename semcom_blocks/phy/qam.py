# SPDX-License-Identifier: GPL-3.0-or-later
"""Gray-mapped BPSK and square M-QAM with soft demapping."""

from functools import lru_cache

import numpy as np

from semcom_blocks.errors import ConfigError

#: Bits per symbol that the header can announce: BPSK, QPSK, 16-, 64-, 256-QAM.
BITS_PER_SYMBOL = (1, 2, 4, 6, 8)


@lru_cache(maxsize=8)
def _axis_levels(bits: int) -> np.ndarray:
    """Level of each Gray label of one axis, float32 (2**bits,), unit power; all-zero is highest."""
    n = 1 << bits
    position = np.arange(n)
    levels = np.empty(n, np.float32)
    levels[position ^ (position >> 1)] = n - 1 - 2 * position
    return levels / np.float32(np.sqrt((n * n - 1) / 3))


def _check(bits_per_symbol: int) -> None:
    if bits_per_symbol not in BITS_PER_SYMBOL:
        raise ConfigError(f"bits_per_symbol is {bits_per_symbol}, permitted: {BITS_PER_SYMBOL}")


def modulate(bits: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Map bits, uint8 (n·bits_per_symbol,), to unit-power symbols, complex64 (n,).

    The first half of each label selects the in-phase level, the second half the
    quadrature level.
    """
    _check(bits_per_symbol)
    labels = bits.reshape(-1, bits_per_symbol)
    if bits_per_symbol == 1:
        return (1.0 - 2.0 * labels[:, 0]).astype(np.complex64)
    half = bits_per_symbol // 2
    weights = 1 << np.arange(half - 1, -1, -1)
    levels = _axis_levels(half)
    in_phase = levels[labels[:, :half] @ weights]
    quadrature = levels[labels[:, half:] @ weights]
    return ((in_phase + 1j * quadrature) / np.sqrt(2.0)).astype(np.complex64)


def _axis_llr(values: np.ndarray, noise_var: np.ndarray, bits: int) -> np.ndarray:
    """Max-log LLR of one real axis of unit power, (n,) → float32 (n, bits)."""
    levels = _axis_levels(bits)
    distance = (values[:, None] - levels) ** 2 / noise_var[:, None]  # (n, 2**bits)
    labels = (np.arange(1 << bits)[:, None] >> np.arange(bits - 1, -1, -1)) & 1
    columns = [
        distance[:, labels[:, b] == 1].min(axis=1) - distance[:, labels[:, b] == 0].min(axis=1)
        for b in range(bits)
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def demodulate(symbols: np.ndarray, noise_var: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Soft-demap, complex64 (n,) and float32 (n,) → LLR float32 (n·bits_per_symbol,).

    ``noise_var`` is the complex noise variance of each symbol.  LLR = ln P(0)/P(1):
    positive means bit 0.  Exact for BPSK and QPSK, max-log above.
    """
    _check(bits_per_symbol)
    if bits_per_symbol == 1:
        return (4.0 * symbols.real / noise_var).astype(np.float32)
    half = bits_per_symbol // 2
    root2 = np.float32(np.sqrt(2.0))
    # Scaled to unit power per axis, the axis noise is noise_var/2 · 2, of which LLR needs 2·σ².
    axis_var = 2.0 * noise_var
    in_phase = _axis_llr(symbols.real * root2, axis_var, half)
    quadrature = _axis_llr(symbols.imag * root2, axis_var, half)
    return np.concatenate([in_phase, quadrature], axis=1).reshape(-1)
