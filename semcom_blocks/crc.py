# SPDX-License-Identifier: GPL-3.0-or-later
"""Cyclic redundancy checks, shared by the physical layer and the link.

Both run over bytes, most significant bit first where the standard says so, and
return a plain ``int``.  The tables live in CPython's C code.
"""

import binascii
import zlib

#: Start value of CRC-16/CCITT-FALSE; not zero, so that leading zero bytes count.
CRC16_INIT = 0xFFFF


def crc16_ccitt(data: bytes) -> int:
    """CRC-16/CCITT-FALSE of ``data``: G(x) = x^16 + x^12 + x^5 + 1, start 0xFFFF.

    Not reflected, no final XOR; the check value of ``b"123456789"`` is 0x29B1
    (ITU-T V.41 polynomial, parameters as in the Rocksoft model catalogue).
    Finds every burst of up to 16 bits and every odd number of bit errors.

    Returns an int in 0 … 0xFFFF.
    """
    return binascii.crc_hqx(data, CRC16_INIT)


def crc32(data: bytes) -> int:
    """CRC-32 of ``data`` as in IEEE 802.3, zlib and PNG; check value 0xCBF43926.

    Finds every burst of up to 32 bits; an arbitrary corruption passes with
    probability 2^-32.

    Returns an int in 0 … 0xFFFFFFFF.
    """
    return zlib.crc32(data) & 0xFFFFFFFF
