# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling rate offset: right times over long streams, and a clean band."""

import numpy as np
import pytest

from semcom_blocks.channel.resample import TAPS, Resampler

LONG = 100_000
SETTLED = slice(TAPS, None)  # the signal begins out of nothing, whose edge is not band-limited


def carriers(times, rng):
    """A unit-power signal that fills 52 of 64 carriers, at any time; (n,) complex128."""
    index = np.r_[-26:0, 1:27]
    values = np.exp(2j * np.pi * rng.random(index.size)) / np.sqrt(index.size)
    signal = np.zeros(times.size, complex)
    for k, value in zip(index, values, strict=True):
        signal += value * np.exp(2j * np.pi * k * times / 64)
    return signal


@pytest.mark.parametrize("sro_ppm", [200.0, 20.0, 0.5, -0.5, -20.0, -200.0])
def test_a_full_band_arrives_80_db_clean_over_a_long_stream(sro_ppm):
    sent = carriers(np.arange(LONG), np.random.default_rng(1)).astype(np.complex64)
    found = Resampler(sro_ppm).process(sent)
    times = np.arange(found.size) / (1 + sro_ppm * 1e-6)
    error = found - carriers(times, np.random.default_rng(1))
    error_db = 10 * np.log10(np.mean(np.abs(error[SETTLED]) ** 2))
    assert error_db < -80
    assert found.size == pytest.approx((LONG - TAPS / 2) * (1 + sro_ppm * 1e-6), abs=1)


@pytest.mark.parametrize("sro_ppm", [50.0, -50.0])
def test_a_faster_receiver_sees_a_lower_tone(sro_ppm):
    frequency = 0.3
    sent = np.exp(2j * np.pi * frequency * np.arange(LONG)).astype(np.complex64)
    found = Resampler(sro_ppm).process(sent).astype(complex)
    phase = np.unwrap(np.angle(found[SETTLED]))
    measured = np.polyfit(np.arange(phase.size), phase, 1)[0] / (2 * np.pi)
    assert measured == pytest.approx(frequency / (1 + sro_ppm * 1e-6), abs=1e-10)
    assert (measured < frequency) == (sro_ppm > 0)


def test_an_impulse_drifts_by_the_offset():
    sent = np.zeros(LONG, np.complex64)
    sent[[1_000, 51_000, 91_000]] = 1
    # 100 ppm of 90,000 samples are 9 samples; the outputs at integer times are exact.
    found = np.abs(Resampler(100.0).process(sent))
    peaks = [int(np.argmax(found[low : low + 20_000])) + low for low in (0, 40_000, 80_000)]
    assert peaks == [1_000, 51_005, 91_009]


def test_every_output_comes_once_however_the_stream_is_cut():
    sent = carriers(np.arange(3_000), np.random.default_rng(2)).astype(np.complex64)
    for sro_ppm in (200.0, -200.0):
        whole = Resampler(sro_ppm).process(sent)
        single = Resampler(sro_ppm)
        pieces = [single.process(sent[n : n + 1]) for n in range(sent.size)]
        np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6)
        assert max(piece.size for piece in pieces) <= 2


def test_no_offset_changes_nothing():
    sent = carriers(np.arange(500), np.random.default_rng(3)).astype(np.complex64)
    np.testing.assert_allclose(Resampler(0.0).process(sent), sent[: 500 - TAPS // 2], atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_sample_is_forgotten_after_the_filter(bad):
    sent = np.ones(1_000, np.complex64)
    sent[500] = bad
    with np.errstate(invalid="ignore"):
        found = Resampler(100.0).process(sent)
    finite = np.isfinite(found)
    assert finite[: 500 - TAPS].all() and finite[500 + TAPS :].all()
    assert TAPS - 2 <= np.sum(~finite) <= TAPS + 2
