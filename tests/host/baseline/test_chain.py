# SPDX-License-Identifier: GPL-3.0-or-later
"""Expected quality, the choice of modulation and rate, cliffs and crossings."""

import numpy as np
import pytest

from host.baseline.bler import BlerTable
from host.baseline.chain import BLER_LIMIT, Chain, Files, Point, best, crossings, files
from host.baseline.effective import Fading
from host.baseline.mcs import SWEEP, Mcs
from host.baseline.source import Ladder
from host.metrics import psnr_db


def score(sent, shown):
    return min(psnr_db(sent, shown), 60.0), 0.5


@pytest.fixture(scope="module")
def found():
    y, x = np.mgrid[:32, :32] / 32
    picture = np.stack([255 * x, 255 * y, 255 * x * y], 2).astype(np.uint8)
    ladders = [Ladder(picture, "jpeg"), Ladder(picture[::-1].copy(), "jpeg")]
    return files(ladders, [512, 256], SWEEP, score)


@pytest.fixture(scope="module")
def chain(found):
    return Chain(found, BlerTable.load(), Fading(np.ones((1, 1))))


def test_more_symbols_and_more_bits_a_symbol_give_better_files(found):
    psnr = found.arrived[..., 0]
    assert psnr[0, -1] > psnr[0, 2] + 5
    assert psnr[0, 2] > psnr[1, 2]
    assert (psnr >= found.lost[:, :1] - 1e-9).all()


def test_far_above_the_cliff_the_file_and_far_below_grey(found, chain):
    high, low = chain.at(40.0), chain.at(-25.0)
    assert [p.psnr_db for p in high] == pytest.approx(found.arrived[..., 0].mean(0))
    assert [p.psnr_db for p in low] == pytest.approx([found.lost[:, 0].mean()] * len(SWEEP))
    assert all(p.bler > 0.999 for p in low)


def test_a_fixed_rate_falls_off_a_cliff_and_the_best_does_not(chain):
    fixed = Mcs.parse("64-QAM 3/4")
    snrs_db = np.arange(10.0, 20.0, 0.25)
    at = [next(p for p in chain.at(s) if p.mcs == fixed).psnr_db for s in snrs_db]
    chosen = [best(chain.at(s)) for s in snrs_db]
    assert max(np.diff(at)) > 3  # dB lost in a quarter of a dB
    assert (np.diff(at) >= -1e-9).all()
    assert all(p.bler <= BLER_LIMIT for p in chosen)
    assert np.diff([p.psnr_db for p in chosen]).min() > -1e-9


def test_the_limit_is_kept_and_without_any_choice_the_safest_is_taken():
    mcs = SWEEP[0]
    points = [Point(mcs, 0.3, 25.0, 0.5), Point(mcs, 0.09, 20.0, 0.5), Point(mcs, 0.01, 15.0, 0.5)]
    assert best(points).psnr_db == 20.0
    assert best(points, 1.0).psnr_db == 25.0
    assert best([*points[:1], Point(mcs, 0.2, 12.0, 0.5)]).bler == 0.2


def test_equal_files_of_pictures_of_unequal_size_are_lost_unequally():
    quality = np.ones((2, 1, 2)) * 30
    both = Files((SWEEP[5],), (128, 512), quality, np.zeros((2, 2)))
    at = [Chain(both, BlerTable.load(), Fading(np.ones((1, 1)))).at(s)[0] for s in (6.0, 6.2)]
    assert 0 < at[1].bler < at[0].bler < 1
    assert at[0].psnr_db == pytest.approx(30 * (1 - at[0].bler))


def test_crossings_are_interpolated():
    at = np.array([0.0, 1.0, 2.0, 3.0])
    assert crossings(at, np.array([1.0, -1.0, -1.0, 3.0])) == [0.5, 2.25]
    assert crossings(at, np.ones(4)) == []
