# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaps in what a radio received: where they are tagged, and that the frame across is dropped."""

import numpy as np
import pmt
import pytest

from semcom_blocks.gr.base import GAP_KEY
from semcom_blocks.gr.gaps import BUFFER_KEY, BufferGaps, TimeGaps
from tests.semcom_blocks.gr.bench import Bench, Chunks, Recorder, until

BUFFER = 1024
N = 20 * BUFFER
RATE_HZ = 1e6


def samples(n=N):
    return np.arange(n).astype(np.complex64)


class Stamps(Chunks):
    """As gr-uhd: ``rx_time`` tags (offset, device time in samples)."""

    def __init__(self, n, stamps, rate_hz=RATE_HZ):
        super().__init__(samples(n))
        self._stamps, self._rate_hz = stamps, rate_hz

    def work(self, input_items, output_items):
        at = self._at
        n = super().work(input_items, output_items)
        for offset, ticks in self._stamps:
            if at <= offset < at + n:
                whole, part = divmod(ticks, self._rate_hz)
                value = pmt.make_tuple(
                    pmt.from_uint64(int(whole)), pmt.from_double(part / self._rate_hz)
                )
                self.add_item_tag(0, offset, pmt.intern("rx_time"), value)
        return n


def run(source, block, n=N):
    bench, stream = Bench(), Recorder()
    bench.chain(source, block, stream)
    with bench:
        until(lambda: stream.count == n)
    np.testing.assert_array_equal(stream.samples, samples(n))
    return stream


def test_time_that_runs_on_evenly_is_no_gap():
    block = TimeGaps(RATE_HZ)
    stream = run(Stamps(N, [(k * 3000, 7_000_123 + k * 3000) for k in range(6)]), block)
    assert stream.at(GAP_KEY) == []
    assert (block.overflows, block.lost_samples) == (0, 0)


@pytest.mark.parametrize("lost", [1, 5000, 3_000_000])
def test_time_that_runs_ahead_is_a_gap_where_it_does(lost):
    block = TimeGaps(RATE_HZ)
    stream = run(Stamps(N, [(0, 99), (7000, 99 + 7000 + lost), (9000, 99 + 9000 + lost)]), block)
    assert stream.at(GAP_KEY) == [7000]
    assert (block.overflows, block.lost_samples) == (1, lost)


def test_time_that_is_set_anew_is_a_gap_without_loss():
    block = TimeGaps(RATE_HZ)
    stream = run(Stamps(N, [(0, 5_000_000), (4000, 0)]), block)
    assert stream.at(GAP_KEY) == [4000]
    assert (block.overflows, block.lost_samples) == (1, 0)


def test_rounding_of_a_rate_that_no_clock_divides_adds_up_to_nothing():
    rate_hz = 1e6 / 3 * 1.00002
    block = TimeGaps(rate_hz)
    stamps = [(k * 1000, 10 * 3600 * rate_hz + k * 1000) for k in range(20)]
    stream = run(Stamps(N, stamps, rate_hz), block)
    assert stream.at(GAP_KEY) == []


def test_a_reported_overflow_lies_at_one_of_the_next_buffers():
    block = BufferGaps(3)
    block.report()
    tags = [(k * BUFFER, BUFFER_KEY, BUFFER) for k in range(20)]
    stream = run(Chunks(samples(), tags=tags), block)
    assert sorted(set(stream.at(GAP_KEY))) == [0, BUFFER, 2 * BUFFER]


def test_without_a_report_nothing_is_tagged():
    tags = [(k * BUFFER, BUFFER_KEY, BUFFER) for k in range(20)]
    assert run(Chunks(samples(), tags=tags), BufferGaps(3)).at(GAP_KEY) == []
