# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of ``eval cgan`` against theory."""

from math import erfc, sqrt

import numpy as np
import pytest

from host.evaluate import estimation

CARRIERS = 52


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_nmse_of_a_known_error(rng):
    true = estimation.normal(rng, 50, CARRIERS)
    found = true + 0.1 * estimation.normal(rng, 50, CARRIERS)
    assert estimation.nmse_db(true, found) == pytest.approx(-20, abs=0.3)


def test_bit_errors_with_the_channel_known_are_those_of_theory(rng):
    true = np.ones((60, CARRIERS), np.complex64)
    for snr_db in (0.0, 6.0):
        table = estimation.bit_errors(true, {"ls": 1j * true}, snr_db, rng)
        theory = 0.5 * erfc(sqrt(10 ** (snr_db / 10) / 2))
        assert table["4-QAM"]["known"] == pytest.approx(theory, rel=0.06)
        assert table["16-QAM"]["known"] > table["4-QAM"]["known"]
        # A quarter of a turn wrong: every other bit.
        assert table["4-QAM"]["ls"] == pytest.approx(0.5, abs=0.01)


class Codec:
    """Pixels as symbols."""

    def encode(self, image, rate, snr_db, fading=False):
        return (image.reshape(-1) / 128.0 - 1).astype(np.complex64), {"shape": image.shape}

    def decode(self, symbols, noise_var, descriptor):
        assert (noise_var > 0).all()
        pixels = np.clip(np.rint((symbols.real + 1) * 128), 0, 255).astype(np.uint8)
        return pixels.reshape(descriptor["shape"])


def test_a_better_estimate_gives_a_better_picture(rng):
    image = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    true = np.exp(1j * np.arange(CARRIERS)).astype(np.complex64) * np.ones((6, 1), np.complex64)
    found = {
        name: true + level * estimation.normal(rng, *true.shape)
        for name, level in (("ls", 0.3), ("cgan", 0.05))
    }
    scores = estimation.picture_quality(Codec(), image, true, found, 20.0, rng)
    assert scores["ls"] < scores["cgan"] < scores["known"]


def record(case, family, snr_db, **nmse_db):
    return {"case": case, "family": family, "snr_db": snr_db, "nmse_db": nmse_db}


def test_goals_name_their_worst_case():
    rows = [
        record("x", "a", 0.0, ls=-10.0, cgan=-15.0, l2=-12.0, genie=-15.2),
        record("y", "a", 10.0, ls=-20.0, cgan=-25.0, l2=-25.0, genie=-26.0),
        record("z", "b", 30.0, ls=-40.0, cgan=-39.8, l2=-41.0, genie=-45.0),
    ]
    worse, gain, near = estimation.targets(rows)[:3]
    assert (worse["met"], worse["where"], worse["points_met"]) == (False, "z, 30 dB", 2)
    assert worse["worst_db"] == pytest.approx(-0.2)
    assert gain["met"] and gain["worst_db"] == pytest.approx(5.0)
    assert (near["met"], near["where"]) == (False, "y, 10 dB")
    assert near["worst_db"] == pytest.approx(1.0)
