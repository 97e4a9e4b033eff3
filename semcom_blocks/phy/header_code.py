# SPDX-License-Identifier: GPL-3.0-or-later
"""The header's code: first-order Reed-Muller RM(1, 5), (32, 6), distance 16.

Its 64 words are the 32 Walsh functions and their negatives (biorthogonal), so
soft maximum-likelihood decoding is one Hadamard transform and a search for the
largest magnitude (R. R. Green, JPL SPS 37-39-IV, 1966: the "Green machine" of
Mariner 9).  Distance 16 against the payload code's 10: 2 dB sturdier at equal
energy per code bit; what the header needs beyond that comes from BPSK (3 dB over
QPSK) and from repetition, whose LLRs are added before decoding.

    c = b0 + b1 x1 + b2 x2 + b3 x3 + b4 x4 + b5 x5   (mod 2)

where x1 … x5 are the bits of the position 0 … 31, x1 the most significant.
Same conventions as :mod:`semcom_blocks.phy.coding`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.viterbi import bounded

INFO_BITS = 6
CODE_BITS = 32

_POSITION = np.arange(CODE_BITS)
_PLACES = np.arange(INFO_BITS - 2, -1, -1)  # 4 … 0: x1 is the most significant
#: Generator matrix, (6, 32) of 0 and 1.
GENERATOR = np.vstack(
    [np.ones(CODE_BITS, np.int64), (_POSITION[None, :] >> _PLACES[:, None]) & 1]
).astype(np.uint8)
#: Walsh functions as signs, (32, 32): row i is the word of the bits of i with b0 = 0.
_INDEX_BITS = (_POSITION[:, None] >> _PLACES[None, :]) & 1
_WALSH = (1.0 - 2.0 * ((_INDEX_BITS @ GENERATOR[1:].astype(np.int64)) & 1)).astype(np.float32)


def encode(bits: ArrayLike) -> NDArray[np.uint8]:
    """Encode (..., 6 m) bits of 0 and 1 to (..., 32 m) uint8; block i carries bits 6i … 6i+5."""
    bits = np.asarray(bits)
    if bits.ndim == 0 or bits.dtype.kind not in "uib" or bits.shape[-1] % INFO_BITS:
        raise ConfigError(
            f"bits are {bits.dtype} of shape {bits.shape}, permitted: integers (..., 6 m)"
        )
    if bits.size and (bits.min() < 0 or bits.max() > 1):
        raise ConfigError(f"bits span {bits.min()} to {bits.max()}, permitted: 0 and 1")
    n_blocks = bits.shape[-1] // INFO_BITS
    blocks = bits.astype(np.uint8).reshape(*bits.shape[:-1], n_blocks, INFO_BITS)
    code = (blocks @ GENERATOR) % np.uint8(2)  # at most 6 ones are added: no overflow
    return code.reshape(*bits.shape[:-1], n_blocks * CODE_BITS)


def decode(llr: ArrayLike) -> NDArray[np.uint8]:
    """Soft maximum-likelihood decoding: (..., 32 m) LLRs to (..., 6 m) uint8 bits.

    LLR positive = bit 0; NaN is an erasure.  Raises :class:`ConfigError` on another length.
    """
    llr = np.asarray(llr)
    if llr.ndim == 0 or llr.dtype.kind not in "fiu" or llr.shape[-1] % CODE_BITS:
        raise ConfigError(f"llr is {llr.dtype} of shape {llr.shape}, permitted: real (..., 32 m)")
    n_blocks = llr.shape[-1] // CODE_BITS
    correlation = bounded(llr).reshape(-1, CODE_BITS) @ _WALSH.T  # (blocks, 32)
    best = np.abs(correlation).argmax(axis=1)
    negative = correlation[np.arange(best.size), best] < 0
    bits = np.concatenate([negative[:, None], _INDEX_BITS[best]], axis=1).astype(np.uint8)
    return bits.reshape(*llr.shape[:-1], n_blocks * INFO_BITS)
