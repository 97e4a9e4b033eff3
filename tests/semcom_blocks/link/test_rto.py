# SPDX-License-Identifier: GPL-3.0-or-later
"""The retransmission timeout against the equations of RFC 6298."""

import pytest

from semcom_blocks.link.rto import RtoEstimator


def test_equations():
    rto = RtoEstimator(1.0, 0.05, 4.0)
    assert (rto.rto_s, rto.srtt_s) == (1.0, None)
    rto.sample(0.2)
    assert (rto.srtt_s, rto.rto_s) == (pytest.approx(0.2), pytest.approx(0.2 + 4 * 0.1))
    rto.sample(0.4)  # RTTVAR = 0.75 * 0.1 + 0.25 * 0.2, SRTT = 0.875 * 0.2 + 0.125 * 0.4
    assert (rto.srtt_s, rto.rto_s) == (pytest.approx(0.225), pytest.approx(0.225 + 4 * 0.125))


def test_bounds():
    rto = RtoEstimator(1.0, 0.05, 4.0)
    for _ in range(100):
        rto.sample(0.001)
    assert rto.rto_s == 0.05
    for _ in range(100):
        rto.sample(10.0)
    assert rto.rto_s == 4.0


def test_steady_round_trip_leaves_the_clock_granularity():
    rto = RtoEstimator(1.0, 0.05, 4.0)
    for _ in range(200):
        rto.sample(0.3)
    assert rto.rto_s == pytest.approx(0.301)


def test_back_off_doubles_up_to_the_initial_timeout_until_a_sample():
    rto = RtoEstimator(1.0, 0.05, 4.0)
    for _ in range(200):
        rto.sample(0.2)
    waits = []
    for _ in range(5):
        rto.back_off()
        waits.append(rto.rto_s)
    assert waits == pytest.approx([0.402, 0.804, 1.0, 1.0, 1.0])
    rto.sample(0.2)
    assert rto.rto_s == pytest.approx(0.201)


def test_back_off_never_shortens():
    rto = RtoEstimator(1.0, 0.05, 4.0)
    rto.sample(1.0)
    assert rto.rto_s == 3.0
    rto.back_off()
    assert rto.rto_s == 3.0
