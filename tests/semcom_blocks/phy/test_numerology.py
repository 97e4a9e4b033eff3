# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of the waveform: what follows from them, and which are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.numerology import FFT_SIZES, Numerology


@st.composite
def numerologies(draw):
    size = draw(st.sampled_from(FFT_SIZES))
    used = 2 * draw(st.integers(8, (size - 4) // 2))
    return Numerology(size, draw(st.integers(4, size // 2)), used, draw(st.integers(2, used // 2)))


def test_defaults_are_those_of_the_design_page():
    num = Numerology()
    assert (num.fft_size, num.cp_len, num.n_used, num.symbol_len) == (64, 16, 52, 80)
    assert num.spacing_hz == 15_625.0
    assert num.symbol_energy == pytest.approx(64 / 52)


@given(numerologies())
def test_carriers_are_symmetric_and_without_dc(num):
    assert len(num.carriers) == num.n_used
    assert np.array_equal(num.carriers, -num.carriers[::-1])
    assert 0 not in num.carriers
    assert np.abs(num.carriers).max() < num.fft_size // 2


@given(numerologies())
def test_comb_and_data_share_the_carriers(num):
    both = np.concatenate([num.comb_index, num.data_index])
    assert np.array_equal(np.sort(both), np.arange(num.n_used))
    assert (len(num.comb_index), len(num.data_index)) == (num.n_comb, num.n_data)


@given(numerologies())
def test_comb_is_evenly_spread(num):
    gaps = np.diff(num.comb_index)
    assert gaps.max() - gaps.min() <= 1
    edges = num.comb_index[0], num.n_used - 1 - num.comb_index[-1]
    assert max(edges) <= gaps.max() // 2 + 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fft_size", 63),
        ("fft_size", 32),
        ("fft_size", 64.0),
        ("fft_size", "64"),
        ("cp_len", 3),
        ("cp_len", 33),
        ("cp_len", 16.5),
        ("cp_len", None),
        ("n_used", 14),
        ("n_used", 62),
        ("n_used", 51),
        ("n_comb", 1),
        ("n_comb", 27),
        ("n_comb", True),
        ("block_period", 3),
        ("block_period", 1025),
        ("sample_rate_hz", 0.0),
        ("sample_rate_hz", 1e9),
        ("sample_rate_hz", float("nan")),
        ("sample_rate_hz", "fast"),
    ],
)
def test_impossible_sizes_are_refused_by_name_and_value(name, value):
    with pytest.raises(ConfigError, match=name) as error:
        Numerology.from_dict({name: value})
    assert str(value) in str(error.value)


def test_unknown_key_is_refused():
    with pytest.raises(ConfigError, match="fft_length"):
        Numerology.from_dict({"fft_length": 64})
