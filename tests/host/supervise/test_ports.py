# SPDX-License-Identifier: GPL-3.0-or-later
"""Free ports are free, different, and nobody else's."""

import socket
import subprocess
import sys

import pytest

from host.supervise import free_ports, ports
from host.supervise.environment import REPO_ROOT

# Below those that are given out, so that nobody else in this machine takes some of them.
FEW = range(18_000, 18_024)
ANOTHER = f"""
from host.supervise import ports
ports.PORTS = {FEW}
print(*ports.free_ports(2))
"""


def test_free_ports_are_different_and_bindable():
    found = free_ports(20)
    assert len(set(found)) == 20
    for port in found:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))


def test_another_process_is_given_others(monkeypatch):
    monkeypatch.setattr(ports, "PORTS", FEW)
    mine = set(free_ports(20))
    command = [sys.executable, "-c", ANOTHER]
    out = subprocess.run(command, cwd=REPO_ROOT, capture_output=True, check=True, timeout=60).stdout
    others = {int(port) for port in out.split()}
    assert len(others) == 2
    assert not mine & others


def test_too_few_are_an_error(monkeypatch):
    monkeypatch.setattr(ports, "PORTS", FEW[:3])
    with pytest.raises(OSError, match="4 free ports"):
        free_ports(4)
