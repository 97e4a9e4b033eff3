# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio chain in one process: what arrives in each channel, and that senders can be paired."""

import numpy as np
import pytest

from host.bench.link.air import gaussian
from host.evaluate.radio_chain import CASES, Case, through_chain
from semcom_blocks.errors import ConfigError

COUNT = 3000


@pytest.fixture(scope="module")
def symbols():
    return gaussian(np.random.default_rng(1), COUNT)


def error(arrived, symbols):
    return np.mean(np.abs(arrived.symbols - symbols)[np.isfinite(arrived.noise_var)] ** 2)


@pytest.mark.parametrize("precoding", ["none", "frame"])
def test_white_noise_arrives_as_strong_as_set_and_told(symbols, precoding):
    arrived = through_chain(symbols, CASES["awgn"], 12, (1,), precoding=precoding)
    assert (arrived.frames_sent, arrived.frames_received) == (1, 1)
    assert -10 * np.log10(error(arrived, symbols)) == pytest.approx(12, abs=0.3)
    assert -10 * np.log10(arrived.noise_var.mean()) == pytest.approx(12, abs=0.3)


@pytest.mark.parametrize("name", CASES)
def test_every_case_carries_symbols_in_several_frames(symbols, name):
    arrived = through_chain(symbols, CASES[name], 25, (2,), per_frame=1000)
    assert arrived.frames_sent == 3
    assert arrived.symbols.dtype == np.complex64 and arrived.noise_var.dtype == np.float32
    heard = np.isfinite(arrived.noise_var)
    assert heard.sum() == COUNT * arrived.frames_received // 3 > 0
    assert not arrived.symbols[~heard].any()
    assert error(arrived, symbols) < 0.3


def likeness(x, y):
    return np.abs(np.vdot(x, y)) / np.linalg.norm(x) / np.linalg.norm(y)


def test_equal_keys_are_equal_channels_and_others_are_not(symbols):
    """Noise and fades do not depend on what is sent."""
    first, again = (through_chain(symbols, CASES["radio"], 15, (3, 7)) for _ in range(2))
    np.testing.assert_array_equal(first.symbols, again.symbols)
    np.testing.assert_array_equal(first.noise_var, again.noise_var)
    turned = symbols[::-1].copy()
    noise = [
        through_chain(sent, CASES["awgn"], 15, key, precoding="none").symbols - sent
        for sent, key in ((symbols, (3, 7)), (turned, (3, 7)), (symbols, (3, 8)))
    ]
    assert likeness(noise[0], noise[1]) > 0.95
    assert likeness(noise[0], noise[2]) < 0.1
    fades = [
        through_chain(sent, CASES["rayleigh"], 25, key, per_frame=1000).noise_var
        for sent, key in ((symbols, (3, 7)), (turned, (3, 7)), (symbols, (3, 8)))
    ]
    np.testing.assert_allclose(fades[0], fades[1], rtol=0.05)
    assert not np.allclose(fades[0], fades[2], rtol=0.05)


def test_frames_fade_one_by_one(symbols):
    arrived = through_chain(symbols, CASES["rayleigh"], 25, (4,), per_frame=300)
    told = np.unique(arrived.noise_var[np.isfinite(arrived.noise_var)])
    assert arrived.frames_received == len(told) >= 8
    assert told.max() > 5 * told.min()


def test_clipping_costs_what_noise_does_not_explain(symbols):
    plain, clipped = (
        through_chain(symbols, Case("", papr_limit_db=limit), 25, (5,)) for limit in (None, 4.0)
    )
    assert error(clipped, symbols) > 3 * error(plain, symbols)
    assert clipped.noise_var.mean() > 3 * plain.noise_var.mean()


def test_nothing_arrives_far_below_the_noise(symbols):
    arrived = through_chain(symbols, CASES["awgn"], -10, (6,))
    assert arrived.frames_received == 0
    assert np.isinf(arrived.noise_var).all() and not arrived.symbols.any()


def test_an_unknown_equaliser_is_refused(symbols):
    with pytest.raises(ConfigError, match="equalizer"):
        through_chain(symbols, CASES["awgn"], 20, (1,), equalizer="best")
