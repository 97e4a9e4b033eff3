# SPDX-License-Identifier: GPL-3.0-or-later
"""Confirmation by the long field: timing, integer CFO, and what it must refuse."""

import numpy as np
import pytest

from semcom_blocks.phy import acquire
from semcom_blocks.phy.detect import Candidate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_start, preamble_len, short_len

NUM = Numerology()
BEFORE = 1000


def confirm(stream, cfo_hz=0.0, position=BEFORE):
    return acquire.confirm(stream[position:], position, Candidate(position, cfo_hz), NUM)


def late(acquisition):
    """Samples from the first long symbol's start to the window."""
    return acquisition.long_position - BEFORE - long_start(NUM)


@pytest.mark.parametrize("carriers", [-10, -8.3, -4, -1.9, 0, 0.4, 3, 8, 9.9])
def test_integer_cfo_is_resolved(link, carriers):
    """The short field reads the CFO modulo 4 carriers; the candidate says what it read."""
    cfo_hz = carriers * NUM.spacing_hz
    stream = link.send(link.frame(analog=0).samples, snr_db=25, cfo_hz=cfo_hz)
    read = (carriers + 2) % 4 - 2
    acquisition = confirm(stream, read * NUM.spacing_hz)
    assert acquisition.cfo_hz == pytest.approx(cfo_hz, abs=0.01 * NUM.spacing_hz)
    assert late(acquisition) == -acquire.backoff(NUM)
    assert acquisition.quality > 0.8


@pytest.mark.parametrize("shift", [-60, -20, 20, 60])
def test_candidate_may_be_a_symbol_off(link, shift):
    stream = link.send(link.frame(analog=0).samples, snr_db=15)
    assert late(confirm(stream, position=BEFORE + shift)) == -acquire.backoff(NUM)


@pytest.mark.parametrize("taps", [[0.5, 0, 1], [0.4, 0, 0, 0, 0, 0, 0, 1], [0.6, *[0] * 11, 1]])
def test_window_opens_at_the_first_path_and_not_at_the_strongest(link, taps):
    taps = np.array(taps, np.complex64) / np.linalg.norm(taps)
    stream = link.send(link.frame(analog=0).samples, taps=taps, snr_db=20)
    assert late(confirm(stream)) == -acquire.backoff(NUM)


def test_noise_is_not_taken_for_a_first_path(link):
    """At low SNR no more than 1 window in 100 may open before the prefix does."""
    early = 0
    for _ in range(300):
        stream = link.send(link.frame(analog=0).samples, 200 + BEFORE, snr_db=-1)[200:]
        acquisition = confirm(stream)
        early += acquisition is not None and late(acquisition) < -NUM.cp_len
    assert early <= 3


def test_noise_is_hardly_ever_confirmed(link):
    """P(M > t) = (1 + 2Nt) exp(−2Nt), times 256 positions and 5 offsets: 0.4 %."""
    stream = link.normal(1000 * acquire.extent(NUM)).reshape(1000, -1)
    confirmed = sum(confirm(piece, position=0) is not None for piece in stream)
    assert confirmed <= 12


def test_a_short_field_alone_is_not_confirmed(link):
    """Any signal of the same period passes the detector; only the long field is ours."""
    samples = link.frame(analog=500).samples.copy()
    samples[short_len(NUM) : preamble_len(NUM)] = link.normal(preamble_len(NUM) - short_len(NUM))
    assert confirm(link.send(samples, snr_db=20)) is None


def test_too_few_samples_are_not_confirmed(link):
    stream = link.send(link.frame(analog=0).samples, snr_db=20)
    for length in (0, 1, 200, long_start(NUM)):
        assert confirm(stream[: BEFORE + length]) is None


def test_silence_is_not_confirmed():
    assert confirm(np.zeros(4000, np.complex64)) is None
