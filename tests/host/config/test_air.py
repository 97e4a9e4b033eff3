# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of `semcom air`: what it accepts reaches the radio side, what it refuses is one line."""

import dataclasses

import pytest

from host.config.air import AirSettings, DeviceTable, PathTable, check_air, load_air, pair
from semcom_blocks.air.config import AirConfig, DeviceConfig, PathConfig
from semcom_blocks.errors import ConfigError

TOML = """
clock = "real"
seed = 7

[[devices]]
name = "left"
kind = "pluto"
address = "127.0.0.5"
clock_ppm = 12.5

[[devices]]
name = "right"
kind = "usrp"
address = "127.0.0.6"
iq_gain_db = 0.5

[[paths]]
from = "left"
to = "right"
gain_db = -62.0
taps = [[1.0, 0.0], [0.2, -0.1]]
"""


def test_file_reaches_the_radio_side(tmp_path):
    file = tmp_path / "air.toml"
    file.write_text(TOML)
    config = AirConfig.from_dict(load_air(file, {"seed": 8}).document())
    assert config.clock == "real"
    assert config.seed == 8
    assert config.devices[0].clock_ppm == 12.5
    assert config.devices[1].iq_gain_db == 0.5
    (path,) = config.paths
    assert (path.source, path.target, path.gain_db) == ("left", "right", -62.0)
    assert path.taps == ((1.0, 0.0), (0.2, -0.1))


@pytest.mark.parametrize(
    ("table", "record"),
    [(DeviceTable, DeviceConfig), (PathTable, PathConfig), (AirSettings, AirConfig)],
)
def test_tables_have_the_fields_and_defaults_of_the_radio_side(table, record):
    ours = {name: info.default for name, info in table.model_fields.items()}
    theirs = {field.name: field.default for field in dataclasses.fields(record)}
    ours.pop("control", None)  # the command line opens one by default
    theirs.pop("control", None)
    assert ours.keys() == theirs.keys()
    required = {name for name, info in table.model_fields.items() if info.is_required()}
    for name in ours.keys() - required:
        assert ours[name] == theirs[name], name


def test_pair_is_on_neighbouring_addresses_with_opposite_errors():
    first, second = pair("usrp", "127.3.0.255", 4.0)
    assert (first["address"], second["address"]) == ("127.3.0.255", "127.3.1.0")
    assert (first["clock_ppm"], second["clock_ppm"]) == (4.0, -4.0)
    assert len(AirConfig.from_dict(check_air({"devices": [first, second]}).document()).paths) == 2


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({}, ["devices"]),
        ({"devices": []}, ["devices"]),
        ({"devices": [{"name": "a", "kind": "lime"}]}, ["'lime'", "pluto, usrp"]),
        (
            {"devices": [{"name": "a", "kind": "pluto", "ppm": 1}]},
            ["'devices.0.ppm'", "clock_ppm"],
        ),
        (
            {"devices": [{"name": "a", "kind": "pluto", "clock_ppm": 900}]},
            ["devices.0.clock_ppm 900", "-200 to 200"],
        ),
        (
            {"devices": [{"name": "a", "kind": "pluto", "clock_ppm": float("nan")}]},
            ["clock_ppm nan", "finite"],
        ),
        (
            {"devices": pair("pluto"), "paths": [{"from": "a", "to": "z"}]},
            ["'z'", "a, b"],
        ),
        ({"devices": pair("pluto"), "clock": "warp"}, ["'warp'", "virtual, real"]),
        ({"devices": pair("pluto"), "sead": 1}, ["'sead'", "seed"]),
    ],
)
def test_what_is_refused_is_named_with_what_is_permitted(tables, words):
    with pytest.raises(ConfigError) as caught:
        check_air(tables)
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text


def test_no_address_is_no_pair():
    with pytest.raises(ConfigError, match=r"'here', permitted: 127\.0\.0\.1"):
        pair("pluto", "here")
