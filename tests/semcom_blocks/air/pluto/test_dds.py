# SPDX-License-Identifier: GPL-3.0-or-later
import errno

import numpy as np
import pytest

from semcom_blocks.air.pluto.dds import ToneBank

RATE_HZ = 2.5e6


def single_tone(scale=0.5, frequency_hz=100e3):
    """As drivers make one: I a quarter turn ahead of Q."""
    bank = ToneBank()
    for index, phase in ((0, 1 << 14), (2, 0)):
        tone = bank.tones[index]
        tone.set_frequency(frequency_hz, RATE_HZ)
        tone.phase, tone.scale = phase, scale
    return bank


def test_a_single_tone_is_one_spectral_line_above_the_carrier():
    bank = single_tone()
    n = 1 << 16  # a whole period of any tone
    spectrum = np.fft.fft(bank.samples(0, n)) / n
    line = bank.tones[0].increment
    assert abs(spectrum[line]) == pytest.approx(0.5, rel=1e-6)
    assert line * RATE_HZ / n == pytest.approx(100e3, abs=RATE_HZ / n)
    rest = np.delete(spectrum, line)
    assert np.abs(rest).max() < 1e-6


def test_blocks_follow_on_whatever_their_size():
    bank = single_tone()
    whole = bank.samples(1000, 5000)
    parts = np.concatenate([bank.samples(1000, 1234), bank.samples(2234, 3766)])
    assert np.array_equal(whole, parts)
    # Phases hold for counts that no 32 bits hold.
    assert np.array_equal(bank.samples((1 << 16) * 10**9, 100), bank.samples(0, 100))


def test_two_tones_saturate_at_full_scale():
    bank = single_tone(scale=0.9)
    bank.tones[1].set_frequency(100e3, RATE_HZ)
    bank.tones[1].phase, bank.tones[1].scale = 1 << 14, 0.9
    samples = bank.samples(0, 1000)
    assert samples.real.max() == 1
    assert samples.imag.max() == pytest.approx(0.9, abs=0.01)


def test_switched_off_or_without_scale_is_silent():
    bank = single_tone()
    assert bank.audible()
    for tone in bank.tones:
        tone.raw = False
    assert not bank.audible()
    assert not single_tone(scale=0.0).audible()


@pytest.mark.parametrize("frequency_hz", [-1.0, RATE_HZ / 2 + 1])
def test_frequencies_outside(frequency_hz):
    with pytest.raises(OSError) as caught:
        ToneBank().tones[0].set_frequency(frequency_hz, RATE_HZ)
    assert caught.value.errno == errno.EINVAL
