# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights to start from: found by name or as a file, refused where they do not fit."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from host.train.card import About, write_network  # noqa: E402
from host.train.checkpoint import Progress  # noqa: E402
from host.train.start import load_start  # noqa: E402
from semcom_blocks.errors import ModelError  # noqa: E402

ABOUT = About("tests.Line", {"inputs": 3, "bits": 0, "sizes": (1, 2)}, "A straight line.")


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    write_network(tmp_path, "line-v1", nn.Linear(3, 1), Progress({"seed": 0}), ABOUT)
    return tmp_path


@pytest.mark.parametrize("as_file", [False, True])
def test_by_name_and_as_a_file(folder, as_file):
    start = str(folder / "line-v1.safetensors") if as_file else "line-v1"
    module = nn.Linear(3, 1)
    told = load_start(module, start, ABOUT, None if as_file else str(folder))
    torch.manual_seed(0)
    assert torch.equal(module.weight, nn.Linear(3, 1).weight.half().float())
    assert told["start"] == "line-v1"  # never a path of this machine
    assert len(told["start_sha256"]) == 64


def test_another_network_is_refused_by_name(folder):
    other = replace(ABOUT, architecture="tests.Curve")
    with pytest.raises(ModelError, match=r"line-v1\.json: architecture is 'tests\.Line'"):
        load_start(nn.Linear(3, 1), "line-v1", other, str(folder))
    other = replace(ABOUT, config={"inputs": 4, "bits": 6, "sizes": (1, 2)})
    wrong = "config is bits 0, inputs 3, permitted to start from: bits 6, inputs 4"
    with pytest.raises(ModelError, match=wrong):
        load_start(nn.Linear(4, 1), "line-v1", other, str(folder))
    with pytest.raises(ModelError, match="config is inputs 3, permitted"):
        load_start(nn.Linear(4, 1), "line-v1", other, str(folder), free=("bits",))


def test_what_is_free_may_differ(folder):
    other = replace(ABOUT, config={"inputs": 3, "bits": 6, "sizes": (1, 2)})
    load_start(nn.Linear(3, 1), "line-v1", other, str(folder), free=("bits",))


@pytest.mark.parametrize(
    ("start", "named"),
    [("line-v2", r"line-v2\.json"), ("../line-v1", "model name"), ("line-v1.pt", r"line-v1\.pt")],
)
def test_weights_that_are_not_there(folder, start, named):
    with pytest.raises(ModelError, match=named):
        load_start(nn.Linear(3, 1), start, ABOUT, str(folder))
