# SPDX-License-Identifier: GPL-3.0-or-later
"""Burst Reporter: jobs are over when the radio says so, and what it complains of is counted."""

import numpy as np
import pmt

from semcom_blocks.gr import burst_reporter
from semcom_blocks.gr.burst_reporter import BurstReporter
from tests.semcom_blocks.gr.bench import Bench, Chunks, Recorder, no_pdus, post, until

N = 10_000
TAGS = [(999, "tx_eob", True), (5000, "job_end", 4), (5500, "tx_eob", True)]


def event(*names):
    """A message of gr-uhd's port async_msgs."""
    codes = pmt.PMT_NIL
    for name in names:
        codes = pmt.list_add(codes, pmt.intern(name))
    body = pmt.dict_add(pmt.make_dict(), pmt.intern("event_code"), codes)
    return pmt.cons(pmt.intern("uhd_async_msg"), body)


def bench_of():
    bench = Bench()
    bench.block, bench.stream = BurstReporter(), Recorder()
    samples = np.arange(N).astype(np.complex64)
    bench.chain(Chunks(samples, tags=TAGS), bench.block, bench.stream)
    bench.statuses = bench.collect(bench.block, "status").pdus
    return bench


def test_a_job_is_over_with_the_burst_that_holds_its_end():
    bench = bench_of()
    with bench:
        until(lambda: bench.stream.count == N)
        post(bench.block, "async_msgs", event("burst_ack"))
        until(lambda: bench.block.bursts_acked == 1)
        assert not bench.statuses
        post(bench.block, "async_msgs", event("burst_ack"))
        until(lambda: bench.statuses)
    assert bench.statuses[0][0] == {"job_id": 4, "job_end": True}
    assert bench.block.bursts_sent == 2


def test_an_acknowledgement_that_never_comes_is_waited_for_in_bounded_time(monkeypatch):
    bench = bench_of()
    with bench:
        until(lambda: bench.stream.count == N)
        assert not bench.statuses
        monkeypatch.setattr(burst_reporter, "ACK_WAIT_S", 0.0)
        until(lambda: bench.statuses)
    assert len(bench.statuses) == 1


def test_complaints_are_counted_by_kind_and_nonsense_is_not():
    bench = bench_of()
    with bench:
        for message in no_pdus():
            post(bench.block, "async_msgs", message)
        for names in (["underflow"], ["underflow_in_packet"], ["time_error"], ["seq_error"]):
            post(bench.block, "async_msgs", event(*names))
        post(bench.block, "async_msgs", event("underflow", "burst_ack"))
        until(lambda: bench.block.bursts_acked == 1)
    assert bench.block.counters == {"underflows": 3, "late": 1, "sequence_errors": 1}
