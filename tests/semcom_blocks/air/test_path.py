# SPDX-License-Identifier: GPL-3.0-or-later
"""Clock errors, carriers, delays and taps as a receiver hears them, against theory."""

import numpy as np
import pytest

from semcom_blocks.air.engine import Air
from tests.semcom_blocks.air.unit_device import (
    QUIET_DB,
    UnitDevice,
    config,
    frequency_of,
    noise_source,
    receive,
    tone,
)

N = 100_000


def one_way(source, n=N, tx=None, rx=None, path=None, rate=(1e6, 1e6), lo=(2.4e9, 2.4e9)):
    """What b hears of a, from the first sample on."""
    a = UnitDevice("a", source, rate[0], lo[0])
    b = UnitDevice("b", None, rate[1], lo[1])
    way = {"from": "a", "to": "b", **(path or {})}
    with Air(config(a, b, paths=[way], a=tx or {}, b=rx or {}), [a, b]) as air:
        return receive(air, b, n)


def delay_of(heard, sent):
    """Samples that ``heard`` lags ``sent``: slope of the cross spectrum's phase."""
    cross = (
        np.fft.fft(heard * np.hanning(heard.size)) * np.fft.fft(sent * np.hanning(sent.size)).conj()
    )
    coarse = int(np.argmax(np.abs(np.fft.ifft(cross))))
    coarse -= heard.size * (coarse > heard.size // 2)
    frequency = np.fft.fftfreq(heard.size)
    cross *= np.exp(2j * np.pi * frequency * coarse)
    strong = np.abs(cross) > 0.1 * np.abs(cross).max()
    slope = np.sum(np.abs(cross[strong]) * frequency[strong] * np.angle(cross[strong]))
    slope /= np.sum(np.abs(cross[strong]) * frequency[strong] ** 2)
    return coarse - slope / (2 * np.pi)


@pytest.mark.parametrize("delay", [0.0, 3.0, 0.5, 12.3, 700.77])
def test_delay_is_right_to_a_hundredth_of_a_sample(delay):
    source = noise_source(3)
    heard = one_way(source, path={"delay_s": delay * 1e-6})[2000:34768]
    assert delay_of(heard, source(2000, 32768)) == pytest.approx(delay, abs=0.01)


@pytest.mark.parametrize("ppm", [(10.0, -10.0), (0.0, 3.5), (-80.0, 80.0)])
def test_carrier_offset_is_the_difference_of_the_crystals(ppm):
    heard = one_way(tone(0.0), tx={"clock_ppm": ppm[0]}, rx={"clock_ppm": ppm[1]})
    rate = 1e6 * (1 + ppm[1] * 1e-6)
    offset_hz = frequency_of(heard[1000:]) * rate
    assert offset_hz == pytest.approx(2.4e9 * 1e-6 * (ppm[0] - ppm[1]), abs=0.02)


def test_sample_rate_is_of_the_same_crystal():
    """A tone f samples of the sender are f (1 + ppm) / (1 + ppm) samples of the receiver."""
    ppm = 40.0
    heard = one_way(tone(0.2), tx={"clock_ppm": ppm})
    expected = 0.2 * (1 + ppm * 1e-6) + 2.4e9 * ppm * 1e-6 / 1e6
    assert frequency_of(heard[1000:]) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("rate", [(1e6, 1e6), (1e6, 2.5e6), (2.5e6, 1e6), (1e6, 0.77e6)])
@pytest.mark.parametrize("ppm", [0.0, 25.0])
def test_no_step_in_phase_or_size_at_borders_of_blocks(rate, ppm):
    offset_hz = 3000.0
    f_hz = 0.21 * min(rate)
    source = tone(f_hz / rate[0])
    heard = one_way(
        source, 60_000, rx={"clock_ppm": ppm}, rate=rate, lo=(2.4e9 + offset_hz, 2.4e9)
    )[3000:]
    true_rate = rate[1] * (1 + ppm * 1e-6)
    turn = (f_hz + offset_hz - 2.4e9 * ppm * 1e-6) / true_rate
    flat = heard * np.exp(-2j * np.pi * (turn * np.arange(heard.size) % 1))
    steady = np.mean(flat)
    assert abs(steady) == pytest.approx(0.5, rel=1e-3)
    assert 20 * np.log10(np.abs(flat - steady).max() / 0.5) < -55  # the converter's own -62


def test_carriers_further_apart_than_both_bands_hear_nothing():
    assert np.abs(one_way(tone(0.0), 5000, lo=(2.402e9, 2.4e9))).max() < 2e-3
    assert np.abs(one_way(tone(0.0), 5000, lo=(2.4001e9, 2.4e9))[500:]).min() > 0.4


@pytest.mark.parametrize(("tone_hz", "audible"), [(-0.35e6, True), (0.0, False), (0.3e6, False)])
def test_only_what_falls_into_the_receivers_band_is_heard(tone_hz, audible):
    """A transmitter 0.7 MHz above: its lower part is in, the rest must not fold back."""
    heard = one_way(tone(tone_hz / 1e6), 20_000, lo=(2.4007e9, 2.4e9))[1000:]
    level = np.sqrt(np.mean(np.abs(heard) ** 2))
    if audible:
        assert level == pytest.approx(0.5, rel=2e-3)
        assert frequency_of(heard) == pytest.approx(0.35, abs=1e-7)
    else:
        assert level < 1e-3


def test_narrow_analog_filter_cuts_the_band():
    a = UnitDevice("a", lambda at, n: tone(0.02)(at, n) + tone(0.45, 0.4)(at, n))
    b = UnitDevice("b")
    b.rx[0].tuning.bandwidth_hz = 0.4e6
    with Air(config(a, b), [a, b]) as air:
        spectrum = np.abs(np.fft.fft(receive(air, b, 30_000)[1000:21_000])) / 20_000
    assert spectrum[400] == pytest.approx(0.5, rel=2e-3)
    assert spectrum[9000] < 1e-3


def test_taps_are_the_impulse_response():
    taps = [[0.5, 0.0], [0.0, 0.0], [0.0, -0.25]]
    source = noise_source(8)
    heard = one_way(source, 5000, path={"taps": taps})
    sent = source(0, 5000)
    expected = 0.5 * sent
    expected[2:] += -0.25j * sent[:-2]
    assert np.abs(heard[2:] - expected[2:]).max() < 1.5e-3


def test_gain_follows_the_level_model():
    heard = one_way(tone(0.1, 1.0), 5000, path={"gain_db": -60.0})
    assert 20 * np.log10(np.abs(heard[100:]).mean()) == pytest.approx(-10.0, abs=0.05)


def test_two_senders_add_up():
    a, c = UnitDevice("a", tone(0.1, 0.3)), UnitDevice("c", tone(-0.2, 0.4))
    b = UnitDevice("b")
    with Air(config(a, b, c), [a, b, c]) as air:
        spectrum = np.abs(np.fft.fft(receive(air, b, 10_000))) / 10_000
    assert spectrum[1000] == pytest.approx(0.3, rel=5e-3)
    assert spectrum[8000] == pytest.approx(0.4, rel=5e-3)


def test_rayleigh_path_fades_a_steady_tone():
    heard = one_way(tone(0.0, 0.2), 400_000, path={"fading": "rayleigh", "doppler_hz": 500.0})
    power = np.abs(heard) ** 2 / 0.04
    assert np.mean(power) == pytest.approx(1.0, abs=0.25)  # 200 fades
    assert np.mean(power < 0.1) == pytest.approx(1 - np.exp(-0.1), abs=0.05)


def test_quiet_receiver_is_quiet():
    assert QUIET_DB < 0
    assert np.abs(one_way(None, 5000)).max() == 0
