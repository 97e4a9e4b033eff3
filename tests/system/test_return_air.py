# SPDX-License-Identifier: GPL-3.0-or-later
"""Both directions through two virtual Plutos: photo one way, acknowledgements the other."""

import json

import pytest

from tests.system.conftest import report_of


def test_a_demo_whose_acknowledgements_come_over_the_air(semcom, quick_service, tmp_path):
    code, _, err = semcom(
        "demo", "--radio", "pluto", "--feedback", "air", "--record", "r",
        "--out", tmp_path / "out", "--host", quick_service,
    )  # fmt: skip
    assert (code, err) == (0, "")
    report = report_of(tmp_path / "out")
    assert report["prompt"]["received"] == report["prompt"]["sent"]
    assert report["prompt"]["delivered"] is True
    assert report["link"]["feedback"] == "air"
    assert report["link"]["round_trip_s"] > 0
    # 20 ppm between the two at 2.45 GHz.
    assert report["link"]["cfo_hz_est"] == pytest.approx(49_000, abs=200)
    found = json.loads((tmp_path / "r.sigmf-meta").read_text())
    (capture,) = found["captures"]
    assert capture["core:frequency"] == 2.45e9
    assert found["global"]["core:hw"].startswith("pluto:ip:")
    frames = [note for note in found["annotations"] if note.get("semcom:end") is False]
    assert [note["semcom:header_ok"] for note in frames].count(True) == (
        report["link"]["frames_received"]
    )
    assert isinstance(capture["semcom:gain_db"], float)
