# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents on symbols: unit power, exact without noise, losses scattered and known."""

import numpy as np
import pytest

from host.pipeline.latent_stream import PACKET, from_symbols, order, to_symbols
from semcom_blocks.errors import ConfigError

RNG = np.random.default_rng(4)
SHAPES = [(4, 16, 16), (4, 38, 57), (16, 4, 6), (2, 1, 1)]


def latents(shape):
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_noise_all_comes_back(shape):
    sent = latents(shape)
    symbols, about = to_symbols(sent)
    assert len(symbols) == about["n"] == sent.size // 2
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1, rel=1e-5)
    found, noise_var = from_symbols(symbols, np.zeros(len(symbols), np.float32), about)
    np.testing.assert_allclose(found, sent, atol=1e-5)
    assert (noise_var == 0).all()


def test_noise_has_the_variance_that_is_told():
    sent = 3 * latents((4, 64, 64))
    symbols, about = to_symbols(sent)
    s = 0.1
    noise = (RNG.standard_normal((len(symbols), 2)) @ [1, 1j]) * np.sqrt(s / 2)
    heard = (symbols + noise).astype(np.complex64)
    found, noise_var = from_symbols(heard, np.full(len(symbols), s, np.float32), about)
    assert np.var(found - sent) == pytest.approx(float(noise_var.mean()), rel=0.05)


@pytest.mark.parametrize("places", [1, 7, 8, 9, 64, 256, 1000, 2166])
def test_every_place_is_sent_once_and_neighbours_together(places):
    found = order(places)
    assert sorted(found) == list(range(places))
    runs = [r for r in np.split(found, np.flatnonzero(np.diff(found) != 1) + 1) if len(r)]
    assert all(len(r) >= min(PACKET, places % PACKET or PACKET, places) for r in runs)


def test_what_is_left_out_is_lost_and_scattered():
    sent = latents((4, 16, 16))
    symbols, about = to_symbols(sent, 0.5)
    assert len(symbols) == 256
    found, noise_var = from_symbols(symbols, np.zeros(256, np.float32), about)
    lost = np.isinf(noise_var)
    assert lost.mean() == 0.5
    assert (lost == lost[:1]).all()  # channels of a place share their fate
    assert (found[lost] == 0).all()
    np.testing.assert_allclose(found[~lost], sent[~lost], atol=1e-5)
    rows = lost[0].mean(1)  # of each row of the picture
    assert np.abs(rows.reshape(4, 4).mean(1) - 0.5).max() <= 0.25


def test_symbols_that_did_not_arrive_are_lost_too():
    symbols, about = to_symbols(latents((4, 16, 16)))
    noise_var = np.full(512, 0.01, np.float32)
    symbols[100:200], noise_var[100:200] = 0, np.inf
    _, found = from_symbols(symbols, noise_var, about)
    assert np.isinf(found).sum() == 200


def test_a_picture_without_latents_is_sent_as_nothing():
    symbols, about = to_symbols(np.zeros((4, 4, 4), np.float32))
    found, _ = from_symbols(symbols, np.ones(len(symbols), np.float32), about)
    assert (found == 0).all()


@pytest.mark.parametrize(
    "change",
    [{"k": 3}, {"k": 10_000}, {"y": 0}, {"x": "9"}, {"y": 10**6, "x": 10**6}, {"g": 0.0}, {"g": 1}],
    ids=str,
)
def test_descriptors_from_the_air_are_checked(change):
    symbols, about = to_symbols(latents((4, 4, 4)))
    with pytest.raises(ConfigError, match="permitted"):
        from_symbols(symbols, np.zeros(32, np.float32), about | change)


def test_an_odd_number_of_channels_is_refused():
    with pytest.raises(ConfigError, match="3 channels"):
        to_symbols(latents((3, 4, 4)))
