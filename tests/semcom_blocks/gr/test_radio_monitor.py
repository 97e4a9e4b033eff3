# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio Monitor: counters pass on, and a device that is lost or still is noticed."""

from semcom_blocks.errors import RadioError
from semcom_blocks.gr import radio_monitor
from semcom_blocks.gr.radio_monitor import RadioMonitor
from tests.semcom_blocks.gr.bench import Bench, until


class Device:
    """What the monitor sees of a radio."""

    def __init__(self, owed=True):
        self.count, self.owed, self.lost, self.moves = 0, owed, False, True

    def poll(self):
        self.count += self.moves
        if self.lost:
            raise RadioError("cable is out")

    def flows(self):
        return [("rx", self.count, self.owed)]

    def counters(self):
        return {"overflows": 3}


def bench_of(device, more=None):
    bench = Bench()
    bench.block = RadioMonitor(device, more)
    bench.statuses = bench.collect(bench.block, "status").pdus
    return bench


def test_counters_pass_on():
    bench = bench_of(Device(), {"frames_gapped": lambda: 5})
    with bench:
        until(lambda: len(bench.statuses) > 2)
    found = bench.statuses[-1][0]["radio"]
    assert found["rx_samples"] > bench.statuses[0][0]["radio"]["rx_samples"]
    assert (found["overflows"], found["frames_gapped"]) == (3, 5)
    assert bench.block.failed is None


def test_a_lost_device_is_named():
    device = Device()
    bench = bench_of(device)
    with bench:
        until(lambda: bench.statuses)
        device.lost = True
        until(lambda: bench.block.failed)
    assert str(bench.block.failed) == "cable is out"


def test_samples_that_stand_still_are_a_lost_device(monkeypatch):
    monkeypatch.setattr(radio_monitor, "STALL_S", 0.1)
    device = Device()
    bench = bench_of(device)
    with bench:
        until(lambda: device.count > 3)
        device.moves = False
        until(lambda: bench.block.failed)
    assert "rx stopped: no samples for 0.1 s" in str(bench.block.failed)


def test_samples_that_nobody_waits_for_may_stand_still(monkeypatch):
    monkeypatch.setattr(radio_monitor, "STALL_S", 0.05)
    device = Device(owed=False)
    device.moves = False
    bench = bench_of(device)
    with bench:
        until(lambda: len(bench.statuses) > 3)
    assert bench.block.failed is None
