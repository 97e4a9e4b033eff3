# SPDX-License-Identifier: GPL-3.0-or-later
"""Bits of a semantic stream on M-QAM symbols, uncoded: what is damaged stays, and is measured.

The symbols travel like analog ones: interleaved over carriers and frames, equalised with a noise
variance each. Codecs of such streams are made so that wrong bits make the result worse, not void.
"""

from __future__ import annotations

import numpy as np

from semcom_blocks.phy import qam

# A symbol that did not arrive has infinite noise; the demapper wants numbers.
ERASED_NOISE_VAR = 1e12


def to_symbols(bits: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Bits uint8 (n,) → unit-power symbols complex64 (⌈n / bits_per_symbol⌉,), zeros appended."""
    missing = -len(bits) % bits_per_symbol
    return qam.modulate(np.append(bits, np.zeros(missing, np.uint8)), bits_per_symbol)


def from_symbols(
    symbols: np.ndarray, noise_var: np.ndarray, bits_per_symbol: int, n_bits: int
) -> np.ndarray:
    """The most likely bits uint8 (n_bits,) of symbols complex64 (k,); erased ones give zeros."""
    finite = np.where(np.isfinite(noise_var), noise_var, ERASED_NOISE_VAR).astype(np.float32)
    llr = qam.demodulate(symbols, np.maximum(finite, 1 / ERASED_NOISE_VAR), bits_per_symbol)
    return (llr[:n_bits] < 0).astype(np.uint8)
