# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables share: files and seeds are refused before any work, sheets hold their cells."""

import argparse
import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from host.evaluate.output import add_files, prepare, show, write_json
from host.evaluate.sheet import sheet
from semcom_blocks.errors import ConfigError


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_files(parser)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args([*map(str, words)])


def test_what_fits_is_taken(tmp_path):
    prepare(parsed("--json", tmp_path / "a.json", "--plot", tmp_path / "a.png", "--seed", 2**40))
    prepare(argparse.Namespace())  # a command may have none of these options


@pytest.mark.parametrize("option", ["json", "plot", "pictures"])
def test_a_file_in_no_folder_is_refused(tmp_path, option):
    with pytest.raises(ConfigError, match=f"{option} is .*permitted: a file in an existing folder"):
        prepare(parsed(f"--{option}", tmp_path / "none" / "a"))


@pytest.mark.parametrize(
    ("option", "value", "limit"), [("seed", -1, 7), ("seed", 8, 7), ("threads", 1025, 1024)]
)
def test_numbers_out_of_range_are_refused(option, value, limit):
    with pytest.raises(ConfigError, match=f"{option} is {value}, permitted: 0 to {limit}"):
        prepare(parsed(f"--{option}", value), seed_max=7)


def test_a_table_is_written_and_shown(tmp_path):
    write_json(str(tmp_path / "a.json"), {"rows": [1]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"rows": [1]}
    console = Console(file=io.StringIO(), width=60)
    show(console, "Title", [{"ms_ssim": 0.5}, {"other": 1}], ("ms_ssim", "kind"))
    lines = console.file.getvalue().splitlines()
    assert "Title" in lines[0] and "ms ssim" in lines[2]
    assert [line.split()[1::2] for line in lines[4:6]] == [["0.5", "-"], ["-", "-"]]


@pytest.mark.parametrize("labels", [(), ("a", "b")], ids=["plain", "labelled"])
def test_a_sheet_shows_its_pictures_in_their_places(labels):
    colours = np.array([[(250, 0, 0), (0, 250, 0)], [(0, 0, 250), (250, 250, 0)]], np.uint8)
    cells = [[np.full((8, 8, 3), colour, np.uint8) for colour in row] for row in colours]
    page = sheet(("left", "right"), cells, 1.0, labels=labels, dots_per_inch=50)
    pixels = np.asarray(Image.open(io.BytesIO(page)).convert("RGB")).astype(int)
    at = {}
    for colour in colours.reshape(-1, 3):
        y, x = np.nonzero((abs(pixels - colour) < 8).all(-1))
        at[tuple(colour)] = y.mean(), x.mean()
    red, green, blue, yellow = at.values()
    assert red[0] == pytest.approx(green[0], abs=1) and blue[0] == pytest.approx(yellow[0], abs=1)
    assert red[1] == pytest.approx(blue[1], abs=1) and green[1] == pytest.approx(yellow[1], abs=1)
    assert red[0] < blue[0] and red[1] < green[1]


def test_a_row_that_lacks_a_cell_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        sheet(("left", "right"), [[np.zeros((8, 8, 3), np.uint8)]], 1.0)
