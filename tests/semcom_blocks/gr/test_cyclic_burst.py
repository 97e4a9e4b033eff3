# SPDX-License-Identifier: GPL-3.0-or-later
"""Cyclic Burst: one job, once in a buffer of its length, or over and over."""

import numpy as np

from semcom_blocks.gr.cyclic_burst import CyclicBurst
from tests.semcom_blocks.gr.bench import Bench, Chunks, Recorder, until

JOB = 7000


def bench_of(block, n=JOB, end=JOB):
    bench, stream = Bench(), Recorder()
    samples = np.arange(1, n + 1).astype(np.complex64)
    bench.chain(Chunks(samples, tags=[(end - 1, "job_end", 9)]), block, stream)
    bench.stream, bench.statuses = stream, bench.collect(block, "status").pdus
    return bench, samples[: end - 1]


def test_a_buffer_holds_the_job_and_silence_and_is_given_once():
    bench, job = bench_of(CyclicBurst(20_000), n=JOB + 500)
    with bench:
        until(lambda: bench.stream.count == 20_000 and bench.statuses)
    np.testing.assert_array_equal(bench.stream.samples[: len(job)], job)
    assert not np.any(bench.stream.samples[len(job) :])
    assert bench.statuses[0][0] == {"job_id": 9, "job_end": True}


def test_without_a_length_the_job_never_ends():
    bench, job = bench_of(CyclicBurst())
    with bench:
        until(lambda: bench.stream.count > 4 * JOB)
        until(lambda: bench.statuses)
    found = bench.stream.samples[: 4 * len(job)]
    np.testing.assert_array_equal(found, np.tile(job, 4))
    assert bench.stream.at("tx_sob") == [0]
    assert len(bench.statuses) == 1


def test_a_job_longer_than_the_buffer_is_an_error_and_nothing_is_sent():
    block = CyclicBurst(JOB // 2)
    bench, _ = bench_of(block)
    with bench:
        until(lambda: block.failed is not None)
    assert f"permitted: {JOB // 2} samples" in str(block.failed)
    assert bench.stream.count == 0
