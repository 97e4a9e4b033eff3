# SPDX-License-Identifier: GPL-3.0-or-later
"""``semcom plan`` and the demo's allocation options: what they print and what they refuse."""

import json

import pytest

from host.cli.__main__ import main
from semcom_blocks.errors import ConfigError


def planned(tmp_path, *words: str):
    file = tmp_path / "plan.json"
    assert main(["plan", *words, "--json", str(file)]) == 0
    return json.loads(file.read_text())


def test_own_packet_errors_need_fewer_sends(tmp_path) -> None:
    (cited,) = planned(tmp_path, "--snr-db", "12", "--ber", "1e-3")
    own = ("--packet-errors", "rayleigh")
    (found,) = planned(tmp_path, "--snr-db", "12", "--ber", "1e-3", *own)
    assert found["prompt"]["expected_sends"] < cited["prompt"]["expected_sends"]


def test_measured_curves_allow_their_own_error_rate(tmp_path) -> None:
    table = {
        "ber": [1e-3, 1e-2, 1e-1],
        "quality": {"likeness": [1.0, 0.99, 0.9], "ms_ssim": [1.0, 0.98, 0.8]},
    }
    file = tmp_path / "curves.json"
    file.write_text(json.dumps({"tables": {"scenes, places open": table}}))
    words = ("--snr-db", "15", "--curves", str(file), "--target-quality", "0.99,0.9")
    (found,) = planned(tmp_path, *words)
    assert found["conditions"][0]["ber"] == pytest.approx(1e-2)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["plan", "--snr-db", "9", "--curves", "absent.json"], "'absent.json' holds no curves"),
        (["plan", "--snr-db", "9", "--target-quality", "1.2,1"], "up to 0.999"),
        (["plan", "--snr-db", "9", "--orders", "8"], "modulation order is 8"),
        (["demo", "--streams", "edges"], "permitted: prompt and any of"),
        (["demo", "--streams", "prompt,smell"], "permitted: prompt and any of"),
        (["demo", "--adapt"], "permitted: --streams prompt,edges"),
        (["demo", "--streams", "prompt,coarse", "--adapt"], "permitted: --streams prompt,edges"),
        (["demo", "--edge-modulation", "8"], "0, 2, 4, 16, 64, 256"),
        (["demo", "--edge-ber", "0.4"], "1e-07 to 0.1"),
        (["demo", "--streams", "prompt", "--adapt", "--feedback", "none"], "permitted: zmq, air"),
    ],
)
def test_refusals(words, named: str, tmp_path, capsys) -> None:
    out = ["--out", str(tmp_path / "out")] if words[0] == "demo" else []
    assert main([*words, *out]) == ConfigError.exit_code
    error = capsys.readouterr().err
    assert named in error and len(error.strip().splitlines()) == 1
