# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge codecs with the weights in the repository: rate, quality, and bit errors."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("constriction")

from host.evaluate.edges import measure, variants  # noqa: E402
from models.scenes.boundaries import boundaries  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from models.weights_io import WEIGHTS_DIR  # noqa: E402


@pytest.fixture(scope="module")
def rows():
    scenes = sample(24, torch.Generator().manual_seed(99))
    maps = list(boundaries(scenes, 64).numpy().astype(np.uint8) * 255)
    codecs = variants(WEIGHTS_DIR)
    return {
        name: {row["ber"]: row for row in measure(maps, *codecs[name], 1, 3)}
        for name in ("fixed", "one stream")
    }


def test_rate_is_within_the_target(rows):
    assert rows["fixed"][0.0]["bpp"] <= 0.03
    assert rows["one stream"][0.0]["bpp"] < 0.8 * rows["fixed"][0.0]["bpp"]


def test_without_errors_both_draw_the_same(rows):
    assert rows["fixed"][0.0]["f"] == rows["one stream"][0.0]["f"] > 0.7


def test_bits_of_fixed_length_fail_gracefully(rows):
    f = {ber: row["f"] for ber, row in rows["fixed"].items()}
    assert f[0.0] - f[0.01] < 0.03
    assert f[0.1] > 0.8 * f[0.0]


def test_an_entropy_coded_stream_breaks(rows):
    f = {ber: row["f"] for ber, row in rows["one stream"].items()}
    assert f[0.1] < 0.2 < 0.5 * f[0.0]


def test_an_empty_map_stays_empty():
    codec, _ = variants(WEIGHTS_DIR)["fixed"]
    empty = np.zeros((64, 96), np.uint8)
    assert codec.decode(codec.encode(empty)).max() < 64
