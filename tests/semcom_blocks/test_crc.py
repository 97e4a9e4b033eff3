# SPDX-License-Identifier: GPL-3.0-or-later
"""Both CRCs: check values, and every kind of damage that they promise to find."""

import itertools

import numpy as np
import pytest

from semcom_blocks.crc import crc16_ccitt, crc32

#: One packet's worth.
BODY = bytes(np.random.default_rng(0).integers(0, 256, 252, dtype=np.uint8))
SEALED = {
    crc16_ccitt: BODY + crc16_ccitt(BODY).to_bytes(2, "big"),
    crc32: BODY + crc32(BODY).to_bytes(4, "big"),
}


def accepted(crc, data):
    size = 2 if crc is crc16_ccitt else 4
    return crc(data[:-size]) == int.from_bytes(data[-size:], "big")


@pytest.mark.parametrize(("crc", "check"), [(crc16_ccitt, 0x29B1), (crc32, 0xCBF43926)])
def test_check_value(crc, check):
    assert crc(b"123456789") == check


def test_crc16_is_the_shift_register():
    register = 0xFFFF
    for byte, bit in itertools.product(BODY[:40], range(7, -1, -1)):
        feedback = (register >> 15) ^ (byte >> bit & 1)
        register = ((register << 1) & 0xFFFF) ^ (0x1021 * feedback)
    assert crc16_ccitt(BODY[:40]) == register


@pytest.mark.parametrize("crc", [crc16_ccitt, crc32])
def test_every_single_bit_flip_is_found(crc):
    sealed = SEALED[crc]
    assert accepted(crc, sealed)
    number = int.from_bytes(sealed, "big")
    for bit in range(8 * len(sealed)):
        assert not accepted(crc, (number ^ (1 << bit)).to_bytes(len(sealed), "big"))


@pytest.mark.parametrize(("crc", "longest"), [(crc16_ccitt, 16), (crc32, 32)])
def test_bursts_are_found_at_every_place(crc, longest):
    """Every length, every place; first and last bit wrong, those between at random.

    CRC-32 takes the bits of a byte in the other order, so a burst is one in that order.
    """
    rng = np.random.default_rng(1)
    order = "little" if crc is crc32 else "big"
    body = BODY[:60]
    size = 2 if crc is crc16_ccitt else 4
    # The check follows the body in the order in which the register shifts out.
    sealed = body + crc(body).to_bytes(size, order)
    number = int.from_bytes(sealed, order)
    n_bits = 8 * len(sealed)
    for length in range(2, longest + 1):
        inner = rng.integers(0, 1 << (length - 2), n_bits) if length > 2 else np.zeros(n_bits)
        for place in range(n_bits - length + 1):
            burst = (1 << (length - 1)) | (int(inner[place]) << 1) | 1
            damaged = (number ^ (burst << place)).to_bytes(len(sealed), order)
            assert crc(damaged[:-size]) != int.from_bytes(damaged[-size:], order)


def test_a_million_random_corruptions_are_found():
    """Each replaces 1 to 8 bytes at random places; 2^-32 each would slip through."""
    rng = np.random.default_rng(2)
    sealed = np.frombuffer(SEALED[crc32], np.uint8)
    n_missed = 0
    for n_bytes in range(1, 9):
        for _ in range(25):
            damaged = np.tile(sealed, (5000, 1))
            rows = np.arange(5000)[:, None]
            places = rng.integers(0, sealed.size, (5000, n_bytes))
            places[:, 0] = rng.integers(0, sealed.size, 5000)
            damaged[rows, places] ^= rng.integers(1, 256, (5000, n_bytes), dtype=np.uint8)
            changed = (damaged != sealed).any(axis=1)
            blob = damaged.tobytes()
            width = sealed.size
            hits = [accepted(crc32, blob[at : at + width]) for at in range(0, len(blob), width)]
            n_missed += int((np.array(hits) & changed).sum())
    assert n_missed == 0
