# SPDX-License-Identifier: GPL-3.0-or-later
"""Files at a budget: never over it, decodable from what is sent alone, better with more."""

import numpy as np
import pytest

from host.baseline import source
from host.baseline.source import FORMATS, MODES, Ladder, encode, grey, pack, unpack
from host.metrics import psnr_db
from semcom_blocks.errors import ConfigError


def picture(height=48, width=40):
    """A disc on a slope with some texture, 8-bit."""
    y, x = np.mgrid[:height, :width] / height
    inside = np.hypot(x - 0.4, y - 0.5) < 0.25
    planes = [255 * x, 200 * inside, 120 + 60 * y + 20 * np.sin(30 * x * y)]
    return np.clip(np.stack(planes, 2), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def ladders():
    return {kind: Ladder(picture(), kind) for kind in FORMATS}


@pytest.mark.parametrize("kind", FORMATS)
def test_budgets_are_kept_and_more_is_better(ladders, kind):
    found = []
    for budget in (300, 700, 1500, 4000, 9000):
        coded = ladders[kind].fit(budget)
        if coded is None:
            found.append(0.0)
            continue
        assert coded.bits <= budget
        assert coded.bits == source.SIDE_BITS + 8 * len(coded.body)
        found.append(psnr_db(picture(), coded.decode()))
    assert found == sorted(found)
    assert found[-1] > 27  # WebP halves the resolution of colour
    assert ladders[kind].fit(source.SIDE_BITS) is None


@pytest.mark.parametrize("kind", FORMATS)
def test_the_largest_quality_that_fits_is_taken(ladders, kind):
    ladder = ladders[kind]
    step = ladder._largest(0, 1, 4000)
    sizes = [ladder._size(0, 1, each) for each in (step, step + 1)]
    assert sizes[0] <= 4000 < sizes[1]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_agreed_on_does_not_depend_on_the_picture(kind):
    for mode in range(len(MODES[kind])):
        fixed = set()
        for other in (picture(), picture()[::-1].copy(), 255 - picture()):
            coded = encode(other, kind, mode, 1, 60)
            header = bytearray(coded.header)
            if kind == "webp":  # lengths, which the stop bit tells
                header[4:8] = header[16:20] = bytes(4)
            if kind == "avif":
                place = header.index(b"iloc")
                header[place + 22 : place + 30] = bytes(8)
                box = header.index(b"mdat")
                header[box - 4 : box] = bytes(4)
                header[-8:] = bytes(8)  # of the sequence header one bit is told by the mode
            fixed.add((bytes(header), coded.middle, coded.trailer))
        assert len(fixed) == 1


def test_packed_bits_fill_the_budget_exactly_and_come_back(ladders):
    for budget in (700, 1503, 4001):
        coded = ladders["jpeg"].fit(budget)
        bits = pack(coded, budget)
        assert bits.size == budget - (source.SIDE_BITS - 1)
        assert unpack(bits) == coded.body
    assert unpack(pack(None, 100)) == b""
    with pytest.raises(ConfigError, match="budget is 50 bits"):
        pack(coded, 50)
    with pytest.raises(ConfigError, match="stop bit"):
        unpack(np.zeros(8, np.uint8))


def test_odd_and_tiny_pictures():
    for size in ((1, 1), (7, 3), (33, 31)):
        small = picture(*size)
        for kind in FORMATS:
            coded = Ladder(small, kind).fit(20_000)
            assert coded.decode().shape == small.shape
        assert (grey(small) == 128).all()


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="format is 'gif'"):
        encode(picture(), "gif", 0, 1, 50)
    with pytest.raises(ConfigError, match="quality is 101"):
        encode(picture(), "jpeg", 0, 1, 101)
    with pytest.raises(ConfigError, match="scale is 3"):
        encode(picture(), "jpeg", 0, 3, 50)
