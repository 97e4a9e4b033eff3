# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixer imbalance: the level of the image, the power kept, the DC."""

import numpy as np
import pytest

from semcom_blocks.channel.iq import IqImbalance

COUNT = 4_096


def spectrum_db(mixer, bin_index=100):
    tone = np.exp(2j * np.pi * bin_index * np.arange(COUNT) / COUNT).astype(np.complex64)
    return 20 * np.log10(np.abs(np.fft.fft(mixer.process(tone))) / COUNT + 1e-9)


@pytest.mark.parametrize(
    ("gain_db", "phase_deg"), [(1.0, 0.0), (-1.0, 0.0), (0.0, 2.0), (0.5, -3.0)]
)
def test_the_image_is_as_far_down_as_the_formula_says(gain_db, phase_deg):
    gain, phase = 10 ** (gain_db / 20), np.deg2rad(phase_deg)
    # (1 + 2 g cos(phi) + g²) / (1 - 2 g cos(phi) + g²)
    cross = 2 * gain * np.cos(phase)
    expected_db = 10 * np.log10((1 + cross + gain**2) / (1 - cross + gain**2))
    mixer = IqImbalance(gain_db, phase_deg, None)
    assert mixer.image_rejection_db == pytest.approx(expected_db, abs=0.01)
    levels_db = spectrum_db(mixer)
    assert levels_db[100] - levels_db[COUNT - 100] == pytest.approx(expected_db, abs=0.05)


def test_gain_is_of_q_over_i_and_phase_mixes_i_into_q():
    samples = np.exp(2j * np.pi * np.arange(COUNT) / 16).astype(np.complex64)
    branches = IqImbalance(1.0, 0.0, None).process(samples)
    ratio_db = 20 * np.log10(np.std(branches.imag) / np.std(branches.real))
    assert ratio_db == pytest.approx(1.0, abs=0.01)
    branches = IqImbalance(0.0, 5.0, None).process(samples)
    correlation = np.corrcoef(branches.real, branches.imag)[0, 1]
    assert abs(correlation) == pytest.approx(np.sin(np.deg2rad(5.0)), abs=1e-3)


def test_the_power_of_a_proper_signal_stays():
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((200_000, 2)).astype(np.float32).view(np.complex64)[:, 0]
    found = IqImbalance(3.0, 20.0, None).process(samples)
    assert np.mean(np.abs(found) ** 2) == pytest.approx(np.mean(np.abs(samples) ** 2), rel=0.01)


def test_a_perfect_mixer_does_nothing():
    samples = np.arange(10, dtype=np.complex64)
    mixer = IqImbalance(0.0, 0.0, None)
    np.testing.assert_array_equal(mixer.process(samples), samples)
    assert mixer.image_rejection_db == float("inf")


def test_dc_has_its_power_and_both_branches():
    constant = IqImbalance(0.0, 0.0, -20.0).process(np.zeros(5, np.complex64))
    np.testing.assert_allclose(np.abs(constant) ** 2, 0.01, rtol=1e-5)
    np.testing.assert_allclose(constant.real, constant.imag)
