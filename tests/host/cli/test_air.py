# SPDX-License-Identifier: GPL-3.0-or-later
"""`semcom air`: which air the options mean, and an end in order."""

import argparse
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from host.cli import air
from host.cli.parser import OneLineParser
from semcom_blocks.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 60.0


def settings(*argv):
    parser = OneLineParser()
    air.add_arguments(parser)
    return air.settings(parser.parse_args(argv))


def test_two_plutos_ten_ppm_apart_from_the_middle_by_default():
    found = settings()
    assert [(d.kind, d.address, d.clock_ppm) for d in found.devices] == [
        ("pluto", "127.0.0.1", 10.0),
        ("pluto", "127.0.0.2", -10.0),
    ]
    assert found.clock == "virtual"
    assert found.control == "tcp://127.0.0.1:*"


def test_options_describe_two_radios():
    found = settings(
        *("--kind", "usrp", "--address", "127.5.0.1", "--ppm", "-2", "--gain-db", "-80"),
        *("--clock", "real", "--seed", "9", "--control", "tcp://127.0.0.1:5555"),
    )
    assert [(d.kind, d.address, d.clock_ppm) for d in found.devices] == [
        ("usrp", "127.5.0.1", -2.0),
        ("usrp", "127.5.0.2", 2.0),
    ]
    assert {path.gain_db for path in found.paths} == {-80.0}
    assert (found.clock, found.seed, found.control) == ("real", 9, "tcp://127.0.0.1:5555")


def test_options_of_two_radios_do_not_go_with_a_file(tmp_path):
    file = tmp_path / "air.toml"
    file.write_text('[[devices]]\nname = "a"\nkind = "pluto"\n')
    assert len(settings("--config", str(file), "--clock", "real").devices) == 1
    with pytest.raises(ConfigError, match="--gain-db does not go with --config"):
        settings("--config", str(file), "--gain-db", "-60")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--ppm", "900"], ["'900'", "-200 to 200"]),
        (["--kind", "lime"], ["'lime'", "pluto"]),
        (["--address", "10.0.0.1"], ["'10.0.0.1'", "127.0.0.1 to"]),
        (["--clock", "warp"], ["'warp'", "virtual"]),
        (["--config", "no.toml"], ["'no.toml'", "TOML"]),
        (["--seed", "-1"], ["'-1'", "0 to"]),
    ],
)
def test_what_is_refused_is_named(argv, words):
    with pytest.raises(ConfigError) as caught:
        settings(*argv)
    for word in words:
        assert word in str(caught.value)


def test_help_has_every_option(capsys):
    parser = OneLineParser(prog="semcom air")
    air.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    text = capsys.readouterr().out
    assert isinstance(parser, argparse.ArgumentParser)
    for option in ("--config", "--clock", "--kind", "--address", "--ppm", "--gain-db", "--control"):
        assert option in text


def test_ends_in_order_by_ctrl_c():
    address = f"127.{random.randint(64, 126)}.{random.randint(0, 255)}.{random.randint(1, 250)}"
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "host.cli", "air", "--address", address],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert "virtual air" in process.stdout.readline()
        line = process.stdout.readline()
        assert f"--radio pluto:ip:{address} " in line
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert errors == ""
    with socket.socket() as probe:
        assert probe.connect_ex((address, 30431)) != 0
