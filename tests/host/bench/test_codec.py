# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench of the codec: rows, goals where they are meant, refusals."""

import argparse
import json

import pytest

torch = pytest.importorskip("torch")
from host.bench import codec  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402


@pytest.fixture(autouse=True)
def threads():
    """The bench takes one thread; what runs after it shall have all again."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def options(*words):
    parser = argparse.ArgumentParser()
    codec.add_arguments(parser)
    return parser.parse_args(list(words))


def test_every_rate_is_timed_both_ways(tmp_path, capsys):
    file = tmp_path / "codec.json"
    assert codec.run(options("--sides", "8", "--rounds", "1", "--json", str(file))) == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["parameters"] <= codec.GOAL_PARAMETERS
    ways = [(row["rate"], row["way"]) for row in found["rows"]]
    assert len(set(ways)) == 8
    assert all(row["median_ms"] > 0 and row["goal_ms"] is None for row in found["rows"])
    assert "jscc-v3" in capsys.readouterr().out


def test_a_missed_goal_is_an_exit_code(monkeypatch):
    monkeypatch.setattr(codec, "GOAL_SIDE", 8)
    monkeypatch.setattr(codec, "GOAL_MS", 1e-6)
    assert codec.run(options("--sides", "8", "--rounds", "1")) == 1


@pytest.mark.parametrize(
    ("words", "error"), [(("--sides", "0"), ConfigError), (("--name", "nobody"), ModelError)]
)
def test_refusals(words, error):
    with pytest.raises(error):
        codec.run(options(*words))
