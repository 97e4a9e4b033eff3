# SPDX-License-Identifier: GPL-3.0-or-later
"""The constellations as a family: mapping, bit error rate, and LLRs that mean what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erfc, logsumexp

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import qam
from semcom_blocks.phy.qam import BITS_PER_SYMBOL


def labels_of(bits_per_symbol):
    """Every label once, uint8 (2**bits_per_symbol, bits_per_symbol)."""
    index = np.arange(1 << bits_per_symbol)[:, None]
    return ((index >> np.arange(bits_per_symbol - 1, -1, -1)) & 1).astype(np.uint8)


def theory_ber(bits_per_symbol, es_n0):
    """Exact bit error rate of Gray-mapped square QAM (Cho & Yoon 2002, eq. 14 and 16)."""
    if bits_per_symbol == 1:
        return 0.5 * erfc(np.sqrt(es_n0))
    half = bits_per_symbol // 2
    side = 1 << half
    total = 0.0
    for k in range(1, half + 1):
        for i in range(side - side // (1 << k)):
            share = i * (1 << (k - 1)) / side
            sign = (-1) ** int(np.floor(share))
            weight = (1 << (k - 1)) - np.floor(share + 0.5)
            argument = (2 * i + 1) * np.sqrt(3 * es_n0 / (2 * (side**2 - 1)))
            total += sign * weight * erfc(argument) / side
    return total / half


def received(bits_per_symbol, es_n0_db, n_symbols, seed):
    """Random bits, their noisy symbols, and the noise variance of each."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, n_symbols * bits_per_symbol, dtype=np.uint8)
    variance = 10 ** (-es_n0_db / 10)
    noise = rng.standard_normal((2, n_symbols)) * np.sqrt(variance / 2)
    symbols = qam.modulate(bits, bits_per_symbol) + (noise[0] + 1j * noise[1])
    return bits, symbols.astype(np.complex64), np.full(n_symbols, variance, np.float32)


@pytest.mark.parametrize("bits_per_symbol", BITS_PER_SYMBOL)
def test_unit_power_distinct_points_and_gray_neighbours(bits_per_symbol):
    labels = labels_of(bits_per_symbol)
    points = qam.modulate(labels.reshape(-1), bits_per_symbol)
    assert points.dtype == np.complex64
    assert np.mean(np.abs(points) ** 2) == pytest.approx(1.0, rel=1e-6)
    distance = np.abs(points[:, None] - points[None, :])
    np.fill_diagonal(distance, np.inf)
    nearest = distance.min()
    assert nearest > 0.1
    neighbours = np.argwhere(distance < 1.01 * nearest)
    differing = (labels[neighbours[:, 0]] != labels[neighbours[:, 1]]).sum(axis=1)
    assert np.all(differing == 1)


@pytest.mark.parametrize("bits_per_symbol", BITS_PER_SYMBOL)
@given(data=st.data())
def test_round_trip_without_noise(bits_per_symbol, data):
    n = data.draw(st.integers(0, 40))
    drawn = data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    bits = np.repeat(np.array(drawn, np.uint8), bits_per_symbol)
    symbols = qam.modulate(bits, bits_per_symbol)
    llr = qam.demodulate(symbols, np.full(len(symbols), 0.01, np.float32), bits_per_symbol)
    assert llr.dtype == np.float32
    assert np.array_equal(llr < 0, bits == 1)


@pytest.mark.parametrize(
    ("bits_per_symbol", "es_n0_db"),
    [(1, 4.0), (2, 7.0), (4, 13.0), (6, 18.0), (6, 22.0), (8, 24.0), (8, 28.0)],
)
def test_bit_error_rate_is_that_of_theory(bits_per_symbol, es_n0_db):
    n_symbols = 600_000 // bits_per_symbol
    bits, symbols, variance = received(bits_per_symbol, es_n0_db, n_symbols, seed=bits_per_symbol)
    llr = qam.demodulate(symbols, variance, bits_per_symbol)
    expected = theory_ber(bits_per_symbol, 10 ** (es_n0_db / 10))
    errors = np.count_nonzero((llr < 0) != (bits == 1))
    # Errors of one symbol are few and nearly independent: four standard deviations.
    assert abs(errors - expected * len(bits)) < 4 * np.sqrt(expected * len(bits))
    assert errors > 100


@pytest.mark.parametrize(
    ("bits_per_symbol", "es_n0_db"), [(1, 0.0), (2, 2.0), (4, 12.0), (6, 18.0)]
)
def test_llr_is_the_logarithm_of_the_odds(bits_per_symbol, es_n0_db):
    """Of all bits whose LLR is near L, a share 1 / (1 + exp(L)) must be ones."""
    bits, symbols, variance = received(bits_per_symbol, es_n0_db, 200_000, seed=11)
    llr = qam.demodulate(symbols, variance, bits_per_symbol)
    for level in (-3.0, -1.0, 1.0, 3.0):
        near = np.abs(llr - level) < 0.25
        odds = np.mean(1 / (1 + np.exp(llr[near])))
        assert np.mean(bits[near]) == pytest.approx(odds, abs=0.02)


@pytest.mark.parametrize("bits_per_symbol", BITS_PER_SYMBOL)
def test_llr_against_all_points(bits_per_symbol):
    """Max-log over the whole constellation; exact for one bit an axis."""
    _, symbols, variance = received(bits_per_symbol, 10.0, 300, seed=3)
    variance *= np.linspace(0.5, 2.0, len(variance), dtype=np.float32)
    labels = labels_of(bits_per_symbol)
    points = qam.modulate(labels.reshape(-1), bits_per_symbol)
    score = -(np.abs(symbols[:, None] - points) ** 2) / variance[:, None]  # (n, points)
    reduce = logsumexp if bits_per_symbol <= 2 else np.max
    expected = [
        reduce(score[:, labels[:, b] == 0], axis=1) - reduce(score[:, labels[:, b] == 1], axis=1)
        for b in range(bits_per_symbol)
    ]
    llr = qam.demodulate(symbols, variance, bits_per_symbol).reshape(-1, bits_per_symbol)
    np.testing.assert_allclose(llr, np.stack(expected, axis=1), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("bits_per_symbol", [0, 3, 5, 10])
def test_other_orders_are_refused(bits_per_symbol):
    with pytest.raises(ConfigError, match="bits_per_symbol"):
        qam.modulate(np.zeros(30, np.uint8), bits_per_symbol)
    with pytest.raises(ConfigError, match="bits_per_symbol"):
        qam.demodulate(np.zeros(3, np.complex64), np.ones(3, np.float32), bits_per_symbol)
