# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from semcom_blocks.air.config import AirConfig
from semcom_blocks.errors import ConfigError

A = {"name": "a", "kind": "pluto"}
B = {"name": "b", "kind": "usrp", "address": "127.0.0.2", "clock_ppm": -10}


def test_every_device_hears_every_other_one_by_default():
    config = AirConfig.from_dict({"devices": [A, B, A | {"name": "c"}]})
    ends = {(path.source, path.target) for path in config.paths}
    assert ends == {(x, y) for x in "abc" for y in "abc" if x != y}
    assert {path.gain_db for path in config.paths} == {-50.0}


def test_a_single_device_hears_itself():
    (path,) = AirConfig.from_dict({"devices": [A]}).paths
    assert (path.source, path.target) == ("a", "a")


def test_values_arrive():
    row = {"from": "b", "to": "a", "gain_db": -60, "taps": [[1, 0], [0.5, -0.5]], "delay_s": 1e-6}
    config = AirConfig.from_dict({"devices": [A, B], "paths": [row], "clock": "real", "seed": 3})
    assert config.clock == "real"
    assert config.devices[1].clock_ppm == -10.0
    assert config.paths[0].taps == ((1.0, 0.0), (0.5, -0.5))
    assert AirConfig.from_dict({"devices": [A], "paths": []}).paths == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clok": "real"}, ["'clok'", "clock"]),
        ({"clock": "fast"}, ["'fast'", "virtual, real"]),
        ({"seed": -1}, ["seed is -1", "0 to"]),
        ({"seed": True}, ["seed is True"]),
        ({"control": 5}, ["control is 5", "tcp://"]),
        ({"grace_s": float("nan")}, ["grace_s is nan", "0.0 to 60.0"]),
        ({"devices": {}}, ["devices is {}", "list"]),
        ({"devices": []}, ["0 devices", "1 to 16"]),
        ({"devices": [A, A]}, ["device a appears twice"]),
        ({"devices": ["a"]}, ["device is 'a'", "table"]),
        ({"devices": [{"name": "a"}]}, ["kind is missing"]),
        ({"devices": [A | {"kind": "lime"}]}, ["'lime'", "pluto, usrp"]),
        ({"devices": [A | {"name": "A b"}]}, ["'A b'", "[a-z]"]),
        ({"devices": [A | {"address": "10.0.0.1"}]}, ["'10.0.0.1'", "127.0.0.1 to"]),
        ({"devices": [A | {"address": "localhost"}]}, ["'localhost'", "127.0.0.1 to"]),
        ({"devices": [A | {"port": 80}]}, ["port is 80", "1024"]),
        ({"devices": [A | {"clock_ppm": 300}]}, ["clock_ppm is 300", "-200.0 to 200.0"]),
        ({"devices": [A | {"clock_ppm": "x"}]}, ["clock_ppm is 'x'", "a number"]),
        ({"devices": [A | {"agc": 1}]}, ["agc is 1", "true or false"]),
        ({"devices": [A | {"serial": "a b"}]}, ["serial is 'a b'"]),
        ({"devices": [A | {"ppm": 1}]}, ["'ppm'", "clock_ppm"]),
        ({"paths": "all"}, ["paths is 'all'", "list"]),
        ({"paths": [{"from": "a"}]}, ["from 'a' to None"]),
        ({"paths": [{"from": "a", "to": "z"}]}, ["'z'", "a, b"]),
        ({"paths": [{"from": "a", "to": "b", "gain": 1}]}, ["'gain'", "gain_db"]),
        ({"paths": [{"from": "a", "to": "b", "delay_s": -1}]}, ["delay_s is -1", "0.0 to 0.1"]),
        ({"paths": [{"from": "a", "to": "b", "taps": []}]}, ["taps is []", "1 to 64"]),
        ({"paths": [{"from": "a", "to": "b", "taps": [[1]]}]}, ["taps is [[1]]", "[re, im]"]),
        ({"paths": [{"from": "a", "to": "b", "fading": "rice"}]}, ["'rice'", "none, rayleigh"]),
        (
            {"paths": [{"from": "a", "to": "b", "doppler_hz": 1, "coherence_s": 1}]},
            ["doppler_hz and coherence_s", "one of them"],
        ),
    ],
)
def test_what_is_refused_is_named_with_what_is_permitted(changes, words):
    with pytest.raises(ConfigError) as caught:
        AirConfig.from_dict({"devices": [A, B], **changes})
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text


def test_an_air_is_a_table():
    with pytest.raises(ConfigError, match="air is"):
        AirConfig.from_dict([])
