# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels: what clips, what is noise, and which gains are recommended."""

import numpy as np
import pytest

from calibration.errors import Clipped, NoSignal
from calibration.gain import PEAK_MAX_DBFS, Point, clipped_part, evaluate, recommend
from calibration.noise import FLOOR_MIN_DBFS, floor_dbfs, noise_figure_db
from tests.calibration.synthetic import noise, quantised

N = 1 << 14
RNG = np.random.default_rng(8)
TONE = np.exp(2j * np.pi * 0.1234 * np.arange(N))


def record(level_dbfs, noise_dbfs, seed=0):
    rng = np.random.default_rng(seed)
    return quantised(10 ** (level_dbfs / 20) * TONE + noise(N, -noise_dbfs, rng))


@pytest.mark.parametrize("snr_db", [0.0, 20.0, 40.0])
def test_snr_of_a_tone_with_image_and_offset(snr_db):
    samples = record(-16, -16 - snr_db) + 0.05 * TONE.conj() + 0.02
    point = evaluate(samples, -10, 30)
    assert point.snr_db == pytest.approx(snr_db, abs=0.5)
    assert point.usable and not point.clips


def test_mixers_of_both_sides_do_not_count_as_noise_where_the_sent_frequency_is_known():
    sent, moved = 0.1, 0.0234  # the transmitter's carrier lies at ``moved``
    base = np.exp(2j * np.pi * sent * np.arange(N))
    radiated = base + 0.03 * base.conj() + 0.02
    arrived = radiated * np.exp(2j * np.pi * moved * np.arange(N))
    samples = quantised(0.4 * (arrived + 0.05 * arrived.conj()) + 0.4 * noise(N, 45, RNG))
    assert evaluate(samples, 0, 0, sent).snr_db == pytest.approx(45, abs=0.5)
    assert evaluate(samples, 0, 0).snr_db < 30


def test_tone_over_full_scale_clips_and_one_below_does_not():
    assert evaluate(record(3, -60), 0, 60).clips
    assert not evaluate(record(-0.5, -80), 0, 60).clips
    assert clipped_part(np.array([1.0, 0.2j, -1.0, 0.0])) == 0.5


def sweep(loss_db):
    """A radio with 7 dBm of power, -10 dBm full scale at gain 0, 3 dB noise figure, 12 bits."""
    points = []
    for tx_db in (-60.0, -40.0, -20.0, 0.0):
        for rx_db in (0.0, 20.0, 40.0, 60.0):
            level = 7 + tx_db - loss_db + 10 + rx_db
            floor = max(-174 + 10 * np.log10(2.5e6) + 3 + 10 + rx_db, -74)
            points.append(evaluate(record(level, floor), tx_db, rx_db))
    return points


def test_best_pair_uses_the_converter_without_clipping():
    best = recommend(sweep(50))
    assert best.usable
    assert best.snr_db == max(point.snr_db for point in sweep(50) if point.usable)
    assert best.peak_dbfs <= PEAK_MAX_DBFS


def test_among_equals_the_weaker_transmission_wins():
    points = [Point(tx, rx, 40.0, -6.0, 0.0) for tx in (-10.0, 0.0) for rx in (20.0, 30.0)]
    assert recommend(points) == points[0]
    better = Point(0.0, 40.0, 41.0, -6.0, 0.0)
    assert recommend([*points, better]) == better


def test_no_attenuation_at_all_is_told():
    with pytest.raises(Clipped, match=r"clips at every gain.*attenuation"):
        recommend(sweep(-60))


def test_open_ports_are_told():
    with pytest.raises(NoSignal, match="SNR too low"):
        recommend(sweep(220))


@pytest.mark.parametrize("floor", [-60.0, -30.0])
def test_noise_floor_without_dc(floor):
    samples = noise(N, -floor, np.random.default_rng(1)) + 0.3
    assert floor_dbfs(samples) == pytest.approx(floor, abs=0.2)


def test_silent_converter_has_a_finite_floor():
    assert floor_dbfs(np.zeros(N)) == FLOOR_MIN_DBFS


def test_noise_figure():
    assert noise_figure_db(-174 + 63.98 + 3, 2.5e6) == pytest.approx(3.0, abs=0.05)
