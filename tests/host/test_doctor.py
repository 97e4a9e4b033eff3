# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's reading of the lock, the environment, the weights and the ports."""

import json
import socket

import pytest

from host import doctor
from host.config.models import NetworkConfig

LOCK = """\
# a comment
plain-package==1.2
old==1.0 ; python_version < '3.11'
this==2.0 ; python_version == '3.11'
new==3.0 ; python_version >= '3.12'
"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    (tmp_path / "requirements.lock").write_text(LOCK)
    monkeypatch.setattr(doctor, "REPO_ROOT", tmp_path)
    monkeypatch.setattr(doctor, "VENV", tmp_path / ".venv")
    return tmp_path


def fake_python(tree, distributions):
    """An interpreter that answers with its version and these distributions."""
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\necho '{json.dumps([[3, 11, 2], distributions])}'\n")
    python.chmod(0o755)
    (tree / ".venv" / "stamp").touch()


def safetensors(payload_bytes, missing_bytes=0):
    header = json.dumps(
        {"__metadata__": {}, "w": {"dtype": "U8", "data_offsets": [0, payload_bytes]}}
    ).encode()
    return len(header).to_bytes(8, "little") + header + bytes(payload_bytes - missing_bytes)


@pytest.mark.parametrize(
    ("minor", "expected"), [(10, {"old": "1.0"}), (11, {"this": "2.0"}), (13, {"new": "3.0"})]
)
def test_lock_is_read_for_this_python(tree, minor, expected):
    assert doctor.locked((3, minor)) == {"plain-package": "1.2", **expected}


def test_unknown_marker_is_not_guessed(tree):
    (tree / "requirements.lock").write_text("a==1 ; sys_platform == 'linux'\n")
    with pytest.raises(ValueError, match="sys_platform"):
        doctor.locked((3, 11))


def test_environment_as_locked(tree):
    # A local label names a build; names compare without case and punctuation.
    fake_python(tree, [["Plain_Package", "1.2+cpu"], ["this", "2.0"], ["torch", "2.0+cpu"]])
    first, torch = doctor.check_venv()
    assert (first.state, torch.state) == ("ok", "ok")
    assert "CPU" in torch.found


@pytest.mark.parametrize(
    ("distributions", "words"),
    [
        ([["plain-package", "1.3"], ["this", "2.0"]], "plain-package 1.3 for 1.2"),
        ([["plain-package", "1.2"]], "this absent for 2.0"),
    ],
)
def test_environment_that_differs_from_the_lock(tree, distributions, words):
    fake_python(tree, distributions)
    (row,) = doctor.check_venv()
    assert row.state == "missing"
    assert words in row.found
    assert row.remedy


def test_unfinished_environment_is_missing(tree):
    fake_python(tree, [["plain-package", "1.2"], ["this", "2.0"], ["torch", "2.0+cpu"]])
    (tree / ".venv" / "stamp").unlink()
    (row,) = doctor.check_venv()
    assert row.state == "missing"


def test_weights(tree):
    (row,) = doctor.check_weights()
    assert row.state == "missing"
    folder = tree / "models" / "weights"
    folder.mkdir(parents=True)
    (folder / "a.safetensors").write_bytes(safetensors(100))
    (folder / "b.safetensors").write_bytes(safetensors(100))
    (folder / "b.card.md").touch()
    (folder / "c.safetensors").write_bytes(safetensors(100, missing_bytes=1))
    (folder / "d.safetensors").write_bytes(b"not weights")
    rows = {row.name[0]: row for row in doctor.check_weights()}
    assert [rows[name].state for name in "abcd"] == ["missing", "ok", "missing", "missing"]
    assert "card" in rows["a"].found
    assert "damaged" in rows["c"].found


def test_taken_port_is_a_note(monkeypatch):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        monkeypatch.setattr(doctor, "DEFAULT_PORTS", {"host_port": sock.getsockname()[1]})
        (row,) = doctor.check_ports()
    assert row.state == "note"
    assert "host_port" in row.found


def test_ports_are_those_of_the_configuration():
    fields = NetworkConfig.model_fields
    ports = {name: field.default for name, field in fields.items() if name.endswith("_port")}
    assert ports == doctor.DEFAULT_PORTS


@pytest.mark.parametrize(
    ("how", "works"),
    [
        ("command:sh", True),
        ("command:no-such-program", False),
        ("python:json", True),
        ("python:no_such_module", False),
    ],
)
def test_probe(how, works):
    assert doctor.probe(how)[0] is works
