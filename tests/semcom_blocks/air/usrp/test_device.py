# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole device over its sockets, with a host by hand, in virtual time."""

import secrets
import socket
import struct
import time

import numpy as np
import pytest

from semcom_blocks.air.config import AirConfig
from semcom_blocks.air.engine import Air
from semcom_blocks.air.usrp import VirtualUsrp, chdr
from semcom_blocks.air.usrp.chdr import Control, PacketType, StreamStatus
from semcom_blocks.errors import ConfigError, RadioError

LIMIT_S = 10.0
SAMPLES = (PacketType.DATA, PacketType.TIMED_DATA)
PATHS = [{"from": "u0", "to": "u0", "gain_db": -50.0}]
UNITY_GAIN_DB = 33.0  # receive gain at which a path of -50 dB makes full scale of full scale


def until(condition):
    """Wait for ``condition()``, within the limit."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def open_host(connect, address, channel=0):
    host = connect(address)
    host.claim(1e6)
    for chain, gain_db in ((f"TX{channel + 1}", 89.75), (f"RX{channel + 1}", UNITY_GAIN_DB)):
        host.call("db_0_set_gain", chain, gain_db)
        host.call("db_0_catalina_tune", chain, 915e6)
    host.set_up(channel)
    return host


def receive_command(host, mode, samples=0, at=None, channel=0):
    base = 0x1000 + 0x80 * channel
    for register, value in (
        (0x18, samples),
        (0x20, (at or 0) & 0xFFFFFFFF),
        (0x24, (at or 0) >> 32),
    ):
        host.poke(base + register, value)
    host.poke(base + 0x14, mode | (at is not None) << 31)


def receive_samples(host, n):
    """n samples as complex numbers and the time of the first; reports what was taken."""
    parts, first, count, size, packets = [], None, 0, 0, 0
    while count < n:
        packet = host.receive(*SAMPLES)
        first = packet.time if first is None else first
        codes = np.frombuffer(packet.payload, "<i2").astype(float)
        parts.append((codes[::2] + 1j * codes[1::2]) / 32767)
        count, size, packets = count + len(parts[-1]), size + packet.length, packets + 1
    return np.concatenate(parts), first


@pytest.mark.parametrize("channel", [0, 1])
def test_timed_burst_lands_at_its_samples_in_a_timed_reception(usrps, connect, channel):
    _, _, (address,) = usrps({"noise_figure_db": -100.0}, paths=PATHS)
    host = open_host(connect, address, channel)
    start = host.call("get_timekeeper_time", 0, False) + 200_000
    receive_command(host, 1, 3000, start, channel)
    burst = np.zeros(2 * 400, "<i2")
    burst[::2] = 16384
    host.send(PacketType.TIMED_DATA, 100 + channel, burst.tobytes(), 0, start + 1000, True)
    samples, first = receive_samples(host, 3000)
    assert first == start and len(samples) == 3000
    loud = np.flatnonzero(abs(samples) > 0.25)
    assert (loud[0], loud[-1], len(loud)) == (1000, 1399, 400)
    acknowledged = host.event()
    assert acknowledged.data == (3,) and acknowledged.time == start + 1400


def test_late_burst_and_late_command_are_told(usrps, connect):
    _, (device,), (address,) = usrps({}, paths=PATHS)
    host = open_host(connect, address)
    until(lambda: host.call("get_timekeeper_time", 0, False) > 1000)
    host.send(PacketType.TIMED_DATA, 100, bytes(40), 0, 5, True)
    late = host.event()
    assert (late.address, late.data, late.is_ack) == (0x48, (2,), False)
    receive_command(host, 1, 100, 7)
    until(lambda: device.counters().get("rx_late_command") == 1)
    assert device.counters()["tx_late_data"] == 1


def test_an_open_burst_holds_virtual_time(usrps, connect):
    air, (device,), (address,) = usrps({}, paths=PATHS, grace_s=30.0)
    host = open_host(connect, address)
    host.send(PacketType.DATA, 100, bytes(4 * 1900))
    # The air moves as far as it can without an underrun …
    until(lambda: not device.tx[0].hungry(1) and device.tx[0].hungry(64))
    count = air.time_of(device)
    time.sleep(0.2)
    assert air.time_of(device) == count  # … and no further
    host.send(PacketType.DATA, 100, bytes(4 * 1900), 1, end=True)
    until(lambda: device.counters().get("tx_bursts") == 1)
    assert "tx_underrun" not in device.counters()


def test_a_host_that_does_not_take_holds_virtual_time(usrps, connect):
    air, (device,), (address,) = usrps({}, paths=PATHS)
    host = open_host(connect, address)
    receive_command(host, 2)
    until(lambda: device.rx[0].full(64))
    count = air.time_of(device)
    time.sleep(0.2)
    assert air.time_of(device) == count
    assert "rx_overrun" not in device.counters()
    receive_command(host, 0)  # the clock goes on with the wall's
    until(lambda: air.time_of(device) > count)


def test_real_time_overruns_without_room(usrps, connect):
    _, (device,), (address,) = usrps({}, clock="real", paths=PATHS)
    host = open_host(connect, address)
    host.report(0, 0, 0, capacity=20_000)
    receive_command(host, 2)
    until(lambda: device.counters().get("rx_overrun") == 1)
    told = host.event()
    assert (told.address, told.data) == (0x2C, (2,))


def test_a_timed_register_write_is_done_and_acknowledged_in_time(usrps, connect):
    _, _, (address,) = usrps({})
    host = open_host(connect, address)
    at = host.call("get_timekeeper_time", 0, False) + 100_000
    host.poke(0x1040, 0x77, time=at)
    assert host.call("get_timekeeper_time", 0, False) >= at
    assert host.peek(0x103C).data == (0x77,)


def test_settings_reach_the_ports_of_both_channels(usrps, connect):
    _, (device,), (address,) = usrps({})
    host = connect(address)
    host.claim(2e6)
    assert {port.tuning.sample_rate_hz for port in (*device.rx, *device.tx)} == {2e6}
    made_hz = host.call("db_0_catalina_tune", "RX2", 915e6)
    assert [port.tuning.lo_hz for port in device.rx] == [made_hz, made_hz]
    assert host.call("db_0_set_bw_filter", "TX1", 1.5e6) == 1.5e6
    assert [port.tuning.bandwidth_hz for port in device.tx] == [1.5e6, 1.5e6]
    assert host.call("db_0_set_gain", "TX2", 80.1) == 80.0
    assert device.tx[1].tuning.gain_db == -9.75 and device.tx[0].tuning.gain_db == -89.75
    host.call("db_0_set_agc", "RX1", True)
    assert [port.tuning.agc for port in device.rx] == [True, False]
    assert host.call("db_0_set_catalina_clock_rate", 1e6) == 1e6
    for method, arguments, said in (
        ("db_0_set_catalina_clock_rate", (1e3,), "master clock rate is 1000.0, permitted"),
        ("db_0_catalina_tune", ("RX9", 1e9), "chain is 'RX9', permitted: RX1"),
        ("db_0_set_gain", ("RX1", "loud"), "gain is 'loud', permitted: a number"),
        ("set_clock_source", ("gpsdo",), "permitted: internal"),
        ("db_0_get_sensor", ("RX", "mood", 0), "sensor is 'mood', permitted: lo_locked"),
        ("set_timekeeper_time", (0, -1, False), "time is -1, permitted: 0 to"),
        ("open_the_window", (), "method is 'open_the_window'"),
    ):
        error, _ = host.ask(method, host.token, *arguments)
        assert said in error
        assert host.ask("get_last_error")[1] == error
    assert host.call("db_0_get_sensor", "RX", "lo_locked", 0)["value"] == "true"


def test_only_the_claimant_may_speak_and_a_claim_lapses(usrps, connect):
    _, (device,), (address,) = usrps({}, paths=PATHS, lapse_s=0.5)
    first, second = open_host(connect, address), connect(address)
    receive_command(first, 2)
    assert second.ask("claim", "x")[0] == "Double-claim"
    assert second.ask("init", "wrong", {})[0] == "Invalid token!"
    assert second.ask("unclaim", "wrong") == (None, False)
    first.close()
    until(lambda: not device.rx[0].streaming())  # nobody is there to stream to
    until(lambda: device.counters().get("claims_lapsed") == 1)
    second.claim()
    assert second.call("unclaim")
    assert second.ask("reclaim", second.token) == (None, False)


def test_hostile_packets_are_counted_and_the_next_good_one_works(usrps, connect):
    _, (device,), (address,) = usrps({}, paths=PATHS)
    host = open_host(connect, address)
    generator = np.random.default_rng(7)
    for _ in range(2000):
        host.udp.send(generator.bytes(int(generator.integers(0, 200))))
    for kind in PacketType:  # well-formed heads with nonsense behind
        for length in (0, 8, 16, 40):
            host.send(kind, 100, generator.bytes(length))
    far = struct.pack("<Q", 1 << 62)
    for _ in range(100):  # more timed commands than may wait
        control = Control(2, 2, 1, 1, chdr.ControlOp.WRITE, 0x1040, (1,), 1 << 62)
        host.send(PacketType.CONTROL, 100, control.pack() + far)
    until(lambda: device.counters().get("bad_packet", 0) > 1000)
    host.udp.settimeout(0.2)
    with pytest.raises(TimeoutError):
        while True:
            host.udp.recv(9000)
    host.udp.settimeout(LIMIT_S)
    assert host.peek(0x1004).data == (32 << 16 | 1,)
    with socket.create_connection((address, 49601), timeout=LIMIT_S) as bad:
        bad.sendall(b"\xc1" * 100)
        assert bad.recv(100) == b""
    assert device.counters()["bad_rpc"] == 1
    assert host.ask("ping", "x") == (None, "x")


@pytest.mark.parametrize(
    ("fault", "counter"), [("overflow", "rx_overrun"), ("drop", "lost_by_fault")]
)
def test_faults_of_reception(usrps, connect, fault, counter):
    _, (device,), (address,) = usrps({}, clock="real", paths=PATHS)
    host = open_host(connect, address)
    device.fault(fault, 0.3)
    receive_command(host, 2)
    until(lambda: device.counters().get(counter, 0) > 0)
    time.sleep(0.4)
    receive_command(host, 0)
    receive_command(host, 1, 50)
    samples, _ = receive_samples(host, 50)
    assert len(samples) >= 50


def test_a_stalled_device_answers_later(usrps, connect):
    _, (device,), (address,) = usrps({})
    host = connect(address)
    device.fault("stall", 0.4)
    start = time.monotonic()
    host.claim()
    assert time.monotonic() - start > 0.3


def test_unplugged_and_back(usrps, connect):
    _, (device,), (address,) = usrps({})
    host = open_host(connect, address)
    device.fault("unplug", 0.0)
    until(lambda: device.counters().get("unplugged") == 1)
    with pytest.raises(OSError):
        for _ in range(100):
            host.ask("ping", "x")
    device.fault("reconnect", 0.0)

    def answers():
        try:
            host = connect(address)
        except OSError:
            return False
        host.claim()  # the old claim went with the power
        return True

    until(answers)


def test_an_address_in_use_is_named(usrps):
    _, _, (address,) = usrps({})
    config = AirConfig.from_dict({"devices": [{"name": "x", "kind": "usrp", "address": address}]})
    with (
        pytest.raises(RadioError, match=f"address is {address}:49600, permitted: a free one"),
        Air(config, [VirtualUsrp(config.devices[0])]),
    ):
        pass


def test_a_port_moves_all_three(usrps, connect):
    port = 20_000 + secrets.randbelow(20_000)
    _, _, (address,) = usrps({"port": port})
    with socket.create_connection((address, port + 1), timeout=LIMIT_S):
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(LIMIT_S)
        asking.sendto(b"MPM-DISC\0", (address, port))
        assert b"product=e320;serial=V" in asking.recv(1000)


def test_two_devices_in_one_air(usrps, connect):
    """A constant from the first arrives at the second one, at its carrier's frequency."""
    quiet = {"noise_figure_db": -100.0}
    _, _, (one, two) = usrps(quiet, quiet | {"clock_ppm": 1.0})
    sender, receiver = open_host(connect, one), open_host(connect, two)
    burst = np.zeros(2 * 1900, "<i2")
    burst[::2] = 16384

    def now(host):
        return host.call("get_timekeeper_time", 0, False)

    before, there, after = now(sender), now(receiver), now(sender)
    while after - before > 10_000:  # 10 ms: the machine was busy
        before, there, after = now(sender), now(receiver), now(sender)
    starts = [before + 1_000_000, there + 1_000_000]
    for k in range(30):
        kind, at = (PacketType.TIMED_DATA, starts[0]) if k == 0 else (PacketType.DATA, None)
        sender.send(kind, 100, burst.tobytes(), k, at, end=k == 29)
    receive_command(receiver, 1, 8000, starts[1] + 20_000)
    samples, _ = receive_samples(receiver, 8000)
    loud = np.flatnonzero(abs(samples) > 0.4)
    assert len(loud) > 1000
    turn = np.angle(np.sum(samples[loud[1:]] * samples[loud[:-1]].conj())) / (2 * np.pi)
    assert turn * 1e6 == pytest.approx(-915.0, abs=10.0)  # 1 ppm of 915 MHz


def test_status_of_flow_control_over_the_wire(usrps, connect):
    _, _, (address,) = usrps({}, paths=PATHS)
    host = open_host(connect, address)
    status = StreamStatus.unpack(host.receive(PacketType.STREAM_STATUS).words)
    assert (status.source, status.transferred_bytes, status.packets) == (100, 0, 0)


@pytest.mark.parametrize(("uhd", "number"), [(None, [4, 2]), ("4.9", [5, 3])])
def test_version_of_the_driver(usrps, connect, uhd, number):
    _, _, (address,) = usrps({"uhd": uhd})
    assert connect(address).ask("get_mpm_compat_num") == (None, number)


def test_version_that_is_unknown(usrps):
    with pytest.raises(ConfigError, match=r"UHD version is '9\.9', permitted: 4\.3, 4\.4"):
        usrps({"uhd": "9.9"})
