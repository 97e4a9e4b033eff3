# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio processes whose device is lost are started again, counted, and given up in bounded time."""

import sys
import time
from pathlib import Path

import pytest
import zmq

from host.pipeline import keeper
from host.pipeline.keeper import Keeper
from host.pipeline.ports import SinkPort
from host.supervise import Supervisor, free_ports
from host.supervise.environment import child_environment
from semcom_blocks.errors import PeerError, RadioError

PATIENCE_S = 20.0

# A radio process: says what it is told to say, until it is told to do otherwise.
RADIO = """
import sys, time, zmq
from pathlib import Path
from semcom_blocks.wire import Message, encode
endpoint, folder = sys.argv[1], Path(sys.argv[2])
if not (folder / "device").exists():
    sys.stderr.write("semcom: error: no such device\\n")
    sys.exit(2)
socket = zmq.Context().socket(zmq.PUSH)
socket.bind(endpoint)
samples = 0
while True:
    time.sleep(0.02)
    if not (folder / "device").exists():
        sys.stderr.write("semcom: error: device is gone\\n")
        sys.exit(2)
    samples += not (folder / "still").exists()
    if (folder / "silent").exists():
        continue
    radio = {"rx_samples": samples, "overflows": 2}
    status = Message("status", {"role": "rx", "radio": radio}, {})
    if socket.poll(0, zmq.POLLOUT):
        socket.send_multipart(encode(status))
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(keeper, "RETRY_S", 0.05)
    monkeypatch.setattr(keeper, "HANG_S", 1.0)


@pytest.fixture
def kept(tmp_path):
    (tmp_path / "device").touch()
    endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    argv = [sys.executable, "-c", RADIO, endpoint, str(tmp_path)]
    with Supervisor(tmp_path) as crew, zmq.Context() as context:
        port = SinkPort(context, endpoint)

        def start():
            return crew.start("radio rx", argv, child_environment(), watched=False)

        made = Keeper(crew, port, start)
        made.crew, made.folder = crew, tmp_path
        yield made
        port.close()


def until(kept, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        kept.turn()
        kept.crew.check()
        time.sleep(0.01)


def is_up(kept):
    return lambda: kept.counters().get("rx_samples", 0) > 0 and not kept.down


def test_a_device_that_never_was_there_is_an_error_at_once(kept, tmp_path):
    Path(tmp_path / "device").unlink()
    with pytest.raises(RadioError, match="radio rx: no such device"):
        until(kept, lambda: False)


def test_a_lost_device_is_waited_for_and_counted(kept):
    until(kept, is_up(kept))
    (kept.folder / "device").unlink()
    until(kept, lambda: kept.down)
    assert not kept.recovered()
    until(kept, lambda: "no such device" in (kept.folder / "radio-rx.log").read_text())
    (kept.folder / "device").touch()
    until(kept, lambda: not kept.down)
    assert kept.recovered()
    assert not kept.recovered()
    found = kept.counters()
    assert found["restarts"] == 1
    assert found["overflows"] == 4  # of both processes


@pytest.mark.parametrize("how", ["still", "silent"])
def test_a_process_that_hangs_is_killed_and_started_again(kept, how):
    until(kept, is_up(kept))
    first = kept.child.pid
    (kept.folder / how).touch()
    until(kept, lambda: kept.down)
    (kept.folder / how).unlink()
    until(kept, lambda: not kept.down)
    assert kept.child.pid != first
    assert kept.counters()["restarts"] == 1


def test_whoever_did_not_look_does_not_take_his_absence_for_silence(kept):
    until(kept, is_up(kept))
    time.sleep(2.5)
    kept.turn()
    assert not kept.down


def test_a_device_that_stays_away_is_given_up(kept, monkeypatch):
    monkeypatch.setattr(keeper, "AWAY_MAX_S", 0.5)
    until(kept, is_up(kept))
    (kept.folder / "device").unlink()
    with pytest.raises(PeerError, match=r"radio rx lost its device .* device is gone"):
        until(kept, lambda: False)


def test_a_process_may_be_started_anew_although_it_is_well(kept):
    until(kept, is_up(kept))
    kept.begin_again()
    assert kept.down
    until(kept, lambda: not kept.down)
    assert kept.recovered()
