# SPDX-License-Identifier: GPL-3.0-or-later
"""The exponential profile has the delay spread, the power and the shape asked for."""

import numpy as np
import pytest

from semcom_blocks.channel.profile import exponential_profile, rms_delay_spread_s

RATE_HZ = 1e6


@pytest.mark.parametrize("delay_spread_s", [2e-8, 1e-7, 3e-7, 1e-6, 3e-6, 2e-5, 1e-4])
def test_delay_spread_power_and_shape(delay_spread_s):
    powers = exponential_profile(delay_spread_s, RATE_HZ)
    assert powers.sum() == pytest.approx(1.0)
    assert rms_delay_spread_s(powers, RATE_HZ) == pytest.approx(delay_spread_s, rel=1e-6)
    steps = powers[1:] / powers[:-1]
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    assert 0 < steps[0] < 1


@pytest.mark.parametrize("delay_spread_s", [1e-6, 3e-6, 2e-5])
def test_taps_end_about_30_db_below_the_first(delay_spread_s):
    powers = exponential_profile(delay_spread_s, RATE_HZ)
    last_db = 10 * np.log10(powers[-1] / powers[0])
    assert -31 < last_db < -22
    # exp(-t / tau) is 30 dB down at 6.9 tau
    assert powers.size == pytest.approx(6.9 * delay_spread_s * RATE_HZ, abs=1.5)


def test_no_spread_is_one_tap():
    np.testing.assert_array_equal(exponential_profile(0.0, RATE_HZ), [1.0])


def test_rms_delay_spread_of_two_equal_taps():
    assert rms_delay_spread_s(np.array([1.0, 0.0, 1.0]), 2e6) == pytest.approx(0.5e-6)
