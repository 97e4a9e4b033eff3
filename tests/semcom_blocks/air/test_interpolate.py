# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from semcom_blocks.air.interpolate import TRANSITION, Interpolator

RATIOS = [1.0, 1 + 2e-5, 1 - 4e-4, 0.5, 2.0, 0.77, 3.072, 1 / 30.72, np.pi / 3, 30.72]


def make(ratio):
    slow = min(1.0, 1 / ratio)
    return Interpolator(ratio, slow / 2, TRANSITION * slow), slow


def tone(frequency, n):
    return np.exp(2j * np.pi * frequency * np.arange(n)).astype(np.complex64)


@pytest.mark.parametrize("ratio", RATIOS)
def test_tone_in_band_comes_out_at_its_instants(ratio):
    interpolator, slow = make(ratio)
    n = 1500
    for fraction in (0.0, 0.31, 0.999):
        for of_slow in (0.0, 0.17, -0.4, 0.4):
            frequency = of_slow * slow
            found = interpolator.process(tone(frequency, interpolator.span(n)), fraction, n)
            instants = interpolator.guard + fraction + ratio * np.arange(n)
            error = np.abs(found - np.exp(2j * np.pi * frequency * instants)).max()
            assert found.dtype == np.complex64
            assert found.shape == (n,)
            assert error < 10 ** (-65 / 20)


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.072, 30.72])
def test_what_would_fold_into_the_lower_band_is_gone(ratio):
    interpolator, slow = make(ratio)
    for of_slow in (0.6, 0.8, 1.3):
        if of_slow * slow > 0.5:
            continue
        found = interpolator.process(tone(of_slow * slow, interpolator.span(500)), 0.4, 500)
        assert np.abs(found).max() < 10 ** (-65 / 20)


@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.77])
def test_images_of_a_lower_rate_are_gone(ratio):
    interpolator, _ = make(ratio)
    n = 4096
    found = interpolator.process(tone(0.4, interpolator.span(n)), 0.2, n)
    spectrum = np.fft.fft(found * np.blackman(n))
    level = np.abs(spectrum) / np.abs(spectrum).max()
    away = np.abs((np.fft.fftfreq(n) - 0.4 * ratio + 0.5) % 1 - 0.5) > 8 / n
    assert level[away].max() < 10 ** (-65 / 20)


def test_any_cut_of_the_outputs_gives_the_same_samples():
    interpolator, _ = make(0.77)
    rng = np.random.default_rng(4)
    samples = rng.standard_normal((3000, 2)).view(np.complex128)[:, 0].astype(np.complex64)
    whole = interpolator.process(samples[: interpolator.span(2000)], 0.25, 2000)
    for start, n in ((0, 1), (700, 64), (1203, 797)):
        position = 0.25 + 0.77 * start
        first = int(position)
        part = interpolator.process(
            samples[first : first + interpolator.span(n)], position - first, n
        )
        assert np.allclose(part, whole[start : start + n], atol=1e-3)
