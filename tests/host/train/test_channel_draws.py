# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn channels: their statistics, and that receivers of real samples see the same."""

import numpy as np
import pytest

from host.train import channel_draws as draws
from semcom_blocks.channel import ChannelConfig, SoftwareChannel
from semcom_blocks.channel.profile import exponential_profile
from semcom_blocks.phy import estimators
from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_field
from semcom_blocks.phy.receiver import demodulate, known_stack
from semcom_blocks.phy.sync import FrameSync

NUM = Numerology()


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def db(value):
    return 10 * np.log10(value)


def frames(count, symbols=22):
    return draws.frames_of(NUM, np.full(count, symbols))


@pytest.mark.parametrize(("_", "numerology"), draws.NUMEROLOGIES)
def test_every_size_gives_whole_finite_batches(rng, _, numerology):
    one = draws.draw(numerology, 16, rng)
    assert one.true.shape == one.observed.ls.shape == (16, numerology.n_used)
    for values in (one.true, one.observed.ls, one.observed.start, one.error_var):
        assert np.isfinite(values).all()
    assert (one.freedom > 0).all() and (one.observed.noise_var > 0).all()
    assert np.allclose(one.paths.powers.sum(axis=1), 1)


def test_weights_are_the_known_cells_of_a_real_frame():
    for symbols in (0, 1, 22, 171):
        header = FrameHeader(1, 0, stream_id=1, analog_symbols=symbols * NUM.n_data)
        reference, known = known_stack(FrameLayout(NUM, header))
        weight = np.sum(np.where(known, np.abs(reference) ** 2, 0), axis=0)
        assert np.allclose(frames(1, symbols).weight(NUM)[0], weight)


@pytest.mark.parametrize("snr_db", [0.0, 20.0])
def test_ls_and_the_noise_estimate_are_as_good_as_they_say(rng, snr_db):
    paths = draws.arrive(draws.exponential_paths(np.full(800, 1.0)), NUM, rng)
    one = draws.observe(NUM, paths, frames(800), np.full(800, snr_db), rng)
    squared = np.mean(np.abs(one.observed.ls - one.true) ** 2, axis=1)
    assert db(np.mean(squared) / np.mean(one.error_var)) == pytest.approx(0, abs=0.1)
    assert np.mean(np.abs(one.true) ** 2) == pytest.approx(1, abs=0.05)
    assert np.mean(one.observed.noise_var) == pytest.approx(10 ** (-snr_db / 10), rel=0.02)


def test_profiles_are_those_of_the_software_channel():
    for spread in (0.5, 2.0, 6.0):
        ours = draws.exponential_paths(np.array([spread])).powers[0]
        theirs = exponential_profile(spread * 1e-6, 1e6)
        assert np.allclose(ours[: len(theirs)], theirs, atol=0.02)


def test_held_channels_have_unit_power(rng):
    paths = draws.exponential_paths(np.full(50, 1.0))
    one = draws.observe(NUM, paths, frames(50), np.full(50, 90.0), rng, held=True)
    spectrum = np.abs(one.true) ** 2
    assert np.std(np.mean(spectrum, axis=1)) < 0.2


def test_no_estimator_beats_the_genie(rng):
    for snr_db in (0.0, 15.0):
        paths = draws.draw_paths(NUM, 500, rng)
        one = draws.observe(NUM, paths, frames(500), np.full(500, snr_db), rng)
        error = {
            name: np.mean(np.mean(np.abs(found - one.true) ** 2, axis=1) / one.error_var)
            for name, found in (
                ("genie", draws.genie(one)),
                ("lmmse", one.observed.start),
                ("ls", one.observed.ls),
            )
        }
        assert db(error["genie"]) < db(error["lmmse"]) - 1 < db(error["ls"]) - 3
        least = np.mean(draws.least_error(one) / one.error_var)
        assert db(least) == pytest.approx(db(error["genie"]), abs=1.5)


def test_doppler_makes_ls_worse(rng):
    paths = draws.exponential_paths(np.full(500, 1.0))
    still, moving = (
        draws.observe(
            NUM, paths, frames(500), np.full(500, 30.0), np.random.default_rng(1), doppler_turns=t
        )
        for t in (0.0, 0.2)
    )
    assert moving.error_var.mean() > 3 * still.error_var.mean()


def test_lmmse_of_many_is_the_receivers_own(rng):
    one = draws.draw(NUM, 20, rng)
    for row in range(20):
        error = np.full(NUM.n_used, one.observed.sigma[row] ** 2)
        own, _ = estimators.lmmse(one.observed.ls[row], error, NUM)
        assert np.allclose(one.observed.start[row], own, atol=2e-5)


@pytest.mark.parametrize(("spread", "least_db", "most_db"), [(0.0, -13, -7), (1.0, -8, -4.5)])
def test_samples_through_the_receiver_show_the_same(rng, spread, least_db, most_db):
    """Software channel, synchroniser and tracking: delays, noise, and what LMMSE gains on LS."""
    snr_db, count = 15.0, 30
    header = FrameHeader(5, 1, stream_id=1, analog_symbols=22 * NUM.n_data)
    layout = FrameLayout(NUM, header)
    symbols = (rng.standard_normal((22 * NUM.n_data, 2)) @ [1, 1j] / np.sqrt(2)).astype("c8")
    burst = modulate(build_grid(layout, b"", symbols), NUM)
    padded = np.concatenate([np.zeros(3000, "c8"), burst, np.zeros(6000, "c8")])
    model = "multipath" if spread else "rayleigh"
    noise, gain, delays = [], [], []
    for seed in range(count):
        config = ChannelConfig(
            model,
            snr_db=snr_db,
            delay_spread_s=spread * 1e-6,
            hold_power=True,
            cfo_hz=700,
            seed=seed,
        )
        channel = SoftwareChannel(config)
        arrived = channel.process(padded)
        sync = FrameSync(NUM)
        (capture,) = [*sync.push(arrived), *sync.flush()]
        done = demodulate(capture, NUM)
        received = layout.select(done.grid).below(done.long)
        sent = layout.known_cells.below(long_field(NUM))
        ls, weight, noise_var = estimators.fit_known(received, sent, NUM)
        smooth, _ = estimators.lmmse(ls, noise_var / weight, NUM)
        # A common phase and delay is tracking's doing, and of no harm.
        taps = channel.current_taps
        offsets = np.arange(0, 8, 0.005)
        turn = np.exp(-2j * np.pi * np.outer(offsets, NUM.carriers) / NUM.fft_size)
        plain = np.exp(-2j * np.pi * np.outer(NUM.carriers, np.arange(len(taps))) / NUM.fft_size)
        candidates = turn * (plain @ taps)
        match = candidates.conj() @ smooth
        best = int(np.abs(match).argmax())
        true = candidates[best] * np.exp(1j * np.angle(match[best]))
        delays.append(offsets[best])
        noise.append(noise_var)
        gain.append(np.mean(np.abs(smooth - true) ** 2) / np.mean(noise_var / weight))
    assert db(np.mean(noise)) == pytest.approx(-snr_db, abs=0.2)
    assert np.median(delays) == pytest.approx(backoff(NUM), abs=0.2)
    assert least_db < db(np.mean(gain)) < most_db
