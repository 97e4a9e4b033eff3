# SPDX-License-Identifier: GPL-3.0-or-later
"""The classic chain: budgets kept, files restored, the channel as theory says."""

import io

import numpy as np
import pytest
from scipy.special import erfc

pytest.importorskip("PIL")
from PIL import Image

from host.evaluate import classic
from host.metrics import psnr_db
from semcom_blocks.errors import ConfigError


def picture(side=64):
    """A disc on a slope, 8-bit."""
    y, x = np.mgrid[:side, :side] / side
    inside = np.hypot(x - 0.4, y - 0.5) < 0.25
    return np.stack([255 * x, 200 * inside, 120 + 60 * y], 2).astype(np.uint8)


@pytest.mark.parametrize("kind", classic.FORMATS)
def test_what_is_taken_off_is_put_back(kind):
    coded = classic.encode(picture(), kind, 1, 65)
    with Image.open(io.BytesIO(_whole(coded))) as image:
        expected = np.asarray(image.convert("RGB"))
    found, readable = classic.decode(coded)
    assert readable
    assert np.array_equal(found, expected)
    assert coded.bits() == 8 * len(coded.body) + classic.SIDE_BITS
    assert coded.bits(whole=True) > coded.bits()


def _whole(coded):
    return coded.header + coded.body + (classic.END_OF_IMAGE if coded.kind == "jpeg" else b"")


@pytest.mark.parametrize("kind", classic.FORMATS)
def test_a_larger_budget_gives_a_better_picture_within_it(kind):
    found = []
    for budget in (400, 1000, 3000, 10_000):
        coded = classic.fit(picture(), kind, budget)
        assert coded.bits() <= budget
        found.append(psnr_db(picture(), classic.decode(coded)[0]))
    assert found == sorted(found)
    assert found[-1] > found[0] + 3
    assert classic.fit(picture(), kind, 10) is None
    assert classic.fit(picture(), "jpeg", 3000, whole=True) is None  # the tables alone are more


@pytest.mark.parametrize("kind", classic.FORMATS)
def test_a_damaged_file_is_shown_as_far_as_it_goes(kind):
    coded = classic.encode(picture(), kind, 1, 50)
    for seed in range(20):
        body = np.random.default_rng(seed).integers(0, 256, len(coded.body), np.uint8).tobytes()
        found, readable = classic.decode(coded, body)
        assert found.shape == (64, 64, 3)
        assert readable or (found == 128).all()
    assert not classic.decode(coded, b"")[1] or kind == "jpeg"


def test_bare_qpsk_errs_as_theory_says():
    bits = np.random.default_rng(0).integers(0, 2, 200_001).astype(np.uint8)
    for snr_db in (0.0, 4.0, 7.0):
        heard = classic.send_bare(bits, snr_db, np.random.default_rng(1))
        expected = 0.5 * erfc(np.sqrt(10 ** (snr_db / 10) / 2))
        assert np.mean(heard != bits) == pytest.approx(expected, rel=0.06)


def test_the_code_carries_where_bare_bits_fail():
    bits = np.random.default_rng(0).integers(0, 2, 4000).astype(np.uint8)
    assert np.array_equal(classic.send_coded(bits, 5.0, np.random.default_rng(1)), bits)
    assert np.mean(classic.send_coded(bits, -3.0, np.random.default_rng(1)) != bits) > 0.05
    assert classic.symbols_coded(4000) == 4006


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="format is 'gif'"):
        classic.encode(picture(), "gif", 1, 50)
    with pytest.raises(ConfigError, match="snr_db"):
        classic.send_bare(np.zeros(4, np.uint8), np.nan, np.random.default_rng(0))
