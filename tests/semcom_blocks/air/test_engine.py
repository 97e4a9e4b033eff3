# SPDX-License-Identifier: GPL-3.0-or-later
"""Time: what moves it, what holds it, and how many samples each device takes in it."""

import threading
import time

import numpy as np
import pytest

from semcom_blocks.air import engine
from semcom_blocks.air.engine import Air
from semcom_blocks.errors import ConfigError
from tests.semcom_blocks.air.unit_device import (
    TIMEOUT_S,
    Feeder,
    UnitDevice,
    config,
    noise_source,
    receive,
    tone,
)


def queue_device(name, **tuning):
    device = UnitDevice(name, **tuning)
    device.tx[0].open = True
    return device


@pytest.mark.parametrize("piece", [100, 1000, 30_000])
@pytest.mark.parametrize("room", [700, 50_000])
def test_virtual_clock_loses_nothing(piece, room):
    """Queues of any size at both ends: the receiver gets what was sent, whole."""
    a, b = queue_device("a"), UnitDevice("b")
    sent = noise_source(2)(0, 60_000)
    port = b.rx[0]
    port.open, port.room = True, room
    heard: list[np.ndarray] = []
    with Air(config(a, b, grace_s=5.0), [a, b]) as air:
        feeder = Feeder(air, a.tx[0], sent, piece)
        feeder.start()
        total = 0
        while total < sent.size - 1000:
            with air.lock:
                assert air.wait_for(lambda: port.filled >= 500, TIMEOUT_S), air.state()
                blocks, port.blocks, port.filled = port.blocks, [], 0
                air.lock.notify_all()
            heard += blocks
            total = sum(len(block) for block in heard) // 2
        feeder.join()
    codes = np.concatenate(heard).astype(np.float32) / 2047
    found = codes.view(np.complex64)[: sent.size]
    assert feeder.sent_all
    assert port.overflows == 0
    assert np.abs(found - sent[: found.size]).max() < 1e-3


def test_virtual_time_stands_while_nobody_waits():
    a, b = UnitDevice("a", tone(0.1)), UnitDevice("b")
    b.rx[0].open = True
    with Air(config(a, b), [a, b]) as air:
        receive(air, b, 1000)
        b.rx[0].open = True
        with air.lock:
            before = air.time_of(b)
        time.sleep(0.05)
        with air.lock:
            assert air.time_of(b) - before <= engine.STEPS[0]  # one step may have been under way
            before = air.time_of(b)
        time.sleep(0.05)
        with air.lock:
            assert air.time_of(b) == before


def test_full_receiver_holds_time_for_everyone():
    a, b, c = UnitDevice("a", tone(0.1)), UnitDevice("b"), UnitDevice("c")
    for device in (b, c):
        device.rx[0].open = True
    c.rx[0].room = 5000
    with Air(config(a, b, c), [a, b, c]) as air, air.lock:
        assert not air.wait_for(lambda: b.rx[0].filled > 5000, 0.3)
        assert c.rx[0].filled <= 5000
        c.rx[0].room = 10_000_000
        assert air.wait_for(lambda: b.rx[0].filled > 20_000, TIMEOUT_S)
        assert c.rx[0].filled == b.rx[0].filled
        assert c.rx[0].overflows == 0


def test_receiver_that_nobody_drains_holds_time_for_a_grace_only(monkeypatch):
    monkeypatch.setattr(engine, "FULL_GRACE_S", 0.05)
    a, b, c = UnitDevice("a", tone(0.1)), UnitDevice("b"), UnitDevice("c")
    for device in (b, c):
        device.rx[0].open = True
    c.rx[0].room = 5000
    with Air(config(a, b, c), [a, b, c]) as air, air.lock:
        assert air.wait_for(lambda: b.rx[0].filled > 100_000, TIMEOUT_S)
    assert c.rx[0].overflows > 0


def test_dry_sender_holds_time_for_a_grace_only_and_again_after_it_was_fed():
    a, b = queue_device("a"), UnitDevice("b")
    tx, rx = a.tx[0], b.rx[0]
    rx.open = True
    with Air(config(a, b, grace_s=0.2), [a, b]) as air, air.lock:
        for _ in range(2):
            tx.queue = np.full(50_000, 0.5, np.complex64)
            before = tx.underflows
            assert air.wait_for(lambda: tx.queue.size < engine.STEPS[-1], TIMEOUT_S)
            assert tx.underflows == before  # all of it went out before anything ran dry
            assert not air.wait_for(lambda before=before: tx.underflows > before, 0.05)
            assert air.wait_for(lambda before=before: tx.underflows > before, TIMEOUT_S)


@pytest.mark.parametrize("ppm", [50.0, -120.0])
def test_device_with_a_fast_clock_takes_that_many_more_samples(ppm):
    a, b = UnitDevice("a", tone(0.0)), UnitDevice("b")
    a.rx[0].open = b.rx[0].open = True
    with Air(config(a, b, b={"clock_ppm": ppm}), [a, b]) as air:
        receive(air, b, 1_000_000)
        with air.lock:
            assert air.time_of(b) - air.time_of(a) == pytest.approx(
                air.time_of(a) * ppm * 1e-6, abs=1.1
            )


def test_other_rates_take_their_own_number_of_samples():
    a, b, c = UnitDevice("a", rate_hz=2.5e6), UnitDevice("b"), UnitDevice("c", rate_hz=1.7e6)
    with Air(config(a, b, c), [a, b, c]) as air:
        receive(air, b, 100_000)
        # Every count is that of its own clock, rounded up: n_b lies up to a sample of b above
        # the time that they share.
        with air.lock:
            assert -2.6 < air.time_of(a) - 2.5 * air.time_of(b) < 1.1
            assert -1.8 < air.time_of(c) - 1.7 * air.time_of(b) < 1.1


def test_change_of_rate_goes_on_with_the_count_and_the_carrier():
    """Half way both devices change to 2 MS/s: the tone doubles its period in samples."""
    a, b = UnitDevice("a", tone(0.1)), UnitDevice("b")
    with Air(config(a, b, b={"clock_ppm": 1.0}), [a, b]) as air:
        receive(air, b, 50_000)
        with air.lock:
            for device in (a, b):
                for port in (*device.tx, *device.rx):
                    port.tuning.sample_rate_hz = 2e6
                air.retuned(device)
            count, now_s = air.time_of(b), air.time_s
        heard = receive(air, b, 50_000)
        assert b.rx[0].starts[0] == count
        with air.lock:
            taken = air.time_of(b) - count
            assert taken == pytest.approx((air.time_s - now_s) * 2e6 * (1 + 1e-6), abs=1.1)
    turn = np.angle(np.vdot(heard[1000:-1], heard[1001:])) / (2 * np.pi)
    assert turn == pytest.approx(0.1 - 2400 / 2e6, abs=1e-5)
    at = [at for at, _ in a.tx[0].taken]
    assert at == sorted(at)


def test_equal_rates_set_one_after_the_other_share_one_grid():
    a, b = UnitDevice("a", tone(0.1), 3e6), UnitDevice("b", None, 1.3e6)
    with Air(config(a, b), [a, b]) as air:
        for device, rate_hz in ((a, 2e6), (b, 2e6)):
            receive(air, b, 1001)
            with air.lock:
                for port in (*device.tx, *device.rx):
                    port.tuning.sample_rate_hz = rate_hz
                air.retuned(device)
        heard = receive(air, b, 20_000)
    flat = heard * np.exp(-2j * np.pi * 0.1 * np.arange(heard.size))
    # No interpolation, no edge: the first sample is as good as the last.
    assert np.abs(flat - flat[-1]).max() < 2e-3


def test_transmitters_are_read_without_gap_or_overlap():
    a, b = UnitDevice("a", tone(0.1)), UnitDevice("b", rate_hz=0.9e6)
    with Air(config(a, b), [a, b]) as air:
        receive(air, b, 100_000)
    at, n = np.array(a.tx[0].taken).T
    assert at[0] == 0
    assert np.array_equal(at[1:], (at + n)[:-1])


def test_real_clock_keeps_pace_and_never_waits_for_anyone():
    a, b = queue_device("a", rate_hz=2e5), UnitDevice("b", rate_hz=2e5)
    b.rx[0].open, b.rx[0].room = True, 10_000
    start = time.monotonic()
    with Air(config(a, b, clock="real"), [a, b]) as air, air.lock:
        assert air.wait_for(lambda: b.rx[0].overflows > 0, TIMEOUT_S)
        assert air.time_of(b) == pytest.approx(2e5 * air.time_s, abs=1.1)
        assert air.time_s <= time.monotonic() - start
    assert a.tx[0].underflows > 0


def test_real_clock_gives_up_what_it_cannot_make_up(monkeypatch):
    monkeypatch.setattr(engine, "BEHIND_MAX_S", 0.05)

    def slow(at, n):
        time.sleep(0.2)
        return np.zeros(n, np.complex64)

    a, b = UnitDevice("a", slow, rate_hz=2e5), UnitDevice("b", rate_hz=2e5)
    b.rx[0].open = True
    with Air(config(a, b, clock="real"), [a, b]) as air, air.lock:
        assert air.wait_for(lambda: air.slips >= 2, TIMEOUT_S)


def test_idle_virtual_air_follows_the_wall_clock():
    a = UnitDevice("a")
    with Air(config(a), [a]) as air:
        start = time.monotonic()
        while air.time_s < 0.05:
            assert time.monotonic() - start < TIMEOUT_S
            time.sleep(0.01)
        assert air.time_s <= time.monotonic() - start + 0.05


def test_wait_ends_with_the_air_and_with_its_time():
    a = UnitDevice("a")
    air = Air(config(a), [a])
    with air, air.lock:
        assert not air.wait_for(lambda: False, 0.01)
    found = []

    def wait():
        with air.lock:
            found.append(air.wait_for(lambda: False, TIMEOUT_S))

    with Air(config(a), [a]) as air:
        thread = threading.Thread(target=wait)
        thread.start()
    thread.join(TIMEOUT_S)
    assert found == [False]
    assert a.stopped == 2


def test_device_that_cannot_start_stops_the_others():
    class Broken(UnitDevice):
        def start(self, air):
            raise ConfigError("address is in use")

    a, b = UnitDevice("a"), Broken("b")
    with pytest.raises(ConfigError, match="in use"), Air(config(a, b), [a, b]):
        pass
    assert a.stopped == 1
    assert b.stopped == 1


def test_unknown_device_is_named():
    a = UnitDevice("a")
    with pytest.raises(ConfigError, match="'z', permitted: a"):
        Air(config(a), [a]).device("z")


def test_path_may_change_while_samples_flow():
    a, b = UnitDevice("a", tone(0.0)), UnitDevice("b")
    with Air(config(a, b), [a, b]) as air:
        before = receive(air, b, 20_000)
        now = air.path_config("a", "b")
        air.set_path(type(now)("a", "b", gain_db=now.gain_db - 20, delay_s=3.3e-6))
        after = receive(air, b, 40_000)
    assert np.abs(before).mean() == pytest.approx(0.5, rel=1e-2)
    assert np.abs(after[-2000:]).mean() == pytest.approx(0.05, rel=2e-2)


def test_engine_that_breaks_is_seen_to(caplog):
    def broken(at, n):
        raise RuntimeError("no samples")

    a, b = UnitDevice("a", broken), UnitDevice("b")
    b.rx[0].open = True
    with Air(config(a, b), [a, b]) as air:
        with air.lock:
            assert not air.wait_for(lambda: False, 0.2)
        assert not air.running
    assert "no samples" in caplog.text
