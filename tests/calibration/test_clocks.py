# SPDX-License-Identifier: GPL-3.0-or-later
"""Frequency and sample-rate error of radios whose crystals are wrong by a known part."""

import numpy as np
import pytest

from calibration.errors import NoSignal
from calibration.frequency import error_ppm, find_pair, xo_correction_hz
from calibration.rate import from_delays, from_drift, from_pair
from calibration.waveforms import PAIR_BINS, PERIOD, pair, wideband
from tests.calibration.synthetic import noise, played, quantised

RATE_HZ, CARRIER_HZ = 2.5e6, 2.45e9
N = 1 << 16


def received(waveform, ppm, snr_db, rng, tuned_hz=CARRIER_HZ, n=N):
    """A record by a radio that is fast by ``ppm``, of an exact transmitter."""
    e = ppm * 1e-6
    wave = played(waveform, n, start=rng.uniform(0, PERIOD), step=1 / (1 + e))
    turn = (CARRIER_HZ - tuned_hz * (1 + e)) / (RATE_HZ * (1 + e))
    wave *= np.exp(2j * np.pi * turn * np.arange(n))
    scale = np.sqrt(np.mean(np.abs(wave) ** 2))
    return quantised(0.5 * wave + 0.5 * scale * noise(n, snr_db, rng))


@pytest.mark.parametrize("ppm", [-25.0, -10.0, -0.3, 0.0, 2.0, 10.0, 25.0])
@pytest.mark.parametrize("tuned_hz", [CARRIER_HZ, CARRIER_HZ - 120e3])
def test_frequency_error_is_found_to_a_thousandth_of_the_goal(ppm, tuned_hz):
    rng = np.random.default_rng(round(ppm * 10) % 97)
    record = received(pair(), ppm, 20, rng, tuned_hz)
    found = error_ppm(find_pair(record, RATE_HZ, RATE_HZ), CARRIER_HZ, tuned_hz)
    assert found == pytest.approx(ppm, abs=5e-4)


@pytest.mark.parametrize("ppm", [-25.0, 0.0, 7.5])
def test_sample_rate_error_by_two_tones_and_by_drift(ppm):
    rng = np.random.default_rng(5)
    found = find_pair(received(pair(), ppm, 25, rng), RATE_HZ, RATE_HZ)
    assert from_pair(found) == pytest.approx(ppm, abs=0.2)
    record = received(wideband(), ppm, 25, rng, n=4 * PERIOD)
    turn = np.mean(np.subtract(found.received_hz, found.sent_hz)) / RATE_HZ
    assert from_drift(record, wideband(), turn) == pytest.approx(ppm, abs=0.4)


def test_noise_weaker_than_a_bin_does_not_hide_the_pair_but_strong_noise_does():
    rng = np.random.default_rng(6)
    assert find_pair(received(pair(), 10, -10, rng), RATE_HZ, RATE_HZ).snr_db > 20
    with pytest.raises(NoSignal, match="no signal found"):
        find_pair(received(pair(), 10, -40, rng), RATE_HZ, RATE_HZ)


def test_two_foreign_tones_are_not_the_reference():
    index = np.arange(N)
    tones = np.exp(0.6j * index) + np.exp(-1.1j * index)
    with pytest.raises(NoSignal, match="apart"):
        find_pair(0.3 * tones + noise(N, 30, np.random.default_rng(1)), RATE_HZ, RATE_HZ)


def test_reference_at_another_nominal_rate():
    ratio = 1.6
    wave = 0.4 * played(pair(), N, step=ratio) + noise(N, 40, np.random.default_rng(2))
    found = find_pair(wave, RATE_HZ, RATE_HZ * ratio)
    assert from_pair(found) == pytest.approx(0, abs=0.2)
    assert found.sent_hz[0] == PAIR_BINS[0] / PERIOD * RATE_HZ * ratio


def test_xo_correction_is_the_crystal_that_the_driver_should_believe_in():
    assert xo_correction_hz(0.0, 40e6) == 40e6
    assert xo_correction_hz(10.0, 40e6) == pytest.approx(40_000_400)
    # Found again with the correction in place: no error, the same crystal.
    assert xo_correction_hz(0.0, 40_000_400) == 40_000_400


def test_delays_that_wrap_around_the_period():
    times = np.arange(8) * 4096.0
    delays = (4095.5 + 20e-6 * times) % 4096
    assert from_delays(times, delays, 4096) == pytest.approx(20.0, abs=1e-6)


def test_drift_needs_three_periods():
    with pytest.raises(ValueError, match="3 or more"):
        from_drift(np.ones(2 * PERIOD), wideband())
