# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels, noise, converter, mixer and automatic gain against the level model."""

import numpy as np
import pytest

from semcom_blocks.air.device import ADC_FULL_SCALE
from semcom_blocks.air.engine import Air
from semcom_blocks.air.frontend import AGC_TARGET_DBFS, noise_dbfs, received_dbfs
from tests.semcom_blocks.air.unit_device import UnitDevice, config, receive, tone

N = 200_000


def hear(source=None, gain_db=33.0, n=N, rate_hz=1e6, agc=False, tx_gain_db=0.0, **tables):
    a = UnitDevice("a", source, rate_hz)
    b = UnitDevice("b", None, rate_hz, gain_db=gain_db)
    a.tx[0].tuning.gain_db = tx_gain_db
    b.rx[0].tuning.agc = agc
    with Air(config(a, b, **tables), [a, b]) as air:
        return receive(air, b, n), b


def power_db(samples):
    return 10 * np.log10(np.mean(np.abs(samples) ** 2))


def test_level_model_of_the_documentation():
    assert received_dbfs(7.0 - 50.0, 40.0) == pytest.approx(7.0)
    assert noise_dbfs(3.0, 40.0, 1e6) == pytest.approx(-174 + 60 + 3 + 40 + 10)


@pytest.mark.parametrize(("rate_hz", "gain_db"), [(1e6, 60.0), (10e6, 50.0), (2.5e6, 71.0)])
def test_noise_floor_is_there_while_nothing_transmits(rate_hz, gain_db):
    heard, _ = hear(gain_db=gain_db, rate_hz=rate_hz, b={"noise_figure_db": 6.0})
    assert power_db(heard) == pytest.approx(noise_dbfs(6.0, gain_db, rate_hz), abs=0.1)
    assert abs(np.mean(heard**2)) < 0.02 * np.mean(np.abs(heard) ** 2)  # circular


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 25.0])
def test_snr_is_what_the_levels_say(snr_db):
    """Transmitted at +7 dBm, 20 dB under full scale, noise figure 3 dB in 1 MHz."""
    path_db = snr_db - (7.0 - 20.0) + noise_dbfs(3.0, 0.0, 1e6) - 10.0
    heard, _ = hear(
        tone(0.1, 0.1),
        gain_db=60.0,
        b={"noise_figure_db": 3.0},
        paths=[{"from": "a", "to": "b", "gain_db": path_db}],
    )
    carrier = np.exp(2j * np.pi * 0.1 * np.arange(N))
    amplitude = np.vdot(carrier, heard) / N
    rest = heard - amplitude * carrier
    assert 20 * np.log10(abs(amplitude)) - power_db(rest) == pytest.approx(snr_db, abs=0.3)


def test_quarter_decibel_of_attenuation_is_heard():
    one, two = (hear(tone(0.1), tx_gain_db=g, n=5000)[0] for g in (-10.0, -10.25))
    assert power_db(one) - power_db(two) == pytest.approx(0.25, abs=0.02)


def test_converter_saturates_at_its_codes():
    heard, _ = hear(tone(0.01, 1.0), gain_db=53.0, n=10_000)
    codes = np.rint(heard.view(np.float32) * ADC_FULL_SCALE)
    assert codes.max() == ADC_FULL_SCALE
    assert codes.min() == -ADC_FULL_SCALE
    assert np.mean(np.abs(codes) == ADC_FULL_SCALE) > 0.9


def test_converter_has_twelve_bits():
    """Full scale over quantisation noise: 6.02 * 12 + 1.76 dB."""
    heard, _ = hear(tone(np.sqrt(0.02), 0.999), n=50_000)
    carrier = np.exp(2j * np.pi * (np.sqrt(0.02) * np.arange(heard.size) % 1))
    amplitude = np.vdot(carrier, heard) / heard.size
    error = heard - amplitude * carrier
    assert power_db(amplitude * carrier) - power_db(error) == pytest.approx(74.0, abs=0.5)


@pytest.mark.parametrize("own", ["rx", "tx"])
def test_mixers_leave_image_and_dc(own):
    prefix, device = ("", "b") if own == "rx" else ("tx_", "a")
    table = {f"{prefix}iq_gain_db": 1.0, f"{prefix}iq_phase_deg": 4.0}
    table[f"{prefix}dc_offset_dbfs"] = -30.0
    heard, _ = hear(tone(0.1, 0.5), n=20_000, **{device: table})
    spectrum = np.abs(np.fft.fft(heard)) / heard.size
    gain, phase = 10 ** (1 / 20), np.deg2rad(4.0)
    image = abs(1 - gain * np.exp(1j * phase)) / abs(1 + gain * np.exp(-1j * phase))
    assert spectrum[-2000] / spectrum[2000] == pytest.approx(image, rel=0.02)
    assert 20 * np.log10(spectrum[0]) == pytest.approx(-30.0, abs=0.1)


@pytest.mark.parametrize(("amplitude", "gain_db"), [(1.0, 71.0), (0.01, 10.0)])
def test_automatic_gain_reaches_its_target_and_shows_its_gain(amplitude, gain_db):
    heard, b = hear(tone(0.1, amplitude), gain_db=gain_db, n=600_000, agc=True)
    assert power_db(heard[-20_000:]) == pytest.approx(AGC_TARGET_DBFS, abs=1.5)
    settled = b.rx[0].tuning.gain_db
    assert settled == int(settled)
    level = received_dbfs(7.0 - 50.0 + 20 * np.log10(amplitude), settled)
    assert level == pytest.approx(AGC_TARGET_DBFS, abs=1.5)


def test_without_automatic_gain_it_stays():
    _, b = hear(tone(0.1, 1.0), gain_db=21.0, n=20_000)
    assert b.rx[0].tuning.gain_db == 21.0


def test_same_seed_same_noise_and_another_seed_another():
    one, two, other = (
        hear(gain_db=70.0, n=5000, b={"noise_figure_db": 3.0}, seed=seed)[0] for seed in (5, 5, 6)
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
