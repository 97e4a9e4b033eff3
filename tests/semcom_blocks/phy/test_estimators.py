# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel estimates against theory and against a genie that knows the profile."""

import numpy as np
import pytest

from semcom_blocks.channel.profile import exponential_profile
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.estimators import METHODS, estimate, least_squares, lmmse
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import known_stack

NUM = Numerology()
# Without noise these return the channel itself; the others have an error of their own.
EXACT = ("ls", "lmmse")


def db(value):
    return 10 * np.log10(value)


class Fading:
    """Channels of an exponential profile, their covariance, and what a genie reaches."""

    def __init__(self, link, spread_samples, delay=0.0):
        self.link = link
        self.profile = exponential_profile(spread_samples / NUM.sample_rate_hz, NUM.sample_rate_hz)
        delays = delay + np.arange(len(self.profile))
        self.steering = np.exp(-2j * np.pi * np.outer(NUM.carriers, delays) / NUM.fft_size)

    def draw(self):
        taps = self.link.normal(len(self.profile)) * np.sqrt(self.profile)
        return (self.steering @ taps).astype(np.complex64)

    def genie_error(self, error_var):
        """Mean squared error of R (R + eI)⁻¹ with the true R, per carrier."""
        covariance = (self.steering * self.profile) @ self.steering.conj().T
        noisy = covariance + error_var * np.eye(NUM.n_used)
        left = covariance - covariance @ np.linalg.solve(noisy, covariance)
        return np.trace(left).real / NUM.n_used


def nmse(fading, error_var, n_channels=200):
    """Normalised mean squared error of lmmse on LS values of the given error variance."""
    squared = power = 0.0
    for _ in range(n_channels):
        true = fading.draw()
        noisy = true + fading.link.normal(NUM.n_used, error_var)
        smooth, _ = lmmse(noisy, np.full(NUM.n_used, error_var), NUM)
        squared += np.sum(np.abs(smooth - true) ** 2)
        power += np.sum(np.abs(true) ** 2)
    return squared / power


def observe(link, layout, response, noise_var):
    """What a receiver sees of the known cells: received, reference, known."""
    reference, known = known_stack(layout)
    received = reference * response + link.normal(reference.size, noise_var).reshape(known.shape)
    return received.astype(np.complex64), reference, known


@pytest.mark.parametrize("noise_db", [0.0, -20.0])
def test_ls_error_is_the_noise_over_the_weight(link, noise_db):
    """E|Ĥ - H|² = σ² / Σ|X|² on each carrier."""
    noise_var, layout = 10 ** (noise_db / 10), link.frame(analog=2000).layout
    errors = []
    for _ in range(300):
        response = Fading(link, 1.0).draw()
        estimated, weight, _ = least_squares(*observe(link, layout, response, noise_var))
        errors.append(np.abs(estimated - response) ** 2 * weight)
    assert db(np.mean(errors) / noise_var) == pytest.approx(0.0, abs=0.15)
    comb = np.mean(errors, axis=0)[NUM.comb_index].mean()
    assert db(comb / noise_var) == pytest.approx(0.0, abs=0.6)


@pytest.mark.parametrize("analog", [0, 100, 4000])
@pytest.mark.parametrize("snr_db", [-2, 10, 30])
def test_noise_variance_is_unbiased(link, analog, snr_db):
    noise_var, layout = 10 ** (-snr_db / 10), link.frame(analog=analog).layout
    estimates = [
        least_squares(*observe(link, layout, Fading(link, 2.0).draw(), noise_var))[2]
        for _ in range(150)
    ]
    # Each has 500 degrees of freedom or more: the mean of 150 is good to 1 %.
    assert np.mean(estimates) / noise_var == pytest.approx(1.0, abs=0.012)


# By how much LMMSE may miss the genie, who knows the profile, as measured plus 0.5 dB.
# The robust share of the profiles costs most where the channel is simplest: there the
# error is 8 dB below that of LS nevertheless.
@pytest.mark.parametrize(
    ("spread", "genie_margin_db", "ls_gain_db"),
    [(0.0, 9.5, 8.0), (0.7, 3.6, 5.8), (2.0, 2.6, 3.0), (4.0, 2.0, 1.0)],
)
@pytest.mark.parametrize("error_db", [-10.0, -20.0, -30.0])
def test_lmmse_against_a_genie_and_ls(link, spread, genie_margin_db, ls_gain_db, error_db):
    fading, error_var = Fading(link, spread), 10 ** (error_db / 10)
    reached = nmse(fading, error_var)
    assert db(reached) < db(fading.genie_error(error_var)) + genie_margin_db
    assert db(reached) < error_db - ls_gain_db


@pytest.mark.parametrize("spread", [0.0, 1.0, 2.0, 4.0])
def test_error_of_the_estimate_hardly_costs_payload(link, spread):
    """The shortest frame has 17 looks at each carrier: less than 0.2 dB of the payload's SNR."""
    for snr_db in (0, 10, 20):
        noise_var = 10 ** (-snr_db / 10)
        error = nmse(Fading(link, spread), noise_var / 17, n_channels=100)
        assert db(1 + error / noise_var) < 0.2


@pytest.mark.parametrize("delay", [-3.0, 2.5, 12.0])
def test_timing_of_the_window_does_not_matter(make_link, delay):
    here = nmse(Fading(make_link(1), 1.0), 0.01)
    there = nmse(Fading(make_link(1), 1.0, delay), 0.01)
    assert db(there / here) == pytest.approx(0.0, abs=0.3)


def test_chosen_profile_follows_the_delay_spread(link):
    chosen = []
    for spread in (0.0, 0.5, 2.0, 6.0):
        fading = Fading(link, spread)
        noisy = [fading.draw() + link.normal(NUM.n_used, 0.01) for _ in range(100)]
        found = [lmmse(values, np.full(NUM.n_used, 0.01), NUM)[1] for values in noisy]
        chosen.append(np.mean(found))
    assert chosen[0] < 0.3
    assert chosen[1] == pytest.approx(0.5, abs=0.3)
    assert chosen[2] == pytest.approx(2.0, abs=0.8)
    assert chosen[3] > 4.0


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize(("spread", "tolerance_db"), [(0.0, 1.0), (2.0, 2.0)])
def test_snr_estimate(link, method, spread, tolerance_db):
    """Design target: ±1 dB in AWGN, ±2 dB in multipath, from -2 to 30 dB, in every frame."""
    layout = link.frame(analog=500).layout
    for snr_db in (-2, 5, 15, 30):
        noise_var, errors = 10 ** (-snr_db / 10), []
        for _ in range(40):
            response = (
                np.ones(NUM.n_used, np.complex64) if not spread else Fading(link, spread).draw()
            )
            true_db = db(np.mean(np.abs(response) ** 2) / noise_var)
            if true_db < -2.1:
                continue
            stack = observe(link, layout, response, noise_var)
            errors.append(estimate(*stack, NUM, method).snr_db - true_db)
        assert np.max(np.abs(errors)) < tolerance_db
        assert abs(np.mean(errors)) < 0.3


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_the_interface(link, method):
    layout = link.frame(analog=500).layout
    channel = estimate(*observe(link, layout, Fading(link, 1.0).draw(), 0.01), NUM, method)
    assert channel.response.shape == (NUM.n_used,)
    assert channel.response.dtype == np.complex64
    assert channel.noise_var == pytest.approx(0.01, rel=0.2)
    assert np.isnan(channel.delay_spread) == (method != "lmmse")


@pytest.mark.parametrize("method", EXACT)
def test_without_noise_the_estimate_is_the_channel(link, method):
    layout, response = link.frame(analog=500).layout, Fading(link, 1.0).draw()
    channel = estimate(*observe(link, layout, response, 0.0), NUM, method)
    error = np.mean(np.abs(channel.response - response) ** 2) / np.mean(np.abs(response) ** 2)
    assert db(error) < -60


@pytest.mark.parametrize("method", METHODS)
def test_silence_gives_a_finite_estimate(link, method):
    """A frame whose samples were lost must not end in a division by zero."""
    layout = link.frame(analog=500).layout
    reference, known = known_stack(layout)
    channel = estimate(np.zeros_like(reference), reference, known, NUM, method)
    assert np.all(np.isfinite(channel.response))
    assert np.isfinite(channel.snr_db)
    assert channel.noise_var > 0


def test_unknown_method_is_refused(link):
    layout = link.frame(analog=0).layout
    stack = observe(link, layout, np.ones(NUM.n_used), 0.1)
    with pytest.raises(ConfigError, match="'magic'"):
        estimate(*stack, NUM, "magic")
