# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels as the receiver meets them, and the receiver that knows them."""

import numpy as np
import pytest

from host.bench.link import air, genie, paths
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.numerology import Numerology

NUM = Numerology()


def db(ratio):
    return 10 * np.log10(ratio)


@pytest.mark.parametrize("channel", paths.CHANNELS)
def test_realisations_have_the_profile_and_held_power(channel):
    rng = np.random.default_rng(1)
    profile = paths.profile(channel, NUM)
    assert profile.sum() == pytest.approx(1.0)
    held = [paths.draw(channel, NUM, rng) for _ in range(50)]
    assert np.allclose([np.sum(np.abs(path.taps) ** 2) for path in held], 1.0, atol=1e-5)
    assert 0 <= min(path.delay for path in held) < max(path.delay for path in held) < 1
    free = [paths.draw(channel, NUM, rng, hold_power=False).taps for _ in range(4000)]
    assert np.mean(np.abs(free) ** 2, axis=0) == pytest.approx(profile, rel=0.12)


def test_unknown_channels_are_refused():
    with pytest.raises(ConfigError, match="'rural'"):
        paths.profile("rural", NUM)


def test_a_path_delays_by_parts_of_a_sample():
    n = np.arange(2000)
    tone = np.exp(2j * np.pi * 0.11 * n).astype(np.complex64)
    path = paths.Path(np.array([0.6, 0, 0.8j], np.complex64), 0.37)
    expected = tone * sum(
        tap * np.exp(-2j * np.pi * 0.11 * (k + 0.37)) for k, tap in enumerate(path.taps)
    )
    assert np.allclose(path.through(tone)[500:1500], expected[500:1500], atol=2e-3)


@pytest.mark.parametrize(("channel", "least_db"), [(name, 35) for name in paths.CHANNELS[:4]])
def test_without_noise_a_known_channel_gives_the_payload_back(channel, least_db):
    """What is left is the ringing of sub-sample delays into the neighbouring symbols."""
    rng = np.random.default_rng(2)
    errors = []
    for _ in range(20):
        sent = air.build(NUM, air.gaussian(rng, 1000), rng.bytes(100))
        path = paths.draw(channel, NUM, rng)
        cfo_hz = air.random_cfo_hz(NUM, rng)
        heard = air.send(sent, path, rng, snr_db=60.0, cfo_hz=cfo_hz)
        payload = genie.known_channel(heard, sent, 60.0)
        assert payload.digital == sent.digital
        errors.append(np.mean(np.abs(payload.analog - sent.analog) ** 2))
    assert -db(np.median(errors)) > least_db


def test_known_windows_keep_clear_of_both_neighbours():
    """A single tap lets the window stand anywhere in the prefix, two far apart nowhere else."""
    single = paths.Path(np.ones(1, np.complex64), 0.5)
    assert 4 <= genie.best_window(single, NUM) <= 12
    late = np.zeros(14, np.complex64)
    late[[0, 13]] = np.sqrt(0.5)
    assert genie.best_window(paths.Path(late, 0.0), NUM) in (1, 2)


@pytest.mark.parametrize("snr_db", [0.0, 20.0])
def test_the_noise_is_that_of_the_snr(snr_db):
    rng = np.random.default_rng(3)
    sent = air.build(NUM, air.gaussian(rng, 30_000))
    heard = air.send(sent, paths.draw("awgn", NUM, rng), rng, snr_db=snr_db, cfo_hz=5e3)
    analog = genie.known_channel(heard, sent, snr_db).analog
    assert -db(np.mean(np.abs(analog - sent.analog) ** 2)) == pytest.approx(snr_db, abs=0.1)


def test_longest_frame_fits_and_one_more_does_not():
    longest = air.longest_analog(NUM, 65_536)
    sizes = [
        air.build(NUM, np.zeros(n, np.complex64)).layout.n_samples for n in (longest, longest + 1)
    ]
    assert 65_536 - NUM.symbol_len < sizes[0] <= 65_536 < sizes[1]
