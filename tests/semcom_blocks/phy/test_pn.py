# SPDX-License-Identifier: GPL-3.0-or-later
"""The pseudo-noise sequence against the properties of an m-sequence (Golomb's postulates)."""

import numpy as np

from semcom_blocks.phy.pn import PN_DEGREE, PN_PERIOD, pn_bits, pn_qpsk


def test_obeys_its_polynomial_from_the_all_ones_state():
    register, expected = [1] * PN_DEGREE, []
    for _ in range(200):
        expected.append(register[-1])
        register = [register[-1] ^ register[-2], *register[:-1]]
    assert pn_bits(200).tolist() == expected


def test_is_balanced_and_every_state_but_zero_occurs_once():
    bits = pn_bits(PN_PERIOD + PN_DEGREE).astype(np.int64)
    assert bits[:PN_PERIOD].sum() == (PN_PERIOD + 1) // 2
    states = sum(bits[i : i + PN_PERIOD] << i for i in range(PN_DEGREE))
    assert np.array_equal(np.sort(states), np.arange(1, PN_PERIOD + 1))


def test_autocorrelation_has_two_values():
    signs = 1.0 - 2.0 * pn_bits(PN_PERIOD)
    correlation = np.fft.ifft(np.abs(np.fft.fft(signs)) ** 2).real
    assert np.isclose(correlation[0], PN_PERIOD)
    np.testing.assert_allclose(correlation[1:], -1.0, atol=1e-6)


def test_repeats_after_its_period_and_starts_at_the_offset():
    bits = pn_bits(2 * PN_PERIOD)
    assert np.array_equal(bits[:PN_PERIOD], bits[PN_PERIOD:])
    assert np.array_equal(pn_bits(500, 777), bits[777:1277])
    assert np.array_equal(pn_bits(10, PN_PERIOD - 3), bits[PN_PERIOD - 3 : PN_PERIOD + 7])


def test_qpsk_values_have_unit_power_and_take_two_bits_each():
    values, bits = pn_qpsk(1000, 31), pn_bits(2000, 31)
    assert values.dtype == np.complex64
    np.testing.assert_allclose(np.abs(values), 1.0, rtol=1e-6)
    assert np.array_equal(values.real < 0, bits[0::2] == 1)
    assert np.array_equal(values.imag < 0, bits[1::2] == 1)
