# SPDX-License-Identifier: GPL-3.0-or-later
"""The program: ready line, end by signal, named errors."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from semcom_blocks.air.__main__ import main

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 30.0


def written(tmp_path, document):
    file = tmp_path / "air.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def start(tmp_path, document):
    return subprocess.Popen(
        [sys.executable, "-m", "semcom_blocks.air", "--config", str(written(tmp_path, document))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pluto(address):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return {"name": "a", "kind": "pluto", "address": address, "port": probe.getsockname()[1]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_says_when_it_is_ready_and_ends_in_order(tmp_path, number):
    document = {"devices": [pluto("127.71.3.1")], "control": "tcp://127.0.0.1:*"}
    with start(tmp_path, document) as process:
        words = process.stdout.readline().split()
        assert words[:3] == ["air", "ready", "a=pluto@127.71.3.1"]
        assert words[3].startswith("control=tcp://127.0.0.1:")
        process.send_signal(number)
        rest, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", ["is not JSON"]),
        ("\x00", ["is not JSON"]),
        ({"devices": []}, ["0 devices", "1 to 16"]),
        ({"devices": [pluto("127.71.3.2")], "control": "udp://x"}, ["udp://x", "tcp://"]),
        ({"devices": [pluto("127.71.3.3")], "control": "tcp://0.0.0.0:*"}, ["not loopback"]),
    ],
)
def test_bad_configuration_is_one_line_and_status_2(tmp_path, monkeypatch, capsys, document, words):
    monkeypatch.setattr("sys.argv", ["air", "--config", str(written(tmp_path, document))])
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the test runner keeps its handlers
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    assert main() == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("semcom: error: ")
    for word in words:
        assert word in errors


def test_address_in_use_is_named(tmp_path, monkeypatch, capsys):
    row = pluto("127.71.3.4")
    document = written(tmp_path, {"devices": [row]})
    monkeypatch.setattr("sys.argv", ["air", "--config", str(document)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    with socket.socket() as other:
        other.bind((row["address"], row["port"]))
        other.listen()
        assert main() == 2
    assert str(row["port"]) in capsys.readouterr().err


def test_absent_file_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["air", "--config", str(tmp_path / "none.json")])
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    assert main() == 2
    assert "none.json cannot be read: No such file" in capsys.readouterr().err
