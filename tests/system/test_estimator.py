# SPDX-License-Identifier: GPL-3.0-or-later
"""A demo whose channel estimates come from the model service."""

from tests.system.conftest import report_of


def test_the_service_estimates_and_the_report_counts(semcom, service, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text('[radio]\nestimator = "cgan"\nestimator_deadline_s = 1.0\n')
    channel = ["--channel", "multipath", "--snr-db", 15]
    code, out, err = semcom(
        "demo", "scene", "--config", config, "--host", service, *channel, "--out", "out"
    )
    assert (code, err) == (0, "")
    link = report_of(tmp_path / "out")["link"]
    frames, counters = link["estimators"], link["estimator_counters"]
    assert frames["cgan"] > frames.get("lmmse", 0)
    assert counters["answered"] >= frames["cgan"]
    assert counters["asked"] >= counters["answered"] + counters["refused"]
    assert f"{frames['cgan']} cgan" in out
    assert "answered" in out


def test_an_estimator_that_is_none_is_one_line(semcom):
    code, _, err = semcom("demo", "--estimator", "magic", "--out", "out")
    assert code == 2
    assert "cgan" in err
    assert err.count("\n") == 1
