# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.air.pluto.buffers import ReceiveBuffer, TransmitBuffer

BOTH = (0, 1)


def ramp(n, start=0):
    return np.arange(2 * start, 2 * (start + n), dtype=np.int16)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=20), st.integers(1, 100))
def test_received_samples_come_out_as_they_went_in(pieces, n):
    buffer = ReceiveBuffer(100, 4, BOTH)
    total = 0
    for piece in pieces:
        buffer.put(ramp(piece, total))
        total += piece
    out = []
    while buffer.filled >= n:
        out += buffer.take(n)
    got = np.concatenate(out) if out else np.empty(0, np.int16)
    assert np.array_equal(got, ramp(total // n * n))
    assert buffer.filled == total % n


@pytest.mark.parametrize("branch", [0, 1])
def test_one_branch_alone(branch):
    buffer = ReceiveBuffer(10, 4, (branch,))
    buffer.put(ramp(6))
    assert buffer.frame_bytes == 2
    got = np.concatenate(buffer.take(5))
    assert got.tolist() == [branch + 2 * i for i in range(5)]


def test_never_full_before_one_buffer_is_complete():
    buffer = ReceiveBuffer(1000, 1, BOTH)
    buffer.put(ramp(900))
    assert not buffer.full(4096)  # else the reader of 1000 would wait for ever
    buffer.put(ramp(4096))
    assert buffer.full(1)


def test_transmitted_samples_have_twelve_bits():
    raw = np.array([32767, -32768, 16, 15, -1, 0], "<i2")
    samples = TransmitBuffer(3, 4, BOTH, False).convert(raw)
    expected = np.array([2047 - 2048j, 1, -1]) / 2048
    assert np.array_equal(samples, expected.astype(np.complex64))
    assert not samples.flags.writeable


@pytest.mark.parametrize("branch", [0, 1])
def test_the_other_branch_is_silent(branch):
    samples = TransmitBuffer(2, 4, (branch,), False).convert(np.array([16384, -16384], "<i2"))
    assert np.array_equal((samples.real, samples.imag)[branch], [0.5, -0.5])
    assert not np.any((samples.imag, samples.real)[branch])


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=12),
    st.lists(st.integers(1, 300), min_size=1, max_size=12),
)
def test_queue_is_sent_in_order_and_then_runs_dry(pushed, taken):
    buffer = TransmitBuffer(200, len(pushed), BOTH, False)
    whole = np.arange(sum(pushed), dtype=np.complex64)
    for piece in np.split(whole, np.cumsum(pushed)[:-1]):
        assert buffer.room()
        buffer.push(piece)
    assert not buffer.room()
    sent = []
    for n in taken:
        if not buffer.running:
            break
        assert buffer.hungry(n) == (buffer.filled < n)
        sent.append(buffer.take(n))
        assert len(sent[-1]) == n or not buffer.running
    got = np.concatenate(sent)
    assert np.array_equal(got, whole[: min(len(whole), sum(taken))])


def test_cyclic_buffer_repeats_for_ever():
    buffer = TransmitBuffer(5, 4, BOTH, True)
    buffer.push(np.arange(5, dtype=np.complex64))
    got = np.concatenate([buffer.take(n) for n in (3, 4, 13, 5)])
    assert np.array_equal(got, np.arange(25) % 5)
    assert not buffer.hungry(10**9) and buffer.room() and buffer.running
