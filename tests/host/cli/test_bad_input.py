# SPDX-License-Identifier: GPL-3.0-or-later
"""Every bad input: one line that names value and range, exit code 2, nothing written."""

import os
import struct
import sys

import pytest

from host.cli.__main__ import COMMANDS, main

DEMO = ["demo", "--out", "OUT"]

CASES = {
    "SNR text": ([*DEMO, "--snr-db", "x"], ["--snr-db", "'x'", "finite number", "-10 to 60"]),
    "SNR nan": ([*DEMO, "--snr-db", "nan"], ["'nan'", "finite number", "-10 to 60"]),
    "SNR inf": ([*DEMO, "--snr-db=-inf"], ["'-inf'", "-10 to 60"]),
    "SNR high": ([*DEMO, "--snr-db", "99"], ["'99'", "-10 to 60"]),
    "channel": ([*DEMO, "--channel", "fog"], ["--channel", "'fog'", "awgn, rayleigh, multipath"]),
    "CFO": ([*DEMO, "--cfo-hz", "1e9"], ["--cfo-hz", "'1e9'", "-100000 to 100000"]),
    "SRO": ([*DEMO, "--sro-ppm", "101"], ["--sro-ppm", "-100 to 100"]),
    "delay": ([*DEMO, "--delay-spread-s", "1"], ["--delay-spread-s", "0 to 2e-05"]),
    "seed": ([*DEMO, "--seed", "-1"], ["--seed", "'-1'", "0 to"]),
    "rate": ([*DEMO, "--rate", "2"], ["--rate", "'2'", "1/24, 1/12, 1/6"]),
    "estimator": ([*DEMO, "--estimator", "magic"], ["'magic'", "ls, linear, spline, dft, lmmse"]),
    "repeats": ([*DEMO, "--repeats", "21"], ["--repeats", "'21'", "1 to 20"]),
    "port": ([*DEMO, "--sink-port", "70000"], ["'70000'", "1024 to 65535"]),
    "threads": ([*DEMO, "--threads", "0"], ["--threads", "'0'", "1 to 64"]),
    "host": ([*DEMO, "--host", "http://x"], ["http://x", "tcp://HOST:PORT"]),
    "unknown option": ([*DEMO, "--power", "9"], ["--power"]),
    "abbreviated option": ([*DEMO, "--snr", "9"], ["--snr"]),
    "recording of a flowgraph": (
        ["demo", "--attach", "--record", "a", "--out", "OUT"],
        ["--record", "--attach", "permitted"],
    ),
    "recording small": (["rx", "--record-max-mb", "1", "--out", "OUT"], ["'1'", "2 to 8e+06"]),
    "answer into a file": (
        ["tx", "--radio", "file:a", "--feedback", "air"],
        ["'air' with a recording", "zmq, none"],
    ),
    "no command": (["dance"], ["'dance'", "demo, tx, rx, "]),
    "absent image": ([*DEMO, "no-such.png"], ["no-such.png", "chelsea"]),
    "image is a folder": ([*DEMO, "/"], ["'/'", "no regular file"]),
    "no picture": ([*DEMO, __file__], ["is no picture", "JPEG, PNG, WebP"]),
    "prompt bytes": ([*DEMO, "--prompt", os.fsdecode(b"\xff")], ["byte 0xff", "valid UTF-8"]),
    "prompt length": ([*DEMO, "--prompt", "x" * 65537], ["65537 bytes", "0 to 65536"]),
    "config": ([*DEMO, "--config", "no.toml"], ["no.toml", "TOML file"]),
    "out": (["demo", "--out", "/proc/nowhere"], ["/proc/nowhere", "writable folder"]),
    "NUL": ([*DEMO, "a\0b"], ["'a\\x00b'"]),
    "repeated sim": (["tx", "--cyclic"], ["cyclic", "'sim'", "pluto:URI, usrp:ARGS"]),
    "repeated answers": (
        ["tx", "--radio", "pluto:x", "--cyclic", "--feedback", "zmq"],
        ["link.feedback", "'zmq'", "none"],
    ),
    "demo file": (["demo", "--radio", "file:x", "--out", "OUT"], ["'file:x'", "pluto, usrp"]),
    "demo two": (
        ["demo", "--radio", "pluto", "--rx-radio", "pluto:x", "--out", "OUT"],
        ["rx_spec", "'pluto:x'"],
    ),
    "demo two bare": (
        ["demo", "--radio", "pluto:x", "--rx-radio", "usrp", "--out", "OUT"],
        ["rx_spec", "'usrp'", "usrp:ARGS"],
    ),
    "virtual cfo": (
        ["demo", "--radio", "usrp", "--cfo-hz", "100", "--out", "OUT"],
        ["channel.cfo_hz", "100.0", "--clock-ppm"],
    ),
    "tx radio": (["tx", "--radio", "pluto"], ["'pluto'", "pluto:URI"]),
    "tx peer": (["tx", "--peer", "a b"], ["--peer", "'a b'"]),
    "rx radio": (["rx", "--radio", "usrp", "--out", "OUT"], ["'usrp'", "usrp:ARGS"]),
    "rx count": (["rx", "--count", "-1", "--out", "OUT"], ["--count", "'-1'", "0 to"]),
    "rx timeout": (["rx", "--timeout-s", "nan", "--out", "OUT"], ["--timeout-s", "finite"]),
    "host port": (["host", "--port", "80"], ["--port", "'80'", "1024 to 65535"]),
    "train what": (["train", "gan"], ["gan", "jscc"]),
}


@pytest.fixture
def refusal(tmp_path, monkeypatch, capfd):
    """A function that runs the command line and returns its one line of complaint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the test runner keeps its handlers
    # What is refused is refused before a radio starts; if not, this fails the test quickly.
    monkeypatch.setenv("SEMCOM_RADIO_PYTHON", sys.executable)

    def run(argv):
        assert main([str(tmp_path / "out") if a == "OUT" else a for a in argv]) == 2
        captured = capfd.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert captured.err.startswith("semcom: error: ")
        assert "Traceback" not in captured.err
        assert not (tmp_path / "out").exists()
        return captured.err

    return run


@pytest.mark.parametrize(("argv", "words"), CASES.values(), ids=CASES.keys())
def test_one_line_names_value_and_range(refusal, argv, words):
    line = refusal(argv)
    for word in words:
        assert word in line


def test_a_bomb_is_refused_before_it_is_decoded(refusal, tmp_path):
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 20_000, 20_000)
    (tmp_path / "bomb.png").write_bytes(head + bytes(100))
    line = refusal([*DEMO, "bomb.png"])
    assert "20000x20000" in line
    assert "16 MP" in line


def test_the_experiment_file_is_checked_whole(refusal, tmp_path):
    file = tmp_path / "run.toml"
    for content, word in {
        "[channel]\nsnr = 3\n": "'channel.snr'",
        "[channel]\nsnr_db = nan\n": "-10 to 60",
        "[radio]\nspec = 'file:a'\n": "permitted: sim",
        "seed = 'x'\n": "whole number",
    }.items():
        file.write_text(content)
        assert word in refusal([*DEMO, "--config", str(file)])


def test_missing_radio_interpreter_is_named(refusal, monkeypatch):
    monkeypatch.setenv("SEMCOM_RADIO_PYTHON", "/no/such/python")
    assert "/no/such/python" in refusal(DEMO)


def test_help_of_every_command(capsys):
    assert main(["--help"]) == 0
    top = capsys.readouterr().out
    for name, (module, _) in COMMANDS.items():
        assert f"  {name} " in top
        if module is not None:
            with pytest.raises(SystemExit) as end:
                main([name, "--help"])
            assert end.value.code == 0
            assert f"usage: semcom {name}" in capsys.readouterr().out


def test_help_shows_units_and_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Es/N0 per complex data symbol in dB (default: 20.0; -10 to 60)" in text
    assert "carrier frequency offset in Hz (default: 0.0; -100000 to 100000)" in text
    assert "{awgn,rayleigh,multipath,none}" in text
