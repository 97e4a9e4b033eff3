# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections undo what a mixer does; what does not fit the converter is clipped and counted."""

import numpy as np
import pytest

from semcom_blocks.phy.frontend import correct, predistort

MU, NU, DC = 0.98 - 0.02j, 0.04 + 0.03j, 0.01 - 0.02j


@pytest.fixture
def signal():
    rng = np.random.default_rng(1)
    return (rng.standard_normal((4096, 2)) @ [1, 1j] * 0.1).astype(np.complex64)


def image_db(signal, found):
    """Power of the conjugate's share against the signal's, by least squares."""
    basis = np.stack([signal, signal.conj(), np.ones_like(signal)], axis=1)
    direct, image, offset = np.linalg.lstsq(basis, found, rcond=None)[0]
    return 20 * np.log10(abs(image / direct) + 1e-12), abs(offset)


def test_a_receiver_without_image_and_offset(signal):
    taken = MU * signal + NU * signal.conj() + DC
    assert image_db(signal, taken)[0] > -30
    corrected = correct(taken.astype(np.complex64), -NU / np.conj(MU), DC)
    image, offset = image_db(signal, corrected)
    assert image < -100
    assert offset < 1e-6
    assert corrected.dtype == np.complex64


def test_a_transmitter_without_image_and_offset(signal):
    """The mixer's own offset d is met by c with mu c + nu c* = d."""
    offset = (np.conj(MU) * DC - NU * np.conj(DC)) / (abs(MU) ** 2 - abs(NU) ** 2)
    sent, clipped = predistort(signal, 0.5, -NU / MU, offset)
    radiated = MU * sent + NU * sent.conj() + DC
    image, left = image_db(signal, radiated)
    assert clipped == 0
    assert image < -100
    assert left < 1e-6


def test_the_level_and_nothing_else(signal):
    sent, clipped = predistort(signal, 0.25)
    assert clipped == 0
    assert sent.dtype == np.complex64
    np.testing.assert_allclose(sent, 0.25 * signal, rtol=1e-6)


def test_peaks_are_clipped_branch_by_branch_and_counted():
    samples = np.array([0.5 + 0.5j, 2 + 0.25j, -3 - 4j, 0.25 - 1.5j], np.complex64)
    sent, clipped = predistort(samples, 1.0)
    assert clipped == 3
    np.testing.assert_array_equal(sent, [0.5 + 0.5j, 1 + 0.25j, -1 - 1j, 0.25 - 1j])


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_samples(n):
    samples = np.ones(n, np.complex64)
    assert len(correct(samples, 0.1, 0.1)) == n
    assert len(predistort(samples, 1.0, 0.1, 0.1)[0]) == n
