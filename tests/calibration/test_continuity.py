# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaps in a repeated waveform, and what is none."""

import numpy as np
import pytest

from calibration.continuity import unbroken
from calibration.waveforms import PERIOD, TONE_BINS, pair, single, tones, wideband
from tests.calibration.synthetic import noise

ROWS = 8
WAVES = {"single": single(), "pair": pair(), "tones": tones(TONE_BINS), "wide": wideband()}


def record(wave, snr_db=30.0, cfo=1e-3, rows=ROWS):
    n = rows * PERIOD
    turned = np.tile(wave, rows) * np.exp(2j * np.pi * cfo * np.arange(n))
    level = np.sqrt(np.mean(np.abs(wave) ** 2))
    return turned + 0.1 + level * noise(n, snr_db, np.random.default_rng(2))


@pytest.mark.parametrize("wave", WAVES)
@pytest.mark.parametrize("snr_db", [60.0, 0.0, -20.0])
@pytest.mark.parametrize("rows", [2, 4, 64])
def test_whole_record_is_whole_in_any_noise_and_offset(wave, snr_db, rows):
    assert unbroken(record(WAVES[wave], snr_db, rows=rows), PERIOD)


@pytest.mark.parametrize("wave", WAVES)
@pytest.mark.parametrize("at", [1500, 9000, 20000])
@pytest.mark.parametrize("lost", [2, 37, 1003])
def test_lost_samples_are_seen(wave, at, lost):
    whole = record(WAVES[wave])
    assert not unbroken(np.delete(whole, np.arange(at, at + lost)), PERIOD)


@pytest.mark.parametrize("wave", WAVES)
def test_silence_in_the_middle_is_seen(wave):
    broken = record(WAVES[wave])
    broken[10000:13000] = 0.1
    assert not unbroken(broken, PERIOD)


def test_noise_and_silence_are_not_judged():
    assert unbroken(noise(ROWS * PERIOD, 0, np.random.default_rng(3)), PERIOD)
    assert unbroken(np.zeros(ROWS * PERIOD), PERIOD)
