# SPDX-License-Identifier: GPL-3.0-or-later
from collections import Counter

import numpy as np
import pytest

from semcom_blocks.air.device import Tuning
from semcom_blocks.air.pluto.buffers import ReceiveBuffer, TransmitBuffer
from semcom_blocks.air.pluto.ports import OVERFLOW, UNDERFLOW, Loopback, PlutoRx, PlutoTx

BOTH = (0, 1)


@pytest.fixture
def ports():
    loopback, events = Loopback(), Counter()
    tx = PlutoTx(Tuning(1e6, 1e9, 0.0, 1e6), loopback, events)
    rx = PlutoRx(Tuning(1e6, 1e9, 20.0, 1e6), loopback, events)
    return tx, rx, loopback, events


def test_transmitter_starts_with_the_first_push_and_rests_when_dry(ports):
    tx, _, _, events = ports
    assert not tx.streaming() and tx.take(64, 0) is None
    tx.buffer = TransmitBuffer(100, 4, BOTH, False)
    assert not tx.streaming() and not tx.hungry(64)
    tx.buffer.push(np.ones(100, np.complex64))
    assert tx.streaming() and not tx.hungry(64) and tx.hungry(101)
    assert tx.take(64, 0).sum() == 64 and tx.status == 0
    rest = tx.take(64, 64)
    assert rest.shape == (64,) and rest.sum() == 36
    assert tx.status == UNDERFLOW and events["underflows"] == 1
    # It does not hold time for a client that may never come back.
    assert not tx.streaming() and not tx.hungry(64) and tx.take(64, 128) is None
    assert events["underflows"] == 1
    tx.clear(UNDERFLOW)
    tx.buffer.push(np.ones(100, np.complex64))
    assert tx.streaming() and tx.status == 0


def test_tones_until_a_client_pushes_and_after_it_closes(ports):
    tx, *_ = ports
    tone = tx.tones.tones[0]
    tone.increment, tone.phase, tone.scale = 0, 1 << 14, 0.5  # I is 0.5
    assert tx.streaming() and not tx.hungry(10)
    assert np.allclose(tx.take(10, 0), 0.5)
    tx.buffer = TransmitBuffer(10, 4, BOTH, False)
    assert np.allclose(tx.take(10, 10), 0.5)
    tx.buffer.push(np.zeros(10, np.complex64))
    assert not np.any(tx.take(10, 20))
    tx.take(10, 30)  # dry
    assert not tx.streaming()
    tx.buffer = None
    assert np.allclose(tx.take(10, 40), 0.5)


def test_overflow_is_noted_and_cleared(ports):
    _, rx, _, events = ports
    rx.buffer = ReceiveBuffer(100, 2, BOTH)
    block = np.zeros(2 * 150, np.int16)
    rx.put(block, 0)
    assert rx.full(150) and rx.status == 0
    rx.put(block, 150)
    assert rx.status == OVERFLOW and events["overflows"] == 1
    assert rx.buffer.filled == 150
    rx.clear(OVERFLOW | UNDERFLOW)
    assert rx.status == 0


def test_faults_last_as_long_as_asked_in_air_time(ports):
    tx, rx, _, events = ports
    tx.buffer = TransmitBuffer(10_000, 4, BOTH, False)
    tx.buffer.push(np.ones(10_000, np.complex64))
    rx.buffer = ReceiveBuffer(10_000, 4, BOTH)
    tx.starved.open(1e-3)  # 1000 samples
    rx.deaf.open(1e-3)
    assert not tx.hungry(20_000)
    for at in range(7000, 9000, 500):
        sent = tx.take(500, at)
        rx.put(np.ones(1000, np.int16), at)
        assert (sent is None) == (at < 8000)
    assert (events["underflows"], events["overflows"]) == (2, 2)
    assert rx.buffer.filled == 1000 and tx.buffer.filled == 9000
    assert tx.hungry(20_000)


def test_a_fault_of_no_length_happens_once(ports):
    _, rx, _, events = ports
    rx.buffer = ReceiveBuffer(1000, 4, BOTH)
    rx.deaf.open(0.0)
    for at in (0, 100, 200):
        rx.put(np.zeros(200, np.int16), at)
    assert events["overflows"] == 1 and rx.buffer.filled == 200


@pytest.mark.parametrize("ahead", [0, 37])
def test_digital_loopback_is_exact_at_the_same_count(ports, ahead):
    """The transmitter may be taken some samples ahead of the receiver's time."""
    tx, rx, loopback, _ = ports
    loopback.switch(True)
    codes = np.arange(-1000, 1000, dtype=np.int16)
    raw = (codes * 16).astype("<i2")
    tx.buffer = TransmitBuffer(1000, 4, BOTH, False)
    tx.buffer.push(tx.buffer.convert(raw))
    rx.buffer = ReceiveBuffer(1000, 4, BOTH)
    assert len(tx.take(500 + ahead, 0)) == 500 + ahead
    rx.put(np.full(1000, 77, np.int16), 0)  # what the air brings does not matter
    assert len(tx.take(500 - ahead, 500 + ahead)) == 500 - ahead
    rx.put(np.full(1000, 77, np.int16), 500)
    rx.put(np.full(200, 77, np.int16), 1000)  # nothing is sent any more
    got = np.concatenate(rx.buffer.take(1100))
    assert np.array_equal(got[:2000], codes)
    assert not got[2000:].any()


def test_loopback_without_a_receiver_stays_bounded(ports):
    tx, _, loopback, _ = ports
    loopback.switch(True)
    tx.buffer = TransmitBuffer(1 << 16, 4, BOTH, True)
    tx.buffer.push(np.ones(1 << 16, np.complex64))
    for step in range(200):
        tx.take(1 << 15, step << 15)
    assert len(loopback._queue) <= (1 << 20) // (1 << 15) + 2


def test_signal_strength_is_that_of_the_input(ports):
    _, rx, *_ = ports
    assert rx.rssi_db() == 127.75
    sine = 204.7 * np.exp(2j * np.pi * np.arange(1000) / 10)  # -20 dBFS
    rx.put(np.rint(sine.astype(np.complex64).view(np.float32)).astype(np.int16), 0)
    assert rx.rssi_db() == 40.0  # and 20 dB of gain before it
