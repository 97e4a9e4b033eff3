# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading photos with their drawn boundaries."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")  # the host's suite
from scipy.io import savemat

from host.boundaries import load_boundaries
from host.train.hed import IGNORED, resized, target
from semcom_blocks.errors import ConfigError


def annotation(maps):
    cells = np.empty((1, len(maps)), object)
    for i, drawn in enumerate(maps):
        cells[0, i] = {"Boundaries": drawn, "Segmentation": drawn}
    buffer = io.BytesIO()
    savemat(buffer, {"groundTruth": cells})
    return buffer.getvalue()


def picture(height=20, width=30):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (9, 99, 200)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def files():
    drawn = np.zeros((20, 30), np.uint8)
    drawn[:, 7] = 1
    return {
        "images/train/a.png": picture(),
        "groundTruth/train/a.mat": annotation([drawn, drawn]),
        "images/train/lonely.png": picture(),
        "images/train/damaged.png": b"no picture",
        "groundTruth/train/damaged.mat": annotation([drawn]),
        "images/train/other.png": picture(10, 10),
        "groundTruth/train/other.mat": annotation([drawn]),
    }


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_whole_pairs_are_read_and_others_skipped(files, packed, tmp_path):
    if packed:
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        for name, data in files.items():
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / name).write_bytes(data)
    (item,) = load_boundaries(tmp_path / ("set.zip" if packed else "set"), ("train",))
    assert item.name == "a" and item.boundaries.shape == (2, 20, 30)
    assert item.boundaries[:, :, 7].all() and item.boundaries.sum() == 40
    small, lines = resized(item, 0.5)
    assert small.shape == (10, 15, 3) and lines[:, :, 3].all() and lines.sum() == 20


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="0 photos"):
        load_boundaries(tmp_path, ("val",))
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(ConfigError, match="a folder or a zip"):
        load_boundaries(tmp_path / "x.zip", ("val",))


def test_an_edge_is_what_half_the_people_drew_within_a_pixel():
    maps = np.zeros((4, 9, 20), bool)
    maps[0, :, 5] = maps[1, :, 6] = True  # two of four, a pixel apart
    maps[2, :, 15] = True  # one of four
    found = target(maps)
    assert (found[:, 5] == 1).all() and (found[:, 15] == IGNORED).all() and found[0, 0] == 0
