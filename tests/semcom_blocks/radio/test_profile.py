# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration profiles: found by serial number, checked whole, and what they correct."""

import pytest

from semcom_blocks.errors import ConfigError
from semcom_blocks.radio import profile
from semcom_blocks.radio.profile import Profile, load_profile

GOOD = """
schema = 1
serial = "A-1"
kind = "usrp"
created = "2026-01-01"
[frequency]
error_ppm = 10.0
[gain]
tx_db = 60.0
rx_db = 33.0
[dc]
tx_i = 0.01
tx_q = -0.02
rx_i = 0.03
[iq.tx]
conjugate = [0.01, -0.02]
amplitude = 1.0
[iq.rx]
conjugate = [0.03, 0.04]
[noise]
floor_dbfs = -60.0
"""

BAD = {
    "no TOML": ("schema = ", "cannot be read"),
    "no schema": ('serial = "A-1"', "schema None, permitted: 1"),
    "schema": ("schema = 2", "schema 2, permitted: 1"),
    "kind": (GOOD.replace("usrp", "pluto"), "is of a 'pluto', permitted: usrp"),
    "serial": (GOOD.replace("A-1", "B-2"), "is of serial 'B-2', permitted: 'A-1'"),
    "ppm": (GOOD.replace("10.0", "1e6"), "error_ppm is 1000000.0, permitted: -200 to 200"),
    "nan": (GOOD.replace("10.0", "nan"), "error_ppm is nan"),
    "text": (GOOD.replace("60.0", '"high"', 1), "tx_db is 'high'"),
    "offset": (GOOD.replace("0.03\n", "1.7\n"), "rx_i is 1.7, permitted: -1 to 1"),
    "conjugate": (GOOD.replace("[0.03, 0.04]", "[0.03]"), "conjugate is [0.03]"),
    "image": (GOOD.replace("[0.03, 0.04]", "[3, 4]"), "conjugate is 3, permitted"),
    "table": ("schema = 1\ngain = 3", "gain is 3, permitted: a table"),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "A-1.toml").write_text(GOOD)
    return tmp_path


def test_a_folder_holds_one_file_per_radio(folder):
    found = load_profile(str(folder), "A-1", "usrp")
    assert (found.tx_gain_db, found.rx_gain_db) == (60.0, 33.0)
    assert (found.tx_offset, found.rx_offset) == (0.01 - 0.02j, 0.03)
    assert (found.tx_conjugate, found.rx_conjugate) == (0.01 - 0.02j, 0.03 + 0.04j)
    assert found.path == folder / "A-1.toml"
    assert load_profile(str(folder), "another", "usrp") == Profile()


def test_none_asked_for_is_none(folder, monkeypatch):
    monkeypatch.setattr(profile, "FOLDER", folder)
    assert load_profile("none", "A-1", "usrp") == Profile()
    assert load_profile(None, "A-1", "usrp") != Profile()


@pytest.mark.parametrize("serial", ["", "../A-1", "a/b", "x\0"])
def test_serials_that_are_no_file_name_have_no_profile(folder, serial):
    (folder / "deep").mkdir()
    assert load_profile(str(folder / "deep"), serial, "usrp") == Profile()


@pytest.mark.parametrize("name", BAD)
def test_bad_profiles_are_named(tmp_path, name):
    text, words = BAD[name]
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_profile(str(path), "A-1", "usrp")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_was_named_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_profile(str(tmp_path / "gone.toml"), "A-1", "usrp")


def test_a_fast_crystal_is_asked_for_less():
    """A carrier comes out ``error_ppm`` above what the driver was asked for."""
    found = Profile(error_ppm=10.0)
    assert found.lo_hz(2.4e9) * (1 + 10e-6) == pytest.approx(2.4e9, abs=1e-3)
    assert Profile(error_ppm=10.0, xo_correction_hz=40_000_400).lo_hz(2.4e9) == 2.4e9
