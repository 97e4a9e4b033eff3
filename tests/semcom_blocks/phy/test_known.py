# SPDX-License-Identifier: GPL-3.0-or-later
"""Known cells, packed: the same cells as the mask's, and the same estimate from them."""

import numpy as np
import pytest

from semcom_blocks.phy.estimators import METHODS, estimate, estimate_known, least_squares
from semcom_blocks.phy.known import KnownCells, pack
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import known_stack

FAMILY = [Numerology(), Numerology(n_used=16, n_comb=2, block_period=4), Numerology(256, 16, 240)]


@pytest.mark.parametrize("num", FAMILY, ids=lambda num: f"{num.fft_size}-{num.n_used}")
@pytest.mark.parametrize("analog", [0, 1, 3000])
def test_selected_cells_are_those_that_the_mask_marks(make_link, num, analog):
    sent = make_link(0, num).frame(analog=analog)
    layout = sent.layout
    cells, packed = layout.select(sent.grid), pack(sent.grid, layout.known)
    np.testing.assert_array_equal(cells.rows, packed.rows)
    np.testing.assert_array_equal(cells.comb.reshape(-1), packed.comb.reshape(-1))
    np.testing.assert_array_equal(cells.flat(), layout.known_cells.flat())
    assert len(cells.flat()) == np.count_nonzero(layout.known)


def test_further_rows_go_on_top():
    cells = KnownCells(np.ones((2, 3), np.complex64), np.zeros((1, 4), np.complex64))
    higher = cells.below(np.full((1, 3), 5, np.complex64))
    assert higher.rows[:, 0].tolist() == [5, 1, 1]
    assert higher.comb is cells.comb


def test_a_ragged_mask_cannot_be_packed():
    known = np.zeros((4, 6), bool)
    known[0] = True
    known[1, 2] = known[2, 3] = True
    assert pack(np.ones((4, 6), np.complex64), known) is None


def observed(link, num, analog=2000):
    """Received, reference and mask of a frame behind a random channel."""
    reference, known = known_stack(link.frame(analog=analog).layout)
    received = reference * link.response(link.rayleigh((0.6, 0.4)))
    noise = link.normal(received.size, 0.01).reshape(received.shape)
    return (received + noise).astype(np.complex64), reference, known


@pytest.mark.parametrize("method", METHODS)
def test_packed_cells_give_the_same_estimate_to_the_bit(link, method):
    received, reference, known = observed(link, link.numerology)
    whole = estimate(received, reference, known, link.numerology, method)
    packed = pack(received, known), pack(reference, known)
    parts = estimate_known(*packed, link.numerology, method)
    assert np.array_equal(whole.response, parts.response)
    assert (whole.noise_var, whole.snr_db) == (parts.noise_var, parts.snr_db)


def test_a_ragged_mask_is_estimated_all_the_same(link):
    """One cell fewer is known: the estimate moves by less than its own error."""
    received, reference, known = observed(link, link.numerology)
    ragged = known.copy()
    ragged[40, np.flatnonzero(known[40])[1]] = False
    assert pack(received, ragged) is None
    full, less = (estimate(received, reference, mask, link.numerology) for mask in (known, ragged))
    assert 0 < np.abs(full.response - less.response).max() < 0.01
    assert less.noise_var == pytest.approx(full.noise_var, rel=0.02)
    response, weight, _ = least_squares(received, reference, ragged)
    assert weight.sum() == pytest.approx(np.count_nonzero(ragged), rel=1e-5)
    assert np.all(np.isfinite(response))
