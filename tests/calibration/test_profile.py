# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile: written whole, read by the radios, merged, refused where damaged."""

import datetime

import pytest

from calibration import profile
from semcom_blocks.errors import ConfigError
from semcom_blocks.radio.profile import load_profile

NOW = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.timezone.utc)
WHOLE = {
    "frequency": {"error_ppm": 10.25, "xo_correction": 40_000_410.0},
    "rate": {"error_ppm": 10.2},
    "gain": {"tx_db": -10.0, "rx_db": 31.0},
    "dc": {"tx_i": 0.01, "tx_q": -0.02, "rx_i": 0.03, "rx_q": 1e-12},
    "iq.tx": {"amplitude": 1.01, "phase_rad": 0.02, "conjugate": [0.01, -0.02]},
    "iq.rx": {"amplitude": 0.99, "phase_rad": -0.03, "conjugate": [-0.03, 0.04]},
    "delay": {"samples": 5.625, "sample_rate_hz": 2.5e6},
    "noise": {"floor_dbfs": -71.5, "snr_db": 55.0},
}


def write(folder, sections=WHOLE, serial="A1"):
    path = profile.path_of(folder, serial)
    profile.update(path, serial, "pluto", sections, NOW)
    return path


def test_what_is_written_is_read_again(tmp_path):
    found = profile.read(write(tmp_path))
    assert found["sections"] == {
        name: {key: pytest.approx(value, abs=1e-9) for key, value in fields.items()}
        for name, fields in WHOLE.items()
    }
    assert (found["serial"], found["kind"], found["created"]) == ("A1", "pluto", NOW)


def test_radios_apply_what_is_written(tmp_path):
    path = write(tmp_path)
    for where in (path, tmp_path):
        applied = load_profile(str(where), "A1", "pluto")
        assert applied.path == path
        assert applied.error_ppm == 10.25
        assert applied.xo_correction_hz == 40_000_410
        assert (applied.tx_gain_db, applied.rx_gain_db) == (-10.0, 31.0)
        assert applied.tx_offset == pytest.approx(0.01 - 0.02j)
        assert applied.rx_conjugate == pytest.approx(-0.03 + 0.04j)


def test_a_later_calibration_replaces_its_parts_only(tmp_path):
    path = write(tmp_path)
    profile.update(path, "A1", "pluto", {"frequency": {"error_ppm": 1.0}}, NOW)
    profile.update(path, "A1", "pluto", {"dc": {"rx_i": 0.1, "rx_q": 0.2}}, NOW)
    found = profile.read(path)["sections"]
    assert found["frequency"] == {"error_ppm": 1.0}  # the crystal's correction is out of date
    assert found["dc"] == {"tx_i": 0.01, "tx_q": -0.02, "rx_i": 0.1, "rx_q": 0.2}
    assert found["delay"] == WHOLE["delay"]


def test_nothing_else_is_left_in_the_folder(tmp_path):
    assert [path.name for path in (write(tmp_path / "new").parent).iterdir()] == ["A1.toml"]


@pytest.mark.parametrize("serial", ["", "../x", "a/b", ".hidden", "x" * 65, "a b"])
def test_serial_that_is_no_file_name_is_refused(tmp_path, serial):
    with pytest.raises(ConfigError, match="serial"):
        profile.path_of(tmp_path, serial)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema = 1", "schema = 2", "schema is 2, permitted: 1"),
        ('kind = "pluto"', 'kind = "hackrf"', "hackrf"),
        ("error_ppm = 10.25", "error_ppm = 1e9", "permitted: -200 to 200"),
        ("error_ppm = 10.25", "error_ppm = nan", "permitted: -200 to 200"),
        ("error_ppm = 10.25", 'error_ppm = "x"', "permitted: -200 to 200"),
        ("conjugate = [0.01, -0.02]", "conjugate = [0.01]", r"\[re, im\]"),
        ("[delay]", "[decay]", "unknown \\[decay\\]"),
        ("samples = 5.625\n", "", "samples is missing"),
        ("[gain]", "[gain", "not TOML"),
    ],
)
def test_damaged_profile_is_one_line(tmp_path, old, new, words):
    path = write(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=words) as caught:
        profile.read(path)
    assert "\n" not in str(caught.value)


def test_damaged_profile_is_not_written_over(tmp_path):
    path = write(tmp_path)
    path.write_text("schema = 1\n")
    with pytest.raises(ConfigError):
        write(tmp_path)
    assert path.read_text() == "schema = 1\n"


def test_profile_of_another_radio_is_not_written_over(tmp_path):
    path = write(tmp_path)
    with pytest.raises(ConfigError, match="is of A1, permitted: B2"):
        profile.update(path, "B2", "pluto", WHOLE, NOW)


def test_value_out_of_range_is_not_written(tmp_path):
    with pytest.raises(ConfigError):
        write(tmp_path, {"frequency": {"error_ppm": 1000.0}})
    assert not list(tmp_path.iterdir())


def test_absent_and_huge_files(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        profile.read(tmp_path / "none.toml")
    huge = tmp_path / "huge.toml"
    huge.write_text("#" * (profile.FILE_BYTES_MAX + 1))
    with pytest.raises(ConfigError, match="bytes"):
        profile.read(huge)
