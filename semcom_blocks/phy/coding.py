# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel code of the digital payload: rate 1/2, K = 7, zero-terminated.

Conventions, fixed here for the whole testbed:

* bits are uint8 arrays of 0 and 1;
* generators 133 and 171 in octal, the tap of the newest input bit being the most
  significant; the output of 133 is sent first (as in IEEE 802.11-2020, 17.3.5.6):
  ``c[2t] = parity(133 & r)``, ``c[2t+1] = parity(171 & r)``,
  ``r = sum_j b[t-j] 2^(6-j)``;
* six zero bits follow the message, so n bits become 2 (n + 6);
* LLR = ln P(bit = 0) / P(bit = 1): positive means 0, zero is an erasure;
* bytes and bits are converted most significant bit first.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.viterbi import CONSTRAINT_LENGTH, GENERATORS, viterbi

#: Zero bits that bring the encoder back to state 0.
TAIL_BITS = CONSTRAINT_LENGTH - 1
#: Code bits per input bit.
RATE_INVERSE = 2
#: Most code words times bits in one call: 4 Mi bits take about 0.5 GB while decoded,
#: and are far beyond the longest message (64 KiB).
MAX_CALL_BITS = 1 << 22


def coded_length(n_bits: int) -> int:
    """Code bits of a message of ``n_bits``: 2 (n + 6)."""
    return RATE_INVERSE * (n_bits + TAIL_BITS)


def encode(bits: ArrayLike) -> NDArray[np.uint8]:
    """Encode messages: convolution modulo 2 with the two generators.

    ``bits`` is (..., n) of 0 and 1, n >= 0; each row is a message of its own.

    Returns (..., 2 (n + 6)) uint8.  Raises :class:`ConfigError` on other values.
    """
    bits = np.asarray(bits)
    if bits.ndim == 0 or bits.dtype.kind not in "uib":
        raise ConfigError(
            f"bits are {bits.dtype} of shape {bits.shape}, permitted: integers (..., n)"
        )
    if bits.size and (bits.min() < 0 or bits.max() > 1):
        raise ConfigError(f"bits span {bits.min()} to {bits.max()}, permitted: 0 and 1")
    bits = bits.astype(np.uint8, copy=False)
    n_bits = bits.shape[-1]
    n_steps = n_bits + TAIL_BITS
    code = np.zeros((*bits.shape[:-1], n_steps, RATE_INVERSE), np.uint8)
    for delay in range(CONSTRAINT_LENGTH):
        for output, generator in enumerate(GENERATORS):
            if generator >> (CONSTRAINT_LENGTH - 1 - delay) & 1:
                code[..., delay : delay + n_bits, output] ^= bits
    return code.reshape(*bits.shape[:-1], RATE_INVERSE * n_steps)


def decode(llr: ArrayLike) -> NDArray[np.uint8]:
    """Soft maximum-likelihood (Viterbi) decoding of whole code words.

    ``llr`` is (..., 2 (n + 6)) floating, positive = bit 0, NaN = erasure; each row is
    a code word.  Many equal words in one call cost far less than one by one.

    Returns (..., n) uint8.  Raises :class:`ConfigError` on an impossible length.
    Bit error rate in AWGN, BPSK or QPSK: 1e-5 at Eb/N0 = 4.2 dB.
    """
    llr = np.asarray(llr)
    if llr.ndim == 0 or llr.dtype.kind not in "fiu":
        raise ConfigError(
            f"llr is {llr.dtype} of shape {llr.shape}, permitted: real (..., 2 (n + 6))"
        )
    n_code = llr.shape[-1]
    if n_code % RATE_INVERSE or n_code < coded_length(0):
        raise ConfigError(f"code word of {n_code} LLRs, permitted: 2 (n + 6), at least 12")
    if llr.size > RATE_INVERSE * MAX_CALL_BITS:
        raise ConfigError(
            f"{llr.size} LLRs in a call, permitted: 0 to {RATE_INVERSE * MAX_CALL_BITS}"
        )
    n_bits = n_code // RATE_INVERSE - TAIL_BITS
    if llr.size == 0 or n_bits == 0:
        return np.zeros((*llr.shape[:-1], n_bits), np.uint8)
    steps = llr.reshape(-1, n_code // RATE_INVERSE, RATE_INVERSE)  # (words, steps, 2)
    bits = viterbi(steps)[:, :n_bits]
    return bits.reshape(*llr.shape[:-1], n_bits)


def bytes_to_bits(data: bytes) -> NDArray[np.uint8]:
    """Bits of ``data``, most significant first: (8 * len(data),) uint8."""
    return np.unpackbits(np.frombuffer(data, dtype=np.uint8))


def bits_to_bytes(bits: ArrayLike) -> bytes:
    """Inverse of :func:`bytes_to_bits`; (8 m,) bits to m bytes, else :class:`ConfigError`."""
    bits = np.asarray(bits, dtype=np.uint8)
    if bits.ndim != 1 or bits.size % 8:
        raise ConfigError(f"bits have shape {bits.shape}, permitted: (8 m,)")
    return np.packbits(bits).tobytes()
