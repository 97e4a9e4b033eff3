# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of pictures under judges: known distances, identity, order, and each judge's own name."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

pytest.importorskip("diffusers")

from host.evaluate.judged import Judged, shares
from host.evaluate.texture import frechet_distance
from models.foundation.judges import load_judge
from semcom_blocks.errors import ConfigError
from tests.models.foundation import tiny

RNG = np.random.default_rng(7)
PICTURES = [
    np.kron(RNG.integers(0, 256, (4, 4, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    for _ in range(24)
]
TEXTS = ["a red cat", "a photo"] * 12


def noisy(amount):
    rng = np.random.default_rng(8)
    return [np.clip(p + rng.normal(0, amount, p.shape), 0, 255).astype(np.uint8) for p in PICTURES]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub") / "c"
    folder.mkdir()
    with tiny.quiet_libraries(), tiny.torch.random.fork_rng():
        tiny.torch.manual_seed(1)
        tiny.save_readers(folder)
        tiny.save_lpips(folder)
    names = ("clip", "dino", "alexnet")
    return Judged([load_judge(f"hf:{folder / name}") for name in names], PICTURES)


def test_frechet_distance_is_that_of_scipys_matrix_root():
    rng = np.random.default_rng(1)
    mix = rng.standard_normal((6, 6))
    a, b = rng.standard_normal((50, 6)) @ mix, rng.standard_normal((70, 6)) + 0.3
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(first @ second).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_equal_sets_are_equal_to_every_judge(judged):
    scores = judged.score(PICTURES)
    assert len(scores) == 5  # likeness of three, distance of two with embeddings
    for name, value in scores.items():
        assert value == pytest.approx(0 if name.startswith("Frechet") else 1, abs=1e-4)


def test_noise_moves_every_score_the_same_way(judged):
    rows = [judged.score(noisy(amount), TEXTS) for amount in (3, 20, 100)]
    for name in rows[0]:
        if name.endswith(", text"):
            assert 0 <= rows[0][name] <= 1
            continue
        values = [row[name] for row in rows]
        rises = name.startswith("Frechet")
        assert values == sorted(values, reverse=not rises)
        assert values[0] != values[2]


def test_only_those_that_read_text_score_it(judged):
    told = {name for name in judged.score(PICTURES, TEXTS) if name.endswith(", text")}
    assert len(told) == 1 and "/clip" in told.pop()


def test_one_picture_is_no_set(judged):
    alone = Judged(judged.judges, PICTURES[:1]).score(PICTURES[:1])
    assert not [name for name in alone if name.startswith("Frechet")]
    with pytest.raises(ConfigError, match="pictures are 2, permitted: 24"):
        judged.score(PICTURES[:2])


def test_shares_of_right_angles():
    assert shares(np.array([[2.0, 0], [0, 1]]), np.array([[0, 3.0], [0, 5]])) == pytest.approx(0.75)
