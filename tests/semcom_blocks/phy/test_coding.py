# SPDX-License-Identifier: GPL-3.0-or-later
"""The convolutional code against its definition, the union bound and a textbook Viterbi."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erfc

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import coding
from semcom_blocks.phy.viterbi import GENERATORS, OVERLAP_STEPS, viterbi

#: Total information weight of the code's paths at distance 10, 12, … 20
#: (J. Conan, IEEE Trans. Commun. 32(9), 1984, table for K = 7).
INFORMATION_WEIGHTS = {10: 36, 12: 211, 14: 1404, 16: 11633, 18: 77433, 20: 502690}


def noisy_llr(code, ebn0_db, rng):
    """LLRs of BPSK code bits in AWGN; Es = Eb / 2."""
    es_n0 = 10 ** (ebn0_db / 10) / 2
    amplitude = 1.0 - 2.0 * code.astype(np.float32)
    noise = rng.standard_normal(code.shape, dtype=np.float32) * np.float32(np.sqrt(0.5 / es_n0))
    return 4 * np.float32(es_n0) * (amplitude + noise)


def union_bound(ebn0_db):
    eb_n0 = 10 ** (ebn0_db / 10)
    return sum(
        weight * 0.5 * erfc(np.sqrt(distance * eb_n0 / 2))
        for distance, weight in INFORMATION_WEIGHTS.items()
    )


def textbook_encode(bits):
    register, out = 0, []
    for bit in [*bits, *[0] * 6]:
        register = (register >> 1) | (int(bit) << 6)
        out += [bin(register & generator).count("1") & 1 for generator in GENERATORS]
    return np.array(out, np.uint8)


def textbook_viterbi(llr):
    """One state, one step at a time, double precision, from state 0 to state 0."""
    n_steps = len(llr) // 2
    metric, history = {0: 0.0}, []
    for step in range(n_steps):
        best = {}
        for state, value in metric.items():
            for bit in (0, 1):
                register = (bit << 6) | state
                gain = sum(
                    llr[2 * step + i] * (1 - 2 * (bin(register & g).count("1") & 1))
                    for i, g in enumerate(GENERATORS)
                )
                candidate = (value + gain, state)
                target = register >> 1
                if target not in best or candidate[0] > best[target][0]:
                    best[target] = candidate
        history.append({state: previous for state, (_, previous) in best.items()})
        metric = {state: value for state, (value, _) in best.items()}
    state, bits = 0, []
    for step in range(n_steps - 1, -1, -1):
        bits.append(state >> 5)
        state = history[step][state]
    return np.array(bits[::-1][:-6], np.uint8)


def test_impulse_response_is_the_generators():
    code = coding.encode(np.array([1], np.uint8)).reshape(7, 2)
    assert int("".join(map(str, code[:, 0])), 2) == 0o133
    assert int("".join(map(str, code[:, 1])), 2) == 0o171


@given(st.lists(st.integers(0, 1), max_size=80))
def test_encode_is_the_shift_register(bits):
    bits = np.array(bits, np.uint8)
    code = coding.encode(bits)
    assert code.dtype == np.uint8
    assert code.shape == (coding.coded_length(bits.size),)
    np.testing.assert_array_equal(code, textbook_encode(bits))


def test_encode_and_decode_by_rows():
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (3, 5, 40), dtype=np.uint8)
    code = coding.encode(bits)
    assert code.shape == (3, 5, 92)
    np.testing.assert_array_equal(code[2, 4], coding.encode(bits[2, 4]))
    np.testing.assert_array_equal(coding.decode(1.0 - 2.0 * code), bits)
    assert coding.decode(np.zeros((0, 20))).shape == (0, 4)


@pytest.mark.parametrize("n_bits", [0, 1, 2, 63, 64, 203, 204, 205, 210, 211, 500, 2048, 30_011])
def test_noiseless_round_trip_at_every_window_edge(n_bits):
    bits = np.random.default_rng(n_bits).integers(0, 2, n_bits, dtype=np.uint8)
    decoded = coding.decode(1.0 - 2.0 * coding.encode(bits))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, bits)


def test_short_words_decode_as_the_textbook_does():
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 2, (12, 60), dtype=np.uint8)
    llr = noisy_llr(coding.encode(bits), 0.0, rng)  # so noisy that many words are wrong
    expected = np.array([textbook_viterbi(word.astype(float)) for word in llr])
    np.testing.assert_array_equal(coding.decode(llr), expected)
    assert (expected != bits).any()


@pytest.mark.parametrize("ebn0_db", [2.0, 3.0, 4.0])
@pytest.mark.parametrize("core_steps", [OVERLAP_STEPS, 96, 512])
def test_windows_lose_nothing_against_the_whole_trellis(ebn0_db, core_steps):
    rng = np.random.default_rng(int(10 * ebn0_db) + core_steps)
    bits = rng.integers(0, 2, (128, 2000), dtype=np.uint8)
    llr = noisy_llr(coding.encode(bits), ebn0_db, rng).reshape(128, -1, 2)
    whole = viterbi(llr, core_steps=llr.shape[1])[:, :-6] != bits
    cut = viterbi(llr, core_steps=core_steps)[:, :-6] != bits
    # Same noise, so the difference is the windows' alone: less than one error in fifty.
    assert abs(int(cut.sum()) - int(whole.sum())) <= 2 + 0.02 * whole.sum()
    assert whole.sum() > 0 or ebn0_db == 4.0


def test_long_message_starts_and_ends_as_well_as_it_runs():
    """The known first and last state are used: the ends have fewer errors, not more."""
    rng = np.random.default_rng(11)
    bits = rng.integers(0, 2, (1500, 1000), dtype=np.uint8)
    wrong = coding.decode(noisy_llr(coding.encode(bits), 1.5, rng)) != bits
    middle = wrong[:, 100:-100].mean()
    assert wrong[:, :5].mean() < middle
    assert wrong[:, -5:].mean() < middle


@pytest.mark.parametrize(
    ("ebn0_db", "n_words", "low", "high"),
    # The union bound is tight to a few percent from 4 dB up and loose below 3 dB.
    [(3.0, 300, 0.5, 1.0), (4.2, 3200, 0.75, 1.2)],
)
def test_bit_error_rate_meets_the_union_bound(ebn0_db, n_words, low, high):
    rng = np.random.default_rng(42)
    errors = n_bits = 0
    for _ in range(5):
        bits = rng.integers(0, 2, (n_words // 5, 4000), dtype=np.uint8)
        errors += int((coding.decode(noisy_llr(coding.encode(bits), ebn0_db, rng)) != bits).sum())
        n_bits += bits.size
    assert low < errors / n_bits / union_bound(ebn0_db) < high


def test_scale_of_the_llrs_does_not_matter():
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2, 3000, dtype=np.uint8)
    llr = noisy_llr(coding.encode(bits), 2.0, rng)
    np.testing.assert_array_equal(coding.decode(llr), coding.decode(llr * 2.0**-20))
    np.testing.assert_array_equal(coding.decode(llr), coding.decode(llr.astype(np.float64)))


def test_bad_llrs_cost_only_their_neighbourhood():
    """NaN is an erasure; a value wildly sure of the wrong bit errs there and nowhere else."""
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2, 5000, dtype=np.uint8)
    clean = noisy_llr(coding.encode(bits), 8.0, rng).astype(np.float64)
    where = np.arange(50, clean.size - 50, 400)

    llr = clean.copy()
    llr[where] = np.nan
    np.testing.assert_array_equal(coding.decode(llr), bits)

    llr[where] = np.resize([np.inf, -np.inf, 1e300, -1e30], where.size)
    wrong = np.flatnonzero(coding.decode(llr) != bits)
    distance = np.abs(wrong[:, None] - where[None, :] // 2).min(axis=1)
    assert wrong.size > 0
    assert distance.max() <= 20  # a path of the code leaves and is back


def test_erased_burst_is_bridged_and_noise_is_not_believed():
    rng = np.random.default_rng(6)
    bits = rng.integers(0, 2, 2000, dtype=np.uint8)
    llr = 1.0 - 2.0 * coding.encode(bits).astype(float)
    llr[1000:1009] = 0.0  # nine erasures: below the free distance of 10
    np.testing.assert_array_equal(coding.decode(llr), bits)
    guess = coding.decode(rng.standard_normal(llr.size))
    assert 0.4 < (guess != bits).mean() < 0.6


@pytest.mark.parametrize("length", [0, 2, 10, 11, 13, 101])
def test_impossible_code_length_is_refused(length):
    with pytest.raises(ConfigError, match=str(length)):
        coding.decode(np.zeros(length))


def test_foreign_values_are_refused():
    with pytest.raises(ConfigError, match="2, permitted: 0 and 1"):
        coding.encode(np.array([0, 2]))
    with pytest.raises(ConfigError, match="-1"):
        coding.encode(np.array([0, -1]))
    with pytest.raises(ConfigError, match="float64"):
        coding.encode(np.array([0.0, 1.0]))
    with pytest.raises(ConfigError, match="complex128"):
        coding.decode(np.zeros(20, complex))
    with pytest.raises(ConfigError, match="permitted"):
        coding.bits_to_bytes(np.zeros(9, np.uint8))


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_bytes_survive(data):
    bits = coding.bytes_to_bits(data)
    assert bits.shape == (8 * len(data),)
    assert coding.bits_to_bytes(bits) == data
    assert coding.bits_to_bytes(coding.decode(1.0 - 2.0 * coding.encode(bits))) == data


def test_bit_order_is_most_significant_first():
    np.testing.assert_array_equal(coding.bytes_to_bits(b"\x80\x01")[[0, 15]], [1, 1])
    assert coding.bytes_to_bits(b"\x80\x01").sum() == 2
