# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped channel estimators at their operating points.

Golden figures: ``../golden/cgan-v1.json``, NMSE in dB. After new weights, write them anew with
``SEMCOM_REGENERATE_GOLDEN=1 pytest tests/models/channel/test_golden.py`` and look at the
difference.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from host.evaluate.estimation import nmse_db  # noqa: E402
from host.train.channel_draws import draw_paths, frames_of, observe  # noqa: E402
from models.channel.estimator import L2_NAME, NAME, ChannelEstimator  # noqa: E402
from semcom_blocks.phy.numerology import Numerology  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden" / "cgan-v1.json"
TOLERANCE_DB = 0.05
SEED, COUNT = 17, 200
POINTS = [(Numerology(), snr_db) for snr_db in (0.0, 10.0, 20.0)]
POINTS += [(Numerology(128, 32, 104, 8), 10.0)]


def drawn(numerology, snr_db):
    rng = np.random.default_rng(SEED)
    paths = draw_paths(numerology, COUNT, rng)
    frames = frames_of(numerology, np.full(COUNT, 22))
    return observe(numerology, paths, frames, np.full(COUNT, snr_db), rng)


@pytest.fixture(scope="module")
def frames():
    return {f"{num.fft_size} carriers {snr:g} dB": drawn(num, snr) for num, snr in POINTS}


@pytest.fixture(scope="module")
def scores(frames):
    found = {}
    for name in (NAME, L2_NAME):
        estimator = ChannelEstimator.load(name)
        for where, one in frames.items():
            estimate = estimator.estimate(one.observed, one.freedom)
            found[f"{name} {where}"] = round(nmse_db(one.true, estimate), 3)
    return found


def test_golden_table(scores):
    if os.environ.get("SEMCOM_REGENERATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert scores == pytest.approx(expected, abs=TOLERANCE_DB)


@pytest.mark.parametrize("name", [NAME, L2_NAME])
def test_they_are_better_than_what_they_start_from(frames, scores, name):
    for where, one in frames.items():
        assert scores[f"{name} {where}"] < nmse_db(one.true, one.observed.start) - 0.4
        assert scores[f"{name} {where}"] < nmse_db(one.true, one.observed.ls) - 3
