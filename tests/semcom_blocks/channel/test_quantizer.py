# SPDX-License-Identifier: GPL-3.0-or-later
"""The converter: 6 dB a bit, clipping, and what is not finite."""

import numpy as np
import pytest

from semcom_blocks.channel.quantizer import Quantizer


@pytest.mark.parametrize("bits", [6, 8, 10, 12, 14])
@pytest.mark.parametrize("full_scale", [1.0, 4.0])
def test_a_full_scale_sine_has_6_db_a_bit(bits, full_scale):
    # An irrational frequency visits all levels evenly.
    phase = 2 * np.pi * np.arange(200_000) * (np.sqrt(5) - 1) / 2
    sine = (full_scale * np.exp(1j * phase)).astype(np.complex64)
    error = Quantizer(bits, full_scale).process(sine).astype(complex) - sine
    sqnr_db = 10 * np.log10(full_scale**2 / np.mean(np.abs(error) ** 2))
    assert sqnr_db == pytest.approx(6.02 * bits + 1.76, abs=0.35)


def test_there_are_2_to_the_bits_levels_and_no_more():
    ramp = np.linspace(-3, 3, 10_001).astype(np.float32)
    found = Quantizer(3, 1.0).process(ramp.astype(np.complex64))
    np.testing.assert_allclose(np.unique(found.real), np.arange(-0.875, 1, 0.25))
    assert np.unique(found.imag).tolist() == [0.125]


def test_one_bit_is_the_sign():
    found = Quantizer(1, 2.0).process(np.array([3 - 0.1j, -0.1 + 9j], np.complex64))
    np.testing.assert_array_equal(found, [1 - 1j, -1 + 1j])


def test_overload_clips_and_nan_stays_visible():
    values = [1e30, -np.inf, np.inf * 1j, complex(np.nan, 0.0)]
    found = Quantizer(8, 1.0).process(np.array(values, np.complex64))
    top = 1 - 1 / 256
    assert found[0].real == pytest.approx(top) and found[1].real == pytest.approx(-top)
    assert found[2].imag == pytest.approx(top)
    assert np.isnan(found[3].real) and np.isfinite(found[3].imag)
