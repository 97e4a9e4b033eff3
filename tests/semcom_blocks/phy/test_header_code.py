# SPDX-License-Identifier: GPL-3.0-or-later
"""RM(1, 5): its distances, and its error rate against the theory of biorthogonal codes."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import coding, header_code

ALL_WORDS = np.array(list(itertools.product([0, 1], repeat=6)), np.uint8)  # (64, 6)


def biorthogonal_word_error(es_n0):
    """Probability of a wrong word, M = 64, N = 32; Proakis, Digital Communications, 4.4."""
    mean = np.sqrt(2 * 32 * es_n0)

    def correct(v):
        return (2 * norm.cdf(v) - 1) ** 31 * norm.pdf(v - mean)

    return 1 - quad(correct, 0, mean + 12, limit=200)[0]


def noisy_llr(code, es_n0_db, rng):
    es_n0 = 10 ** (es_n0_db / 10)
    return 1 - 2.0 * code + rng.standard_normal(code.shape) * np.sqrt(0.5 / es_n0)


def test_distances_are_sixteen_and_thirty_two():
    code = header_code.encode(ALL_WORDS).astype(int)
    weights = code.sum(axis=1)
    assert np.bincount(weights, minlength=33)[[0, 16, 32]].tolist() == [1, 62, 1]
    for a, b in itertools.combinations(range(64), 2):  # linear
        assert (code ^ code[a] ^ code[b]).shape == (64, 32)
        assert (code[a] ^ code[b]).sum() in (16, 32)


def test_every_word_with_up_to_seven_wrong_bits():
    rng = np.random.default_rng(0)
    code = header_code.encode(ALL_WORDS)
    for n_wrong in range(8):
        llr = 1 - 2.0 * code
        for row in llr:
            row[rng.choice(32, n_wrong, replace=False)] *= -1
        np.testing.assert_array_equal(header_code.decode(llr), ALL_WORDS)


def test_every_word_with_fifteen_erasures():
    rng = np.random.default_rng(1)
    llr = 1 - 2.0 * header_code.encode(ALL_WORDS)
    for row in llr:
        row[rng.choice(32, 15, replace=False)] = np.nan
    np.testing.assert_array_equal(header_code.decode(llr), ALL_WORDS)


def test_blocks_lie_one_after_another():
    bits = np.random.default_rng(2).integers(0, 2, 60, dtype=np.uint8)
    code = header_code.encode(bits)
    assert code.shape == (320,)
    assert code.dtype == np.uint8
    np.testing.assert_array_equal(code[32:64], header_code.encode(bits[6:12]))
    decoded = header_code.decode(1 - 2.0 * code)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, bits)
    np.testing.assert_array_equal(header_code.decode(1 - 2.0 * np.stack([code, 1 - code]))[0], bits)


@pytest.mark.parametrize("es_n0_db", [-6.0, -4.0])
def test_word_error_rate_is_the_theory_of_maximum_likelihood(es_n0_db):
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2, (200_000, 6), dtype=np.uint8)
    decoded = header_code.decode(noisy_llr(header_code.encode(bits), es_n0_db, rng))
    rate = (decoded != bits).any(axis=1).mean()
    assert rate == pytest.approx(biorthogonal_word_error(10 ** (es_n0_db / 10)), rel=0.05)


def test_header_outlives_the_payload_at_equal_energy_per_code_bit():
    rng = np.random.default_rng(4)
    bits = rng.integers(0, 2, (500, 96), dtype=np.uint8)
    payload = coding.decode(noisy_llr(coding.encode(bits), -2.0, rng))
    header = header_code.decode(noisy_llr(header_code.encode(bits), -2.0, rng))
    payload_lost = (payload != bits).any(axis=1).mean()
    header_lost = (header != bits).any(axis=1).mean()
    assert header_lost < payload_lost / 5


def test_wild_values_do_not_warn():
    llr = 1 - 2.0 * header_code.encode(ALL_WORDS)
    llr[:, 0] = 1e300
    llr[:, 5] = -np.inf
    assert header_code.decode(llr).shape == (64, 6)
    np.testing.assert_array_equal(header_code.decode(np.zeros((2, 32))), np.zeros((2, 6)))


def test_foreign_shapes_are_refused():
    with pytest.raises(ConfigError, match="7"):
        header_code.encode(np.zeros(7, np.uint8))
    with pytest.raises(ConfigError, match="2, permitted"):
        header_code.encode(np.full(6, 2))
    with pytest.raises(ConfigError, match="31"):
        header_code.decode(np.zeros(31))
    with pytest.raises(ConfigError, match="complex"):
        header_code.decode(np.zeros(32, complex))
