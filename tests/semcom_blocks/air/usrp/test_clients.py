# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmodified clients of libuhd against emulated devices, each in a process of its own.

``import uhd`` and gr-uhd cannot share a process, and both hold Python's lock at times.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "clients"
LIMIT_S = 40
TRIES = 3
BUSY = ("rfnoc_graph", "management transaction", "No devices found", "timed out")
QUIET = {"noise_figure_db": -100.0}
PATHS = [{"from": "u0", "to": "u0", "gain_db": -50.0}]


def completed(*command):
    """A client that ends well, tried again where the machine was too busy.

    libuhd waits 0.1 s for an answer to a management packet, and gives up.
    """
    for _ in range(TRIES):
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        said = done.stdout + done.stderr
        if done.returncode == 0 or not any(words in said for words in BUSY):
            break
    assert done.returncode == 0, said
    return done


def run(*command):
    """What a client says."""
    return completed(*command).stdout


def run_client(name, *arguments):
    """What one of our clients has seen, and what UHD says on standard error."""
    done = completed(sys.executable, str(CLIENTS / name), *arguments)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_devices_are_found(usrps):
    _, _, addresses = usrps({"serial": "VONE"}, {"serial": "VTWO"})
    for address, serial in zip(addresses, ("VONE", "VTWO"), strict=True):
        found = run("uhd_find_devices", "--args", f"addr={address}")
        assert f"serial: {serial}" in found and "product: e320" in found


def test_the_probe_shows_the_tree(usrps):
    _, (device,), (address,) = usrps({"serial": "VONE"})
    tree = run("uhd_usrp_probe", "--args", f"addr={address}")
    for line in ("serial: VONE", "0/Radio#0", "TX Frontend: 1", "RX Frontend: 1", "ref_locked"):
        assert line in tree
    assert device.counters().keys() == {"claims"}


def test_multi_usrp(usrps):
    _, (device,), (address,) = usrps(QUIET | {"serial": "VONE"}, paths=PATHS)
    seen, said = run_client("multi_usrp.py", address)
    assert "[ERROR] [RPC] master clock rate is 100000000.0, permitted: 220000.0" in said
    assert seen["serial"] == "VONE"
    assert seen["rates"] == [[2e6, 2e6], [220e3, 220e3], [1e6, 1e6]]
    assert "permitted: 220000.0 to 61440000.0" in seen["refused"]
    assert seen["carrier_hz"] == pytest.approx(915e6, abs=5)
    assert seen["bandwidth_hz"] == 1.5e6
    assert seen["locked"] == [True, True, True]
    assert seen["time_s"] == pytest.approx(100.0, abs=2.0)
    for name, n_channels in (("one", 1), ("second", 1), ("both", 2)):
        part = seen[name]
        assert part["got"] == 8192 and part["error_s"] == pytest.approx(0.0, abs=1e-9)
        assert part["event"] == "burst_ack"
        assert [burst[:2] for burst in part["bursts"]] == [[3000, 3999]] * n_channels
        for burst in part["bursts"]:
            assert burst[2] == pytest.approx(1.0, abs=0.05)
    assert seen["late_burst"] == "time_error"
    assert seen["late_command"] == "late"
    assert seen["continuous"] == {"errors": ["none"], "gaps": 0}
    assert seen["left_open"] == "underflow"
    assert device.counters()["tx_underrun"] >= 1  # the one that was made
    assert "bad_packet" not in device.counters()


def test_gr_uhd_two_devices_full_duplex_lose_nothing(usrps):
    _, devices, addresses = usrps(QUIET, QUIET)
    heard, _ = run_client("gr_uhd.py", *addresses)
    for row, tone in zip(heard, (1 / 32, 1 / 64), strict=True):
        assert row["rate_hz"] == 2e6 and row["tone"] == tone
        assert row["amplitude"] == pytest.approx(0.5, rel=0.05)
        assert row["purity"] > 0.9999
        assert row["times"] == 1  # one more for each overflow
    for device in devices:
        assert "tx_underrun" not in device.counters()
        assert "rx_overrun" not in device.counters()


def test_a_killed_client_loses_its_claim(usrps):
    _, (device,), (address,) = usrps({}, lapse_s=1.5)
    code = (
        "import sys, time, uhd\n"
        "usrp = uhd.usrp.MultiUSRP('addr=' + sys.argv[1])\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    client = subprocess.Popen(
        [sys.executable, "-c", code, address],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with client:
        assert client.stdout.readline() == "up\n"
        time.sleep(2.0)  # it shows its token, so it is let be
        assert "claims_lapsed" not in device.counters()
        probe = ["uhd_usrp_probe", "--args", f"addr={address}"]
        busy = subprocess.run(probe, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert busy.returncode != 0 and "Double-claim" in busy.stdout + busy.stderr
        client.kill()
    end = time.monotonic() + LIMIT_S
    while "claims_lapsed" not in device.counters() and time.monotonic() < end:
        time.sleep(0.05)
    run(*probe)


@pytest.mark.parametrize("clock", ["real", "virtual"])
def test_reception_goes_on_after_faults(usrps, clock):
    _, (device,), (address,) = usrps({}, clock=clock, paths=PATHS)
    command = [sys.executable, str(CLIENTS / "steady.py"), address, "3.5"]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with client:
        assert client.stdout.readline() == "up\n"
        for fault in ("drop", "stall", "overflow"):
            device.fault(fault, 0.3)
            time.sleep(0.9)
        seen = json.loads(client.stdout.read())
    assert seen["at_the_end"] == 10_000
    assert seen["errors"]["overflow"] >= 2  # UHD's word for lost packets and for overruns
    assert device.counters()["rx_overrun"] >= 1
    assert device.counters()["lost_by_fault"] >= 50
