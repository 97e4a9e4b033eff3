# SPDX-License-Identifier: GPL-3.0-or-later
"""The command: figures of the paper from the model, and refusals."""

import json

import pytest

from host.cli.__main__ import main
from host.experiment.latency_aware import PAGES, chosen
from host.experiment.settings import Settings
from semcom_blocks.errors import ConfigError


def test_figures_of_the_model_as_json_and_png(tmp_path, capsys) -> None:
    out = ["--out", str(tmp_path)]
    code = main(["experiment", "latency-aware", "--only", "table-two", "fig-four", *out])
    assert code == 0
    table = json.loads((tmp_path / "latency-aware-table-two.json").read_text())
    assert len(table["thresholds"]) == 9 and table["largest_difference_db"] <= 0.1
    four = json.loads((tmp_path / "latency-aware-fig-four.json").read_text())
    for curve in four["curves"]:
        assert len(curve["latency_ms"]) == len(four["snr_db"])
    for name in ("table-two", "fig-four"):
        data = (tmp_path / f"latency-aware-{name}.png").read_bytes()
        assert data.startswith(b"\x89PNG")
    assert "24.2 dB" in capsys.readouterr().out


def test_unknown_figure_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'fig-nine' is unknown, permitted: table-two"):
        chosen(["fig-nine"])
    assert chosen(None) == list(PAGES)
    assert chosen(["fig-four", "table-two"]) == ["table-two", "fig-four"]


def test_schemes_say_which_figure_they_need_first(tmp_path) -> None:
    with pytest.raises(ConfigError, match="after --only fig-two"):
        PAGES["schemes"].compute(Settings(tmp_path, quick=True))


def test_quick_bits_are_those_of_theory(tmp_path) -> None:
    document = PAGES["bits"].compute(Settings(tmp_path, quick=True))
    assert document["met"] and document["inside"] >= 0.85 * document["points"]
    assert PAGES["bits"].draw(document).startswith(b"\x89PNG")
