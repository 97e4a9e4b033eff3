# SPDX-License-Identifier: GPL-3.0-or-later
"""The same figures however the work is shared out."""

import os

import numpy as np
import pytest

from host.bench.link import runner
from host.bench.link.runner import Point
from semcom_blocks.phy.numerology import Numerology

NUM = Numerology()
DETECTION = Point("detection", 300, {"channel": "rayleigh-3-tap", "snr_db": -3.0})
POINTS = [
    DETECTION,
    Point("snr_estimate", 120, {"channel": "awgn", "snr_db": 3.0}),
    Point("nmse", 20, {"channel": "exponential-1", "snr_db": 5.0}),
]


@pytest.fixture(scope="module")
def alone():
    return runner.measure(POINTS, NUM, seed=5, workers=1)


def test_figures_do_not_depend_on_the_number_of_workers(alone):
    done = []
    assert runner.measure(POINTS, NUM, seed=5, workers=3, advance=lambda: done.append(1)) == alone
    assert len(done) == runner.n_tasks(POINTS) == 5


def test_figures_do_not_depend_on_the_other_points(alone):
    assert runner.measure(POINTS[::-1], NUM, seed=5, workers=2) == alone[::-1]


def test_another_seed_gives_other_figures(alone):
    assert runner.measure(POINTS[2:], NUM, seed=6, workers=1) != alone[2:]


def test_tasks_share_the_frames_out():
    assert DETECTION.chunks() == [250, 50]
    assert Point("detection", 500).chunks() == [250, 250]
    assert sum(Point("detection", 12_345).chunks()) == 12_345


def test_points_and_tasks_draw_different_noise():
    raw = [runner.run_task(DETECTION, chunk, 40, NUM, 5)["found"] for chunk in (0, 1, 0)]
    assert not np.array_equal(raw[0], raw[1])
    assert np.array_equal(raw[0], raw[2])
    keys = {Point("detection", 1, {"snr_db": snr_db}).key for snr_db in np.arange(-5.0, 5.0, 0.5)}
    assert len(keys) == 20


def test_tasks_are_joined_in_their_order():
    chunks = {1: {"a": np.array([3, 4])}, 0: {"a": np.array([1, 2])}}
    assert runner.joined(chunks)["a"].tolist() == [1, 2, 3, 4]


def test_a_failing_task_ends_the_run():
    before = {name: os.environ.get(name) for name in runner.THREAD_VARIABLES}
    with pytest.raises(ValueError, match="rural"):
        runner.measure([Point("ber", 10, {"channel": "rural", "snr_db": 1.0})], NUM, 1, workers=2)
    assert {name: os.environ.get(name) for name in runner.THREAD_VARIABLES} == before
