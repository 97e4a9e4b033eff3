# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that die or are told to stop: one line says which, and nothing stays behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from host.supervise.environment import REPO_ROOT
from tests.system.conftest import environment, is_gone, until

NAMES = {"host": "host process died", "tx": "radio tx process died", "rx": "radio rx process died"}


@pytest.fixture
def on_air(start, quick_service, tmp_path):
    """A demo whose frames are just going over the air: (command, process ids by name).

    A large picture takes seconds. With a host of its own a prompt that cannot arrive does.
    """

    def run(own_host):
        job = ["--snr-db", -10] if own_host else ["retina", "--host", quick_service]
        command = start("demo", *job, "--out", "out", SEMCOM_LOG="DEBUG")
        until(lambda: re.search(r"frames: [1-9]", command.log.read_text()))
        children = command.children()
        assert set(children) == {"tx", "rx"} | ({"host"} if own_host else set())
        return command, children

    return run


def told(err):
    """What a user reads: the lines that are no log."""
    return [line for line in err.splitlines() if line.startswith("semcom: ")]


@pytest.mark.parametrize("victim", ["host", "tx", "rx"])
def test_a_killed_process_is_named_and_ends_the_command(on_air, tmp_path, victim):
    command, children = on_air(victim == "host")
    os.kill(children[victim], signal.SIGKILL)
    began = time.monotonic()
    code, out, err = command.end(20)
    assert time.monotonic() - began < 10
    assert code == 1
    (line,) = told(err)
    assert line.startswith(f"semcom: error: {NAMES[victim]} (signal 9)")
    assert "Traceback" not in err
    assert out == ""
    assert all(is_gone(pid) for pid in children.values())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_takes_its_processes_along(on_air, tmp_path, number, code):
    command, children = on_air(False)
    command.process.send_signal(number)
    ended, _, err = command.end(20)
    assert ended == code
    assert "Traceback" not in err
    assert all(is_gone(pid) for pid in children.values())
    assert not (tmp_path / "out").exists()


def test_a_killed_command_takes_its_processes_along(on_air):
    command, children = on_air(False)
    command.process.kill()
    command.end(20)
    until(lambda: all(is_gone(pid) for pid in children.values()), 10)


def taken():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock, str(sock.getsockname()[1])


def test_a_port_in_use_is_one_line(semcom, service, ports, tmp_path):
    sock, port = taken()
    with sock:
        cases = {
            "endpoint": ["host", "--port", port],
            "radio rx": ["rx", *ports["rx"], "--sink-port", port, "--host", service],
            "radio tx": ["tx", *ports["tx"], "--source-port", port, "--host", service],
        }
        for word, case in cases.items():
            code, _, err = semcom(*case)
            assert code == 2
            assert err.startswith(f"semcom: error: {word}")
            assert f":{port} is in use" in err
            assert err.count("\n") == 1


def test_a_python_without_gnu_radio_is_one_line(semcom, service, tmp_path):
    code, _, err = semcom(
        "demo", "--host", service, "--out", "out", SEMCOM_RADIO_PYTHON=sys.executable
    )
    assert code == 2
    assert err.startswith("semcom: error: radio ")
    assert "gnuradio" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_missing_weights_are_one_line(tmp_path):
    copy = tmp_path / "repository"
    for part in ("host", "models", "semcom_blocks"):
        leave = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(REPO_ROOT / part, copy / part, ignore=leave)
    shutil.copy(REPO_ROOT / "pyproject.toml", copy)
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", "demo", "--out", tmp_path / "out"],
        cwd=copy,
        env=environment(PYTHONPATH=str(copy)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("semcom: error: ")
    assert ".safetensors" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_host_command_serves_until_it_is_told_to_stop(start, semcom, tmp_path):
    sock, port = taken()
    sock.close()
    host = start("host", "--port", port, "--threads", 1)
    code, _, err = semcom("demo", "--host", f"tcp://127.0.0.1:{port}", "--out", "out")
    assert (code, err) == (0, "")
    host.process.send_signal(signal.SIGTERM)
    code, out, _ = host.end(20)
    assert code == 0
    assert f"listening on tcp://127.0.0.1:{port}" in out
