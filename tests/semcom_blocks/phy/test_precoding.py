# SPDX-License-Identifier: GPL-3.0-or-later
"""Precoding: undone without a trace, peaks as expected, and an error variance that is true."""

import numpy as np
import pytest

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import measure
from semcom_blocks.phy.bands import Band, BandTable
from semcom_blocks.phy.equalizer import METHODS, equalize_frame
from semcom_blocks.phy.framer import Framer
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.payload import extract
from semcom_blocks.phy.preamble import preamble_len
from semcom_blocks.phy.precoding import (
    DEFAULT_PRECODING,
    PRECODINGS,
    mean_error,
    mix,
    precode,
    undo,
    unmix,
)
from semcom_blocks.phy.receiver import receive

MIXED = ("frame", "dft")


def framed(link, analog, precoding, digital=0):
    """A frame as tests/…/conftest.py makes it, precoded: layout, grid, bytes."""
    header = FrameHeader(
        7, 0, digital, stream_id=1, analog_symbols=len(analog), precoding=precoding
    )
    layout, data = FrameLayout(link.numerology, header), link.rng.bytes(digital)
    return layout, build_grid(layout, data, analog), data


def few_are_strong(link, n):
    """Unit power, a twentieth of the symbols with nearly all of it, as a picture's transform."""
    symbols = link.normal(n) * np.where(link.rng.random(n) < 0.05, 4.4, 0.2)
    return (symbols / np.sqrt(np.mean(np.abs(symbols) ** 2))).astype(np.complex64)


def peaks_db(link, analog, precoding):
    layout, grid, _ = framed(link, analog, precoding)
    payload = modulate(grid, link.numerology)[preamble_len(link.numerology) :]
    return measure.papr_db(payload[layout.n_header * link.numerology.symbol_len :])


@pytest.mark.parametrize("n", [1, 2, 47, 8192, 8191])
def test_the_transform_is_unitary(link, n):
    symbols = link.normal(n)
    cells = precode(symbols)
    assert cells.dtype == np.complex64
    assert measure.mean_power(cells) == pytest.approx(measure.mean_power(symbols), rel=1e-5)
    np.testing.assert_allclose(undo(cells), symbols, atol=1e-4)
    np.testing.assert_allclose(unmix(mix(symbols)), symbols, atol=1e-4)


@pytest.mark.parametrize("precoding", PRECODINGS)
@pytest.mark.parametrize(("n", "digital"), [(0, 0), (0, 60), (1, 0), (5000, 0), (5000, 60)])
def test_without_noise_the_payload_comes_back(link, precoding, n, digital):
    analog = link.normal(n)
    layout, grid, data = framed(link, analog, precoding, digital)
    response = np.ones(link.numerology.n_used, np.complex64)
    payload = extract(equalize_frame(grid, response, 1e-9, layout), layout)
    np.testing.assert_allclose(payload.analog, analog, atol=1e-3)
    assert payload.digital == data
    assert payload.analog.dtype == np.complex64
    assert payload.noise_var.dtype == np.float32
    np.testing.assert_allclose(payload.noise_var, 1e-9, atol=1e-7)


def test_pilots_and_header_are_as_ever(link):
    plain, *mixed = (framed(link, np.ones(5000, np.complex64), name)[:2] for name in PRECODINGS)
    for layout, grid in mixed:
        assert np.array_equal(grid[layout.known[:, :]], layout.reference[layout.known])
        comb = grid[:, link.numerology.comb_index]
        assert np.array_equal(comb, plain[1][:, link.numerology.comb_index])


def test_strong_symbols_among_weak_ones_have_gaussian_peaks_once_mixed_over_the_frame(link):
    """10 log10(ln 1000) = 8.4 dB at CCDF 1e-3 is what a Gaussian signal has."""
    analog = few_are_strong(link, 20_000)
    assert peaks_db(link, analog, "none") > 9.5
    assert peaks_db(link, analog, "frame") == pytest.approx(8.4, abs=0.3)
    assert peaks_db(link, analog, "dft") > 12


def test_a_single_carrier_has_low_peaks_of_qpsk(link):
    analog = link.qpsk(20_000)
    assert peaks_db(link, analog, "none") == pytest.approx(8.4, abs=0.3)
    assert peaks_db(link, analog, "frame") == pytest.approx(8.4, abs=0.3)
    assert peaks_db(link, analog, "dft") < 7.5


def test_every_cell_has_the_same_power_once_mixed_over_the_frame(link):
    """Else a stream sorted by power tilts the spectrum."""
    analog = np.sort(few_are_strong(link, 20_000))[::-1]
    spread = {}
    for precoding in ("none", "frame"):
        layout, grid, _ = framed(link, analog, precoding)
        power = np.mean(np.abs(grid[layout.data_cells]) ** 2, axis=0)
        spread[precoding] = 10 * np.log10(power.max() / power.min())
    assert spread["frame"] < 2 < spread["none"]


def test_what_repeats_among_the_symbols_makes_no_line(link):
    """As the first coefficient of every block of a picture does, 64 symbols apart."""
    analog = 0.1 * link.normal(20_000)
    analog[::64] += 8
    cells = np.abs(mix(analog / np.sqrt(measure.mean_power(analog)))) ** 2
    assert cells.max() < 15  # of 20,000 exponential ones the largest is about ln 20,000 = 9.9
    assert peaks_db(link, analog, "frame") == pytest.approx(8.4, abs=0.3)


@pytest.mark.parametrize("precoding", MIXED)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("snr_db", [3, 15])
def test_reported_variance_is_that_of_the_error_and_there_is_no_bias(
    link, precoding, method, snr_db
):
    noise_var = 10 ** (-snr_db / 10)
    for _ in range(3):
        response = link.response(link.rayleigh((0.5, 0.3, 0.2)))
        analog = link.normal(30_000)
        layout, grid, _ = framed(link, analog, precoding)
        received = grid * response + link.normal(grid.size, noise_var).reshape(grid.shape)
        payload = extract(equalize_frame(received, response, noise_var, layout, method), layout)
        error = np.mean(np.abs(payload.analog - analog) ** 2)
        np.testing.assert_allclose(payload.noise_var, error, rtol=0.05)
        assert abs(np.vdot(analog, payload.analog) / np.vdot(analog, analog) - 1) < 0.03


def test_mmse_reaches_the_bound_of_a_linear_receiver():
    """SNR of unbiased MMSE symbols: 1/mean(1/(1 + |H|²/σ²)) − 1 (Falconer 2002)."""
    power, noise_var = np.array([0.01, 0.5, 1.0, 2.0], np.float32), 0.1
    gain = power / (power + noise_var)
    scale = gain.mean()  # the receiver makes the mean gain 1
    error = (gain / scale) ** 2 * noise_var / power + (1 - gain / scale) ** 2
    mean, variance = mean_error(gain / scale, error)
    assert mean == pytest.approx(1.0)
    bound = 1 / np.mean(1 / (1 + power / noise_var)) - 1
    assert 1 / variance == pytest.approx(bound, rel=1e-5)


@pytest.mark.parametrize("precoding", MIXED)
def test_no_symbol_is_lost_to_a_null_of_its_own_carrier(link, precoding):
    response = np.ones(link.numerology.n_used, np.complex64)
    response[[9, 10, 30]] = 1e-3
    analog = link.qpsk(8000)
    errors = {}
    for name in ("none", precoding):
        layout, grid, _ = framed(link, analog, name)
        received = grid * response + link.normal(grid.size, 0.02).reshape(grid.shape)
        found = extract(equalize_frame(received, response, 0.02, layout), layout).analog
        errors[name] = np.count_nonzero(np.sign(found.real) != np.sign(analog.real))
    assert errors["none"] > 100
    assert errors[precoding] < 5


@pytest.mark.parametrize("precoding", PRECODINGS)
def test_through_the_whole_receiver(link, precoding):
    for _ in range(3):
        analog = few_are_strong(link, 6000)
        layout, grid, data = framed(link, analog, precoding, 100)
        samples = modulate(grid, link.numerology)
        taps = link.rayleigh((0.6, 0.3, 0.1))
        heard = link.send(samples, taps=taps, snr_db=18.0, cfo_hz=3000.0, sro_ppm=10.0)
        frame = receive(link.find_one(heard), link.numerology)
        assert frame.header == layout.header
        assert frame.payload.digital == data
        error = np.mean(np.abs(frame.payload.analog - analog) ** 2)
        assert error == pytest.approx(frame.payload.noise_var.mean(), rel=0.35)


def test_a_framer_leaves_packets_alone_and_names_what_it_does(link):
    framer, plain = Framer(), Framer(precoding="none")
    for made in (framer, plain):
        made.add_packet(3, b"\1" * 40)
        made.add_packet(3, b"\2" * 40)
        made.add_analog(3, 1, np.ones(100, np.complex64))
    (first, second), (same, other) = framer.frames(), plain.frames()
    assert first.header.precoding == DEFAULT_PRECODING == "frame"
    assert other.header.precoding == "none"
    assert second.header == other.header  # a packet alone
    assert same.header.precoding == "none"
    single = Framer(precoding="dft")
    single.add_packet(3, b"\1" * 40)
    assert [frame.header.precoding for frame in single.frames()] == ["dft"]


def test_what_is_not_known_or_not_possible_is_refused():
    table = BandTable((Band(None, 16, 0.4, 2), Band(1, 32, 0.5, 0)))
    with pytest.raises(ConfigError, match="'hadamard', permitted: none, frame, dft"):
        Framer(precoding="hadamard")
    with pytest.raises(ConfigError, match="precoding of a frame with bands is 'frame'"):
        FrameHeader(1, 0, bands=table, band_chunks=((0, 5),), precoding="frame")
