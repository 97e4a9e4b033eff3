# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs over block fading: schemes against closed forms and against each other."""

import numpy as np
import pytest

from host.experiment import blocks, frames
from semcom_blocks.phy.numerology import Numerology

LINK = blocks.Link.default()
JOB = blocks.Job(155, 7860, 0.03)


@pytest.fixture(scope="module")
def adaptive() -> blocks.Scheme:
    return blocks.adaptive(LINK, JOB)


def test_without_fades_the_single_stream_takes_what_its_rate_says() -> None:
    """At a mean SNR so high that no block fades to where the rate is limited."""
    rate = blocks.single_rate(LINK, np.array([1e4]), whole=True)
    assert rate[0] == pytest.approx(8 * LINK.n_data / LINK.symbol_s)
    rng = np.random.default_rng(1)
    seconds = blocks.send_single(LINK, JOB, 60.0, 500, rng, whole=True)
    assert np.median(seconds) == pytest.approx(JOB.bits / rate[0], rel=1e-6)


def test_nothing_goes_out_below_the_least_order() -> None:
    assert blocks.single_rate(LINK, np.array([1.0]), whole=True)[0] == 0
    assert blocks.single_rate(LINK, np.array([1.0]), whole=False)[0] > 0


def test_adaptive_keeps_its_error_rate_and_what_is_not_sent_is_refused(adaptive) -> None:
    assert np.all(adaptive.both.ber <= JOB.edge_ber * 1.001)
    low = adaptive.both.rate_bps == 0
    assert low[0] and not low[-1] and np.all(np.diff(low.astype(int)) <= 0)


@pytest.mark.parametrize("mean_db", [4.0, 12.0])
def test_every_job_ends_and_faster_with_more_snr(adaptive, mean_db: float) -> None:
    near, far = (
        blocks.send(adaptive, JOB, db, 400, np.random.default_rng(2))
        for db in (mean_db + 6, mean_db)
    )
    assert near.seconds.mean() < far.seconds.mean()
    assert np.all(near.sends >= 1) and np.all(far.ber <= JOB.edge_ber * 1.001)
    refusing = blocks.send(adaptive, JOB, mean_db, 400, np.random.default_rng(2), may_refuse=True)
    assert refusing.refused.any() and refusing.seconds.mean() <= far.seconds.mean() * 1.1


def test_fixed_modulation_lets_errors_through_where_the_adaptive_does_not(adaptive) -> None:
    fixed = blocks.fixed(LINK, JOB, 4)
    rng = np.random.default_rng(3)
    assert blocks.send(fixed, JOB, 6.0, 400, rng).ber.mean() > 2 * JOB.edge_ber


def test_whole_frames_lose_packets_as_form_two_says() -> None:
    """A few frames: a gross difference would show."""
    found = frames.measure(8.0, 40, np.random.default_rng(4))
    low, high = found["per_ci"]
    assert low <= 0.22 <= high
    assert frames.gain_of(frames.EQUAL, 0, Numerology()) == pytest.approx(1.0, rel=1e-3)
