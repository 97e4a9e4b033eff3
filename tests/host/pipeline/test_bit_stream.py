# SPDX-License-Identifier: GPL-3.0-or-later
"""Bits on symbols: exact without noise, the textbook's error rate with it."""

import numpy as np
import pytest
from scipy.special import erfc

from host.pipeline.bit_stream import from_symbols, to_symbols


@pytest.mark.parametrize("per_symbol", [1, 2, 4, 6, 8])
@pytest.mark.parametrize("count", [1, 7, 48, 1000])
def test_bits_come_back(per_symbol: int, count: int) -> None:
    bits = np.random.default_rng(count).integers(0, 2, count).astype(np.uint8)
    symbols = to_symbols(bits, per_symbol)
    assert len(symbols) == -(-count // per_symbol)
    noise_var = np.full(len(symbols), 1e-3, np.float32)
    np.testing.assert_array_equal(from_symbols(symbols, noise_var, per_symbol, count), bits)


@pytest.mark.parametrize("snr_db", [4.0, 7.0])
def test_error_rate_of_qpsk_is_that_of_theory(snr_db: float) -> None:
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2, 400_000).astype(np.uint8)
    noise_var = 10 ** (-snr_db / 10)
    symbols = to_symbols(bits, 2)
    noise = rng.standard_normal((len(symbols), 2)) @ [1, 1j] * np.sqrt(noise_var / 2)
    received = (symbols + noise).astype(np.complex64)
    found = from_symbols(received, np.full(len(symbols), noise_var, np.float32), 2, len(bits))
    # P = Q(sqrt(Es/N0)) for each of the two bits.
    theory = erfc(np.sqrt(1 / noise_var / 2)) / 2
    deviation = np.sqrt(theory * (1 - theory) / len(bits))
    assert abs(np.mean(found != bits) - theory) < 4 * deviation


def test_what_did_not_arrive_is_zeros_and_spoils_nothing() -> None:
    bits = np.ones(64, np.uint8)
    symbols = to_symbols(bits, 4)
    noise_var = np.full(len(symbols), 0.01, np.float32)
    symbols[3:6], noise_var[3:6] = 0, np.inf
    found = from_symbols(symbols, noise_var, 4, 64)
    assert np.all(found[:12] == 1) and np.all(found[24:] == 1)
    assert np.mean(found[12:24] == 0) >= 0.5


def test_a_noiseless_symbol_is_no_division_by_zero() -> None:
    bits = np.array([1, 0, 1, 1], np.uint8)
    found = from_symbols(to_symbols(bits, 2), np.zeros(2, np.float32), 2, 4)
    np.testing.assert_array_equal(found, bits)
