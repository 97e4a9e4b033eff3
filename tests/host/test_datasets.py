# SPDX-License-Identifier: GPL-3.0-or-later
"""Splits, folders and zips alike, damaged pictures, nothing left."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from host.datasets import SPLITS, load_pictures, split_names
from semcom_blocks.errors import ConfigError


def jpeg(value, size=(8, 6), kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, 2, 3)).save(buffer, kind)
    return buffer.getvalue()


def write(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


FILES = {
    "set/train/cat/1.png": jpeg(1),
    "set/train/cat/2.png": jpeg(2),
    "set/val/cat/3.png": jpeg(3),
    "set/test/cat/4.JPG": jpeg(4, kind="JPEG"),
    "set/test/cat/notes.txt": b"no picture",
    "set/loose.png": jpeg(5),
}


def test_folder_and_zip_give_the_same(tmp_path):
    write(tmp_path / "folder", FILES)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    for split, count in zip(SPLITS, (2, 1, 1), strict=True):
        one = load_pictures(tmp_path / "folder", split)
        two = load_pictures(tmp_path / "all.zip", split)
        assert len(one.pictures) == len(two.pictures) == count
        for a, b in zip(one.pictures, two.pictures, strict=True):
            assert a.dtype == np.uint8
            assert a.shape == (6, 8, 3)
            assert np.array_equal(a, b)


def test_a_folder_without_splits_is_split_evenly_and_without_overlap():
    names = [f"{i:03}.png" for i in range(100)]
    parts = {split: split_names(names, split) for split in SPLITS}
    assert {s: len(p) for s, p in parts.items()} == {"train": 90, "val": 5, "test": 5}
    assert sorted(parts["train"] + parts["val"] + parts["test"]) == names


def test_validation_is_held_out_of_train_where_there_is_none():
    names = [f"train/{i:04}.png" for i in range(200)] + ["test/a.png"]
    train, val = split_names(names, "train"), split_names(names, "val")
    assert (len(train), len(val)) == (196, 4)
    assert not set(train) & set(val)
    assert split_names(names, "test") == ["test/a.png"]


def test_unreadable_pictures_are_skipped_and_counted(tmp_path, caplog):
    good = jpeg(9, (40, 40))
    write(tmp_path, {"test/a.png": good, "test/b.png": good[:60], "test/c.jpg": b""})
    found = load_pictures(tmp_path, "test")
    assert (len(found.pictures), found.skipped) == (1, 2)
    assert "test/b.png" in caplog.text


def test_nothing_left_is_an_error(tmp_path):
    write(tmp_path, {"test/a.png": b"broken"})
    with pytest.raises(ConfigError, match="1 unreadable"):
        load_pictures(tmp_path, "test")
    with pytest.raises(ConfigError, match="no readable picture"):
        load_pictures(tmp_path, "train")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not a zip"])
def test_neither_folder_nor_zip(tmp_path, content):
    path = tmp_path / "data.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"data\.zip"):
        load_pictures(path, "train")


def test_grey_palette_and_alpha_become_rgb(tmp_path):
    for i, mode in enumerate(("L", "P", "RGBA", "1", "CMYK")):
        kind = "tiff" if mode == "CMYK" else "png"
        (tmp_path / "test").mkdir(exist_ok=True)
        Image.new(mode, (5, 4)).save(tmp_path / "test" / f"{i}.{kind}")
    found = load_pictures(tmp_path, "test")
    assert [p.shape for p in found.pictures] == [(4, 5, 3)] * 5


def test_a_bomb_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr("host.datasets.MAX_PIXELS", 40)
    write(tmp_path, {"test/a.png": jpeg(1, (8, 6)), "test/b.png": jpeg(1, (8, 5))})
    found = load_pictures(tmp_path, "test")
    assert (len(found.pictures), found.skipped) == (1, 1)


def test_limit_is_spread_evenly(tmp_path):
    write(tmp_path, {f"test/{i}.png": jpeg(i) for i in range(9)})
    found = load_pictures(tmp_path, "test", limit=3)
    assert [int(p[0, 0, 0]) for p in found.pictures] == [0, 3, 6]


def test_an_unknown_split_is_refused():
    with pytest.raises(ConfigError, match="'dev'"):
        split_names([], "dev")
