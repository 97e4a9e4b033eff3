# SPDX-License-Identifier: GPL-3.0-or-later
"""Children are watched, named when they die, and never outlive the command."""

import os
import signal
import subprocess
import sys
import time

import pytest

from host.supervise import Supervisor
from host.supervise.environment import REPO_ROOT, child_environment
from semcom_blocks.errors import PeerError, RadioError

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(60)"
)
PARENT = """
import sys, time
from pathlib import Path
from host.supervise import Supervisor
from host.supervise.environment import child_environment
with Supervisor(Path(sys.argv[1])) as crew:
    child = crew.start("sleeper", [sys.executable, "-c", sys.argv[2]], child_environment())
    while "up" not in child.log.read_text():
        time.sleep(0.01)
    print(child.pid, flush=True)
    time.sleep(60)
"""


def start(crew, code, name="radio tx"):
    return crew.start(name, [sys.executable, "-c", code], child_environment())


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split(") ")[1][0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_running_child_is_no_error_and_ends_with_the_block(tmp_path):
    with Supervisor(tmp_path) as crew:
        child = start(crew, SLEEPER)
        wait_for(lambda: child.last_line() == "up")
        crew.check()
    assert gone(child.pid)


def test_a_killed_child_is_named_with_signal_and_last_line(tmp_path):
    with Supervisor(tmp_path) as crew:
        child = start(crew, SLEEPER)
        wait_for(lambda: child.last_line() == "up")
        os.kill(child.pid, signal.SIGKILL)
        wait_for(lambda: child.poll() is not None)
        with pytest.raises(PeerError, match=r"radio tx process died \(signal 9\): up"):
            crew.check()


def test_a_named_error_of_a_child_is_passed_on(tmp_path):
    code = "import sys; print('semcom: error: port 5 is in use', file=sys.stderr); sys.exit(2)"
    with Supervisor(tmp_path) as crew:
        child = start(crew, code)
        wait_for(lambda: child.poll() is not None)
        with pytest.raises(RadioError, match=r"^radio tx: port 5 is in use$") as caught:
            crew.check()
    assert caught.value.exit_code == 2


def test_a_missing_package_points_to_the_doctor(tmp_path):
    with Supervisor(tmp_path) as crew:
        child = start(crew, "import no_such_module")
        wait_for(lambda: child.poll() is not None)
        with pytest.raises(RadioError, match=r"No module named 'no_such_module'.*semcom doctor"):
            crew.check()


def test_early_success_is_an_error_too(tmp_path):
    with Supervisor(tmp_path) as crew:
        child = start(crew, "pass")
        wait_for(lambda: child.poll() is not None)
        with pytest.raises(PeerError, match="exit code 0"):
            crew.check()


def test_terminal_controls_in_a_log_do_not_reach_the_message(tmp_path):
    with Supervisor(tmp_path) as crew:
        child = start(crew, r"print('\x1b[2Jgone'); raise SystemExit(3)")
        wait_for(lambda: child.poll() is not None)
        with pytest.raises(PeerError) as caught:
            crew.check()
    assert str(caught.value).isprintable()


def test_a_stubborn_or_stopped_child_is_killed(tmp_path):
    began = time.monotonic()
    with Supervisor(tmp_path) as crew:
        stubborn, stopped = start(crew, STUBBORN, "a"), start(crew, SLEEPER, "b")
        wait_for(lambda: stubborn.last_line() == "up" and stopped.last_line() == "up")
        os.kill(stopped.pid, signal.SIGSTOP)
    assert gone(stubborn.pid)
    assert gone(stopped.pid)
    assert time.monotonic() - began < 15


def test_grandchildren_end_too(tmp_path):
    code = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    with Supervisor(tmp_path) as crew:
        child = start(crew, code)
        wait_for(lambda: child.last_line().isdigit())
        grandchild = int(child.last_line())
    wait_for(lambda: gone(grandchild))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_nothing_outlives_a_killed_parent(tmp_path):
    argv = [sys.executable, "-c", PARENT, str(tmp_path), STUBBORN]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, env=child_environment(), cwd=REPO_ROOT
    ) as parent:
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
        parent.wait()
    wait_for(lambda: gone(pid))


def test_python_settings_do_not_leak(monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("VIRTUAL_ENV", "/venv")
    environment = child_environment(threads=1, user_site=False)
    assert environment["PYTHONPATH"] == str(REPO_ROOT)
    assert "PYTHONHOME" not in environment
    assert "VIRTUAL_ENV" not in environment
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["PYTHONNOUSERSITE"] == "1"
