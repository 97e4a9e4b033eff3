# SPDX-License-Identifier: GPL-3.0-or-later
"""pyadi-iio, unmodified: its ``Pluto`` class against virtual ones, in virtual time."""

import adi
import numpy as np
import pytest

RATE_HZ = 1_000_000
LO_HZ = 2_400_000_000
N = 1 << 14


@pytest.fixture
def radios(plutos):
    """Two of ±10 ppm, tuned alike: path of -50 dB, attenuation 10 dB, gain 30 dB."""
    _, devices, addresses = plutos({"clock_ppm": 10.0}, {"clock_ppm": -10.0})
    radios = [adi.Pluto(f"ip:{address}") for address in addresses]
    for radio in radios:
        tune(radio)
    yield (*radios, *devices)
    for radio in radios:  # buffers go before their context, or libiio 0.x may crash
        radio.tx_destroy_buffer()
        radio.rx_destroy_buffer()


def tune(radio):
    radio.sample_rate = RATE_HZ
    radio.rx_lo = radio.tx_lo = LO_HZ
    radio.rx_rf_bandwidth = radio.tx_rf_bandwidth = 2_000_000
    radio.gain_control_mode_chan0 = "manual"
    radio.rx_hardwaregain_chan0 = 30
    radio.tx_hardwaregain_chan0 = -10
    radio.rx_buffer_size = N


def tone(cycles, n=N):
    return 2**14 * np.exp(2j * np.pi * cycles * np.arange(n) / n)


def peak(samples):
    """Frequency in Hz and level in dBFS of the strongest tone, to a small part of a bin."""
    n = len(samples)
    window = np.blackman(n)
    spectrum = np.abs(np.fft.fft(samples * window, 16 * n)) / window.sum() / 2047
    k = int(spectrum.argmax())
    return np.fft.fftfreq(16 * n, 1 / RATE_HZ)[k], 20 * np.log10(spectrum[k])


def settled(radio, blocks=6):
    for _ in range(blocks):
        samples = radio.rx()
    return samples


def test_settings_come_back_as_the_chip_holds_them(radios):
    radio = radios[0]
    assert radio.sample_rate == RATE_HZ
    assert abs(radio.rx_lo - LO_HZ) <= 2
    assert radio.rx_hardwaregain_chan0 == 30
    radio.tx_hardwaregain_chan0 = -20.6
    assert radio.tx_hardwaregain_chan0 == -20.5
    assert not radio.rx_dec8_filter_en and not radio.tx_int8_filter_en
    assert "2400.0" in repr(radio)
    for name, value in (("tx_hardwaregain_chan0", 5), ("rx_lo", 10**10), ("tx_lo", 10**8)):
        with pytest.raises(OSError, match="Invalid argument"):
            setattr(radio, name, value)
    radio.sample_rate = 30_720_000  # and back, with the filter on and off
    assert radio.sample_rate == 30_720_000
    radio.sample_rate = 600_000
    assert radio.sample_rate == 600_000


def test_carrier_offset_level_and_its_correction_by_xo_correction(radios):
    sender, receiver, *_ = radios
    sender.tx_cyclic_buffer = True
    sender.tx(tone(1024))
    frequency_hz, level_dbfs = peak(settled(receiver))
    sent_hz = 1024 * RATE_HZ / N
    assert frequency_hz - sent_hz == pytest.approx(20e-6 * LO_HZ, abs=10)
    # +7 dBm, -6 dB tone, -10 dB, -50 dB, +30 dB; full scale is at -10 dBm
    assert level_dbfs == pytest.approx(7 - 6.02 - 10 - 50 + 30 + 10, abs=0.2)
    for radio, ppm in ((sender, 10), (receiver, -10)):
        radio._set_iio_dev_attr("xo_correction", round(40e6 * (1 + ppm * 1e-6)))
    frequency_hz, _ = peak(settled(receiver))
    assert frequency_hz == pytest.approx(sent_hz, abs=10)


def test_queued_buffers_follow_on_without_a_gap(radios):
    """Loopback inside the chip brings every sample, once, in order."""
    radio, _, device, _ = radios
    radio.loopback = 1
    ramp = np.arange(-1024, 1024)
    radio.tx(16 * (ramp + 1j * ramp))
    got = []
    for _ in range(8):
        radio.tx(16 * (ramp + 1j * ramp))
        radio.rx_buffer_size = 2048
        got.append(radio.rx())
    codes = np.concatenate(got).real
    active = codes[np.flatnonzero(codes)[0] :]
    steps = np.diff(active)
    assert set(np.unique(steps)) == {1.0, -2047.0}
    assert device.counters()["overflows"] == 0


def test_destroying_the_buffer_ends_the_transmission(radios):
    sender, receiver, *_ = radios
    sender.tx_cyclic_buffer = True
    sender.tx(tone(1024))
    assert peak(settled(receiver))[1] > -22
    sender.tx_destroy_buffer()
    assert peak(settled(receiver))[1] < -60
    assert receiver._get_iio_attr("voltage0", "rssi", False) > 80


def test_tone_of_the_generators(radios):
    sender, receiver, *_ = radios
    sender.dds_single_tone(50_000, 0.5)
    frequency_hz, level_dbfs = peak(settled(receiver))
    assert frequency_hz == pytest.approx(50_000 + 20e-6 * LO_HZ, abs=30)
    assert level_dbfs == pytest.approx(-19.0, abs=0.2)
    sender.dds_single_tone(-50_000, 0.5)
    assert peak(settled(receiver))[0] == pytest.approx(-50_000 + 20e-6 * LO_HZ, abs=30)
    sender.disable_dds()
    assert peak(settled(receiver))[1] < -60


def test_automatic_gain_is_read_back(radios):
    sender, receiver, *_ = radios
    sender.tx_hardwaregain_chan0 = -40
    sender.tx_cyclic_buffer = True
    sender.tx(tone(1024))
    receiver.gain_control_mode_chan0 = "slow_attack"
    for _ in range(40):
        samples = receiver.rx()
    gain_db = receiver.rx_hardwaregain_chan0
    assert 50 <= gain_db <= 71
    # Manual from here on, where the automatic one had left it.
    receiver.gain_control_mode_chan0 = "manual"
    assert receiver.rx_hardwaregain_chan0 == pytest.approx(gain_db, abs=1)
    level_dbfs = peak(settled(receiver))[1]
    assert level_dbfs == pytest.approx(7 - 6 - 40 - 50 + 10 + gain_db, abs=1.5)
    assert samples.size == N


def test_a_cut_connection_is_an_error_and_a_new_context_works(radios):
    _, receiver, _, device = radios
    receiver.rx()
    device.fault("drop", 0)
    with pytest.raises(OSError, match=r"Broken pipe|Connection reset"):
        for _ in range(10):
            receiver.rx()
    again = adi.Pluto(receiver.uri)
    again.rx_buffer_size = N
    assert again.rx().size == N
    with pytest.raises(OSError, match="busy"):
        other = adi.Pluto(receiver.uri)
        other.rx()
    again.rx_destroy_buffer()
