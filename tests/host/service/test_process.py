# SPDX-License-Identifier: GPL-3.0-or-later
"""The service as a process: quick to answer, clean to end, clear when its port is taken."""

import signal
import sys
import time

import pytest

from host.client import HostClient
from host.supervise import Supervisor, free_ports
from host.supervise.environment import child_environment
from semcom_blocks.errors import RadioError, SemcomError


def start(crew, port, name="host"):
    argv = [sys.executable, "-m", "tests.host.codec_double", "--bind", f"tcp://127.0.0.1:{port}"]
    return crew.start(name, [*argv, "--threads", "1"], child_environment(threads=1))


def test_it_answers_before_torch_is_loaded_and_ends_with_code_0(context, tmp_path):
    (port,) = free_ports(1)
    with Supervisor(tmp_path) as crew:
        began = time.monotonic()
        child = start(crew, port)
        client = HostClient(context, f"tcp://127.0.0.1:{port}", alive=crew.check)
        pong = client.ping(20)
        assert pong["state"] in ("warming", "ready")
        assert time.monotonic() - began < 10
        child.signal(signal.SIGTERM)
        end = child.wait(5)
        assert end is not None
        assert end.code == 0
        client.close()


def test_a_port_in_use_is_one_line(tmp_path):
    (port,) = free_ports(1)
    with Supervisor(tmp_path) as crew:
        start(crew, port)
        second = None
        deadline = time.monotonic() + 20
        while second is None or second.poll() is None:
            assert time.monotonic() < deadline
            if second is None:
                time.sleep(1.0)
                second = start(crew, port, "second host")
            time.sleep(0.05)
        with pytest.raises(SemcomError, match=rf"{port} is in use") as caught:
            crew.check()
        assert caught.value.exit_code == 2
        assert isinstance(caught.value, RadioError)
