# SPDX-License-Identifier: GPL-3.0-or-later
"""Matching of edges: tolerance, one to one, thinning."""

import numpy as np
import pytest

pytest.importorskip("torch")  # the host's suite

from host.evaluate.edge_scores import f_score, matched, near_f, pairs_within, thinned
from host.evaluate.edges import monotone
from host.evaluate.hed import counts, scores


def line(column, shape=(40, 40), value=255):
    edges = np.zeros(shape, np.uint8)
    edges[:, column] = value
    return edges


@pytest.mark.parametrize(("shift", "f"), [(0, 1.0), (1, 1.0), (2, 0.0)])
def test_near_lines_agree_within_the_distance(shift, f):
    assert near_f(line(10), line(10 + shift), 1.0) == f


def test_empty_maps():
    empty = np.zeros((8, 8), np.uint8)
    assert near_f(empty, empty, 1.0) == 1.0
    assert near_f(line(3, (8, 8)), empty, 1.0) == 0.0


def test_matching_is_one_to_one():
    drawn = line(10).astype(bool)
    found = drawn | line(11).astype(bool) | line(9).astype(bool)
    assert matched(pairs_within(found, drawn, 2.0)).sum() == drawn.sum()


def test_matching_of_nothing():
    none = np.zeros((5, 5), bool)
    assert not matched(pairs_within(none, ~none, 1.0)).size
    assert not matched(pairs_within(~none, none, 1.0)).any()


def test_thinning_leaves_the_ridge():
    column = np.arange(40)
    broad = np.exp(-(((column - 20) / 2.5) ** 2))[None].repeat(40, 0)
    thin = thinned((255 * broad).astype(np.uint8))
    assert set(np.nonzero(thin[20] > 0.2)[0]) == {20}


def test_scores_of_the_drawn_lines_themselves_are_perfect():
    drawn = np.stack([line(12), line(12)]) > 0
    table = counts(line(12), drawn, np.array([0.3, 0.6]))
    found = scores(table[None])
    assert found["ods_f"] == found["ois_f"] == 1.0


def test_scores_count_what_nobody_drew():
    drawn = line(12)[None] > 0
    table = counts(np.maximum(line(12), line(30)), drawn, np.array([0.5]))
    found = scores(table[None])
    assert found["ods_precision"] == pytest.approx(0.5) and found["ods_recall"] == 1.0


def test_f_of_nothing_is_nothing():
    assert f_score(0, 0) == 0


def test_monotone_notices_a_rise():
    rows = [{"ber": b, "f": f} for b, f in ((0, 0.9), (0.1, 0.8), (0.2, 0.85))]
    assert not monotone(rows, "f")
    assert monotone(rows[:2], "f")
