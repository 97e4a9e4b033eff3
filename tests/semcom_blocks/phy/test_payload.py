# SPDX-License-Identifier: GPL-3.0-or-later
"""Equalised grid to bytes and analog symbols."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom_blocks.phy.equalizer import equalize
from semcom_blocks.phy.payload import extract
from semcom_blocks.phy.qam import BITS_PER_SYMBOL


def read(link, sent, snr_db=None, response=None, method="mmse"):
    """Payload of a grid through a known channel."""
    noise_var = 1e-9 if snr_db is None else 10 ** (-snr_db / 10)
    if response is None:
        response = np.ones(link.numerology.n_used, np.complex64)
    received = sent.grid * response + link.normal(sent.grid.size, noise_var).reshape(
        sent.grid.shape
    )
    return extract(equalize(received, response, noise_var, method), sent.layout)


@pytest.mark.parametrize("bits_per_symbol", BITS_PER_SYMBOL)
@given(data=st.data())
@settings(max_examples=15)
def test_round_trip_of_every_size(make_link, bits_per_symbol, data):
    link = make_link(data.draw(st.integers(0, 100)))
    analog, digital = data.draw(st.integers(0, 1000)), data.draw(st.integers(0, 300))
    sent = link.frame(0, analog, digital, bits_per_symbol)
    payload = read(link, sent)
    assert payload.digital == sent.digital
    assert payload.analog.shape == payload.noise_var.shape == sent.analog.shape
    assert payload.symbols.shape == (sent.layout.n_digital,)
    np.testing.assert_allclose(payload.analog, sent.analog, atol=1e-3)


# Es/N0 at which a 128-byte packet at rate 1/2 must nearly always arrive: QPSK BER 1e-5 at
# 4.2 dB, the others by their distance in the constellation plus 1 dB for max-log.
@pytest.mark.parametrize(
    ("bits_per_symbol", "snr_db"), [(1, 1.5), (2, 4.5), (4, 10.5), (6, 16.0), (8, 21.5)]
)
def test_packets_arrive_at_the_snr_of_their_order(link, bits_per_symbol, snr_db):
    packets = [link.frame(seq, 0, 128, bits_per_symbol) for seq in range(40)]
    good = sum(read(link, sent, snr_db).digital == sent.digital for sent in packets)
    assert good >= 39


def test_packets_do_not_arrive_far_below(link):
    """Or the noise of this test is not what it says."""
    packets = [link.frame(seq, 0, 128) for seq in range(40)]
    assert sum(read(link, sent, 1.5).digital == sent.digital for sent in packets) <= 10


@pytest.mark.parametrize("method", ["zf", "mmse"])
def test_a_faded_eighth_of_the_band_is_bridged(link, method):
    """LLRs must weigh what a null takes: without, the noise of ZF there would win."""
    response = np.ones(link.numerology.n_used, np.complex64)
    response[20:26] = 0.01
    packets = [link.frame(seq, 0, 128) for seq in range(20)]
    good = sum(read(link, s, 8.0, response, method).digital == s.digital for s in packets)
    assert good == 20


@pytest.mark.parametrize("method", ["zf", "mmse"])
def test_reported_variance_is_that_of_each_analog_symbol(link, method):
    """The decoder of the picture weighs its symbols by it."""
    response = link.response(link.rayleigh((0.5, 0.3, 0.2)))
    sent = link.frame(analog=60_000)
    payload = read(link, sent, 10.0, response, method)
    error = np.abs(payload.analog - sent.analog) ** 2
    assert np.mean(error) == pytest.approx(np.mean(payload.noise_var), rel=0.03)
    groups = np.array_split(np.argsort(payload.noise_var), 8)
    for group in groups:
        assert np.mean(error[group]) == pytest.approx(np.mean(payload.noise_var[group]), rel=0.08)


def test_a_frame_without_payload(link):
    payload = read(link, link.frame(analog=0))
    assert payload.digital == b""
    assert len(payload.analog) == len(payload.noise_var) == len(payload.symbols) == 0
