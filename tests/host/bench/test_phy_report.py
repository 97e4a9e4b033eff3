# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on speed: ratios, targets, and figures that are void."""

import json

import pytest
from rich.console import Console

from host.bench.phy_report import document, tables
from host.report.document import to_json

MEMORY = {"samples": 10**8, "frames": 1000, "resident_bytes": 10**8, "growth_bytes": 1_000_000}


def segment(waveform, name, symbols, frames=100, samples=1000):
    return {
        "waveform": waveform,
        "name": name,
        "first": 0,
        "count": frames * samples,
        "frames": frames,
        "payload_symbols": symbols,
    }


def figure(msps, good=None, wall=None):
    result = {"msps": msps, "wall_msps": msps if wall is None else wall}
    return result if good is None else result | {"good": good}


def report(liquid=True, memory=MEMORY, **changed):
    parts = [
        segment("noise", "noise", 0, frames=0),
        segment("ours", "short", 384),
        segment("ours", "default", 8192),
        segment("gr_digital", "short", 384),
    ]
    figures = {
        "ours/short": figure(3.0, 100),
        "ours/default": figure(15.0, 100),
        "ours/noise": figure(100.0),
        "ours/transmit": figure(90.0),
        "gr_digital/short": figure(1.0, 100),
        "gr_digital/transmit": figure(30.0),
    }
    if liquid:
        parts.append(segment("liquid", "default", 8192))
        figures |= {"liquid/default": figure(24.0, 100), "liquid/noise": figure(90.0)}
    figures |= {key.replace("_at_", "/"): value for key, value in changed.items()}
    by_name = {(part["waveform"], part["name"]): part for part in parts}
    facts = {"core": 1, "rounds": 5, "liquid": liquid}
    return document(by_name, figures, {"track": 123.4}, memory, facts, [])


def met(found):
    return {target["name"].split(",")[0]: target["met"] for target in found["targets"]}


def test_ratios_and_targets():
    found = report()
    assert found["decode"]["ratio_to_gr_digital"] == pytest.approx(15.0)
    assert found["decode"]["ratio_to_liquid"] == pytest.approx(0.625)
    assert found["search"]["ratio_to_liquid"] == pytest.approx(100 / 90)
    assert found["transmit"]["msps"] == 90.0
    assert all(met(found).values())
    assert json.loads(to_json(found)) == found


def test_the_comparison_at_equal_payload_is_there_too():
    rows = {(r["receiver"], r["kind"]): r for r in report()["decode"]["by_frame"]}
    assert rows["gr_digital", "short"]["ours_at_equal_payload"] == pytest.approx(3.0)
    assert rows["liquid", "default"]["ours_at_equal_payload"] == pytest.approx(0.625)
    assert rows["ours", "short"]["ours_at_equal_payload"] is None
    assert rows["ours", "short"]["payload_msymps"] == pytest.approx(3.0 * 384 / 1000)


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"ours_at_default": figure(9.9, 100)}, {"decode over gr-digital", "decode over liquid"}),
        ({"liquid_at_noise": figure(201.0)}, {"search over liquid"}),
        ({"ours_at_transmit": figure(19.0)}, {"transmit MS/s"}),
    ],
)
def test_a_missed_target_is_named(changed, missed):
    assert {name for name, ok in met(report(**changed)).items() if ok is False} == missed


def test_growing_memory_misses_its_target():
    found = met(report(memory=MEMORY | {"growth_bytes": 5_000_000}))
    assert [name for name, ok in found.items() if ok is False] == [
        "memory growth over 1e+08 samples"
    ]


@pytest.mark.parametrize(
    ("key", "verdict"), [("ours_at_default", False), ("gr_digital_at_short", None)]
)
def test_a_receiver_that_lost_frames_has_no_figure(key, verdict):
    """Theirs is not measured then; ours has failed."""
    found = report(**{key: figure(15.0, 98)})
    assert found["decode"]["ratio_to_gr_digital"] is None
    assert met(found)["decode over gr-digital"] is verdict
    assert key.replace("_at_", "/") in found["notes"][0]


def test_without_liquid_the_others_are_compared():
    found = report(liquid=False)
    assert found["decode"]["ratio_to_liquid"] is None
    assert met(found)["decode over liquid"] is None
    assert met(found)["decode over gr-digital"] is True


def test_a_busy_core_is_told():
    assert "ours/noise" in report(ours_at_noise=figure(100.0, wall=50.0))["notes"][0]


def test_tables_show_every_figure(capsys):
    console = Console(width=120)
    for table in tables(report(liquid=False)):
        console.print(table)
    text = capsys.readouterr().out
    for word in ("15.00", "not measured", "100/100", "123", "gr_digital"):
        assert word in text
