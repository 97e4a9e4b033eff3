# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel estimator: its filter against theory, its guard, its sizes, bad weights."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from host.train.card import About, write_network  # noqa: E402
from host.train.channel_draws import (  # noqa: E402
    arrive,
    exponential_paths,
    frames_of,
    genie,
    observe,
)
from host.train.checkpoint import Progress  # noqa: E402
from models.channel.discriminator import Discriminator  # noqa: E402
from models.channel.estimator import ChannelEstimator  # noqa: E402
from models.channel.generator import (  # noqa: E402
    Generator,
    GeneratorConfig,
    more_beyond,
    noise_freedom,
    wiener,
)
from models.channel.observed import grid, images  # noqa: E402
from models.channel.onset import Begin, onset  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402
from semcom_blocks.phy.estimators import fit_known  # noqa: E402
from semcom_blocks.phy.known import KnownCells  # noqa: E402
from semcom_blocks.phy.numerology import Numerology  # noqa: E402

NUM = Numerology()
SIZES = (
    NUM,
    Numerology(64, 4, 16, 2),
    Numerology(64, 32, 60, 30),
    Numerology(128, 32, 104, 8),
    Numerology(256, 128, 250, 10),
    Numerology(1024, 16, 200, 4),
)


def drawn(spread=1.0, snr_db=10.0, count=40, numerology=NUM, seed=1):
    rng = np.random.default_rng(seed)
    paths = arrive(exponential_paths(np.full(count, spread)), numerology, rng)
    frames = frames_of(numerology, np.full(count, 20))
    return observe(numerology, paths, frames, np.full(count, snr_db), rng)


def error(found, true):
    return np.mean(np.abs(found - true) ** 2)


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(1)
    return ChannelEstimator(Generator(GeneratorConfig((8, 8, 8), 8)), "untrained")


@pytest.mark.parametrize("numerology", SIZES, ids=str)
def test_every_size_of_the_testbed_has_an_estimate(untrained, numerology):
    one = drawn(numerology=numerology, count=2)
    found = untrained.estimate(one.observed, one.freedom)
    assert found.shape == (2, numerology.n_used)
    assert found.dtype == np.complex64
    assert np.isfinite(found).all()
    assert len(grid(numerology)) % 8 == 0
    assert 0.0 in grid(numerology)


def test_more_carriers_than_it_can_do_in_time_are_refused(untrained):
    large = Numerology(512, 32, 400, 8)
    cells = np.ones((8, large.n_used), np.complex64)
    known = KnownCells(cells, np.ones((8, 5), np.complex64))
    with pytest.raises(ConfigError, match="n_used is 400, permitted: up to 256"):
        untrained.estimate_known(known, known, large)


def test_the_filter_is_the_lmmse_of_its_profile(monkeypatch):
    """With the true profile painted on the grid, and the true onset, it is the genie."""
    one = drawn(count=30)
    begin = one.paths.delays[:, 0]
    found = Begin(begin, np.zeros(30, int), np.ones(30))
    monkeypatch.setattr("models.channel.observed.onset", lambda *_: found)
    seen = images(one.observed)
    powers = np.zeros((30, len(grid(NUM))))
    at = np.flatnonzero(grid(NUM) == 0)[0] + 2 * np.arange(20)
    powers[:, at] = one.paths.powers[:, :20]
    scaled = torch.from_numpy((powers / one.observed.sigma[:, None] ** 2).astype(np.float32))
    found = (wiener(scaled, torch.zeros(30), seen) * seen.turn).numpy()
    found = found * one.observed.sigma[:, None]
    gap_db = 10 * np.log10(error(found, one.true) / error(genie(one), one.true))
    assert abs(gap_db) < 0.05


def test_degrees_of_freedom_of_the_filter():
    """All noise without any power, none with very much of it."""
    one = drawn(count=3)
    seen, none = images(one.observed), torch.zeros(3, len(grid(NUM)))
    assert noise_freedom(none, torch.zeros(3), seen) == pytest.approx(NUM.n_used)
    assert noise_freedom(none, torch.full((3,), 1e9), seen) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("spread", [0.01, 1.0, 3.0])
def test_the_onset_is_found_to_a_part_of_a_sample(spread):
    one = drawn(spread, 15.0, 60)
    sigma = one.observed.sigma
    found = onset(one.observed.ls, sigma**2, one.observed.mean_delay(), NUM)
    apart = found.delay - one.paths.delays[:, 0]
    # A whole number of samples off is as good: the taps are still on the grid.
    assert np.median(np.abs(apart - np.rint(apart))) < 0.1
    assert np.abs(apart).max() < 8


class Wrong(Generator):
    """Takes everything for noise, or for one path."""

    power = 0.0

    def profile(self, images):
        none = torch.zeros(len(images.ls), len(grid(images.numerology)))
        none[:, len(none[0]) // 4] = self.power
        return none, torch.zeros(len(none))


@pytest.mark.parametrize("power", [0.0, 1e4])
@pytest.mark.parametrize("snr_db", [0.0, 15.0, 30.0])
def test_a_network_that_is_wrong_is_held_near_ls(power, snr_db):
    network = Wrong(GeneratorConfig((8, 8, 8), 8))
    network.power = power
    one = drawn(4.0, snr_db, 100)
    found = ChannelEstimator(network).estimate(one.observed, one.freedom)
    loss_db = 10 * np.log10(error(found, one.true) / error(one.observed.ls, one.true))
    assert loss_db < 1.0


def test_power_that_was_not_painted_is_noticed():
    """Evidence speaks for more power elsewhere if there is some, and not without."""
    one = drawn(2.0, 20.0, 30)
    seen = images(one.observed)
    nothing, beyond = torch.full((30, len(grid(NUM))), 1e-6), torch.full((30,), 1e-3)
    assert (more_beyond(nothing, beyond, seen) > 1).all()
    much = torch.full_like(nothing, 1e3)
    assert torch.equal(more_beyond(much, beyond, seen), beyond)


def test_estimates_do_not_depend_on_the_scale(untrained):
    one = drawn(count=1)
    rows = np.ones((7, NUM.n_used), np.complex64)
    rng = np.random.default_rng(3)
    noisy = (one.true + 0.2 * rng.standard_normal(rows.shape)).astype(np.complex64)
    sent = KnownCells(rows, np.zeros((0, 0), np.complex64))
    small, large = (
        untrained.estimate_known(KnownCells(noisy * s, sent.comb), sent, NUM) for s in (1e-3, 1e3)
    )
    assert np.allclose(small * 1e6, large, rtol=1e-3, atol=1e-3 * np.abs(large).max())
    assert fit_known(KnownCells(noisy, sent.comb), sent, NUM)[2] > 0


def test_silence_gives_a_finite_estimate(untrained):
    rows = np.ones((7, NUM.n_used), np.complex64)
    sent = KnownCells(rows, np.ones((4, 9), np.complex64))
    nothing = KnownCells(0 * rows, 0 * sent.comb)
    assert np.isfinite(untrained.estimate_known(nothing, sent, NUM)).all()


def test_a_network_of_nans_is_refused(untrained):
    bad = ChannelEstimator(Generator(GeneratorConfig((8, 8, 8), 8)), "bad")
    bad.network.leave.bias.fill_(float("nan"))
    one = drawn(count=2)
    with pytest.raises(ModelError, match="bad: estimate is not finite"):
        bad.estimate(one.observed, one.freedom)


def test_the_discriminator_tells_something_of_every_delay():
    seen = images(drawn(count=3).observed)
    logits = Discriminator()(seen, seen.start)
    assert logits.shape == (3, 1, len(grid(NUM)) // 8)


ABOUT = About("models.channel.generator.Generator", {"down": [8, 8, 8], "out": 8}, "Test.")


def test_weights_are_loaded_as_saved_and_checked(tmp_path, untrained):
    progress = Progress({"seed": 1})
    write_network(tmp_path, "a-v1", untrained.network, progress, ABOUT)
    one = drawn(count=2)
    loaded = ChannelEstimator.load("a-v1", tmp_path)
    found = loaded.estimate(one.observed, one.freedom)
    assert np.allclose(found, untrained.estimate(one.observed, one.freedom), atol=2e-2)
    weights = tmp_path / "a-v1.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ModelError, match="SHA-256"):
        ChannelEstimator.load("a-v1", tmp_path)
    card = json.loads((tmp_path / "a-v1.json").read_text())
    (tmp_path / "a-v1.json").write_text(json.dumps(card | {"architecture": "models.jscc.Jscc"}))
    with pytest.raises(ModelError, match="architecture"):
        ChannelEstimator.load("a-v1", tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        ChannelEstimator.load("b-v1", tmp_path)
