# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients see when a virtual Pluto misbehaves."""

import socket
import threading
import time

import pytest

from semcom_blocks.air.config import AirConfig, DeviceConfig
from semcom_blocks.air.engine import Air
from semcom_blocks.air.pluto import VirtualPluto
from semcom_blocks.errors import ConfigError, RadioError

ADC, DAC, PHY = "iio:device3", "iio:device2", "iio:device0"
XO = f"{PHY} xo_correction"


def streaming(client, device=ADC):
    assert client.ask(f"OPEN {device} 1024 00000003") == 0
    if device == ADC:
        assert client.samples(ADC, 4096)[2] == 4096


@pytest.mark.parametrize("waiting", [False, True])
def test_drop_cuts_streams_and_a_new_connection_streams_at_once(plutos, connect, waiting):
    _, (pluto,), (address,) = plutos({}, clock="real")
    client, context = connect(address), connect(address)
    assert context.write(XO, "40000100") > 0
    streaming(client)
    if waiting:  # in the middle of a read that takes long
        client.send(f"READBUF {ADC} 2000000000\r\n")
    pluto.fault("drop", 0)
    while client.file.read(1 << 20):
        pass
    assert context.ended()
    again = connect(address)
    assert again.read(XO) == "40000100"  # it did not lose power
    streaming(again)
    assert pluto.counters()["faults"] == 1


def test_unplug_refuses_everybody_until_it_is_back_with_everything_forgotten(plutos, connect):
    _, (pluto,), (address,) = plutos({})
    client = connect(address)
    assert client.write(XO, "40000100") > 0
    streaming(client)
    streaming(client, DAC)
    for _ in range(3):
        pluto.fault("unplug", 0)
        assert not pluto.rx[0].streaming() and not pluto.tx[0].streaming()
        with pytest.raises(ConnectionRefusedError):
            connect(address)
        pluto.fault("reconnect", 0)
        pluto.fault("reconnect", 0)  # plugging in what is plugged in
        again = connect(address)
        assert again.read(XO) == "40000000"
        streaming(again)
        streaming(again, DAC)
    assert client.ended()


def test_unplug_for_a_while(plutos, connect):
    _, (pluto,), (address,) = plutos({})
    pluto.fault("unplug", 0.2)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            assert connect(address).read(XO) == "40000000"
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    pytest.fail("it never came back")


def test_stall_delays_answers_and_loses_none(plutos, connect):
    _, (pluto,), (address,) = plutos({})
    client = connect(address)
    pluto.fault("stall", 0.3)
    start = time.monotonic()
    assert client.read(XO) == "40000000"
    assert time.monotonic() - start >= 0.25
    assert client.read(XO) == "40000000"


def test_overflow_shows_in_the_register_and_reading_goes_on(plutos, connect):
    _, (pluto,), (address,) = plutos({})
    client = connect(address)
    streaming(client)
    pluto.fault("overflow", 1e-3)
    # In virtual time nothing else is lost.
    for _ in range(40):
        assert client.samples(ADC, 4096)[2] == 4096
    register = f"{ADC} DEBUG direct_reg_access"
    assert client.write(register, "0x80000088") > 0
    assert client.read(register) == "0x4"
    assert client.write(register, "0x80000088 0x4") > 0
    assert client.samples(ADC, 4096)[2] == 4096
    assert client.read(register) == "0x0"


def test_underflow_shows_in_the_register_and_writing_goes_on(plutos, connect):
    _, (pluto,), (address,) = plutos({})
    client = connect(address)
    streaming(client, DAC)
    pluto.fault("underflow", 1e-4)
    for _ in range(20):
        assert client.push(DAC, bytes(4096)) == 4096
    register = f"{DAC} DEBUG direct_reg_access"
    assert client.write(register, "0x80000088") > 0
    assert client.read(register) == "0x1"


def test_a_client_that_vanishes_in_mid_wait_frees_the_device(plutos, connect):
    """A writer waits because virtual time stands; then its process is gone."""
    _, _, (address,) = plutos({})
    reader, writer, heir = (connect(address) for _ in range(3))
    assert reader.ask(f"OPEN {ADC} 64 00000003") == 0
    assert writer.ask(f"OPEN {DAC} 65536 00000003") == 0
    for _ in range(4):
        writer.push(DAC, bytes(4 * 65536))
    writer.send(f"WRITEBUF {DAC} 262144\r\n")
    writer.sock.sendall(bytes(262144))
    writer.close()
    assert heir.ask(f"OPEN {DAC} 64 00000003") == 0


def test_faults_by_name_only(plutos):
    _, (pluto,), _ = plutos({})
    with pytest.raises(ConfigError, match="drop, stall"):
        pluto.fault("explode", 1)
    with pytest.raises(RadioError, match="not been started"):
        VirtualPluto(DeviceConfig("x", "pluto")).fault("drop", 0)


def one_pluto(address):
    return AirConfig.from_dict({"devices": [{"name": "p", "kind": "pluto", "address": address}]})


def test_an_address_in_use_is_named(address):
    where = address()
    config = one_pluto(where)
    with (
        socket.create_server((where, 30431)),
        pytest.raises(RadioError, match=f"cannot listen on {where}:30431"),
        Air(config, [VirtualPluto(config.devices[0])]),
    ):
        pass


def test_no_thread_or_socket_stays(connect, address):
    where = address()
    config = one_pluto(where)
    before = set(threading.enumerate())
    pluto = VirtualPluto(config.devices[0])
    with Air(config, [pluto]):
        client = connect(where)
        streaming(client)
        client.send(f"READBUF {ADC} 2000000000\r\n")
    pluto.stop()  # twice is once
    assert pluto.counters()["connections"] == 0
    end = time.monotonic() + 2
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before
    with pytest.raises(ConnectionRefusedError):
        connect(where)
