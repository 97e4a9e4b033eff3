# SPDX-License-Identifier: GPL-3.0-or-later
"""An air as a child: ready when its devices listen, controlled, gone with its crew."""

import random
import socket

import pytest

from host.cli.air import describe
from host.config.air import DeviceTable, check_air, pair
from host.supervise import Supervisor
from host.supervise.air import AirControl, start_air
from semcom_blocks.errors import ConfigError, PeerError, SemcomError


@pytest.fixture
def address():
    """A loopback address that no radio of anybody is likely to be on."""
    return f"127.{random.randint(64, 126)}.{random.randint(0, 255)}.{random.randint(1, 250)}"


def document(address, **more):
    return check_air({"devices": pair("pluto", address), **more}).document()


def listens(address):
    with socket.socket() as probe:
        return probe.connect_ex((address, 30431)) == 0


def test_air_runs_answers_and_ends_with_its_crew(tmp_path, address):
    with Supervisor(tmp_path) as crew:
        child, endpoint = start_air(crew, document(address), tmp_path)
        assert listens(address)
        with AirControl(endpoint) as control:
            state = control.state()
            assert state["clock"] == "virtual"
            assert list(state["devices"]) == ["a", "b"]
            control.path("a", "b", gain_db=-70.0)
            control.fault("b", "unplug")
            assert listens(address)
            control.fault("b", "reconnect")
            with pytest.raises(ConfigError, match="'burn'"):
                control.fault("b", "burn")
        crew.check()
    assert child.poll() is not None
    assert not listens(address)


def test_address_in_use_is_a_named_error(tmp_path, address):
    with socket.socket() as other, Supervisor(tmp_path) as crew:
        other.bind((address, 30431))
        other.listen()
        with pytest.raises(SemcomError, match="30431"):
            start_air(crew, document(address), tmp_path)


def test_no_air_is_told(monkeypatch):
    monkeypatch.setattr("host.supervise.air.REQUEST_TIMEOUT_S", 0.05)
    with (
        AirControl("tcp://127.0.0.1:9") as control,
        pytest.raises(PeerError, match="is it running"),
    ):
        control.state()


def test_devices_tell_how_they_are_reached():
    usual = DeviceTable(name="a", kind="pluto", address="127.0.0.9", clock_ppm=10)
    assert "--radio pluto:ip:127.0.0.9 " in describe(usual)
    other = DeviceTable(name="a", kind="pluto", address="127.0.0.9", port=4000)
    assert "--radio pluto:ip:127.0.0.9:4000 " in describe(other)
    assert "--radio usrp:addr=127.0.0.9 " in describe(
        DeviceTable(name="b", kind="usrp", address="127.0.0.9")
    )
