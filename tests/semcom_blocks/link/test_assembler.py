# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs put together again: what lacks is an erasure, what lies is bounded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.errors import ConfigError
from semcom_blocks.link.assembler import (
    END_GRACE_S,
    MAX_CLOSED_JOBS,
    MAX_JOB_CHUNKS,
    MAX_JOB_SYMBOLS,
    MAX_OPEN_JOBS,
    JobAssembler,
)
from semcom_blocks.link.message import MAX_STREAMS

IDLE_S = 3.0


@pytest.fixture
def assembler():
    return JobAssembler(IDLE_S)


def values(n, first=0):
    """Symbols that tell their place, and their variances."""
    at = np.arange(first, first + n)
    return (at + 1).astype(np.complex64), (0.01 * (at + 1)).astype(np.float32)


def chunk(assembler, offset, n, job_id=1, stream_id=2, now_s=0.0):
    return assembler.on_analog(job_id, stream_id, offset, *values(n, offset), now_s)


def message(assembler, job_id=1, now_s=0.0, **lengths):
    """A message whose streams s2, s3 … have the lengths given."""
    streams = tuple((int(name[1:]), {"n": n}) for name, n in lengths.items())
    return assembler.on_message(job_id, "a cat", streams, now_s)


def end(assembler, job_id=1, frames=0, now_s=0.0):
    return assembler.on_end(job_id, frames, now_s)


def frame(assembler, job_id=1, seq=0, now_s=0.0):
    return assembler.on_frame(job_id, seq, now_s)


class TestWhole:
    def test_a_job_closes_with_its_end(self, assembler):
        for seq in range(3):
            assert frame(assembler, seq=seq) == []
            assert chunk(assembler, 100 * seq, 100) == []
        assert message(assembler, s2=300) == []
        (job,) = end(assembler, frames=3)
        (stream,) = job.streams
        assert (job.job_id, job.prompt) == (1, "a cat")
        assert (job.frames_received, job.frames_expected) == (3, 3)
        assert (stream.stream_id, stream.descriptor, stream.received) == (2, {"n": 300}, 300)
        symbols, noise_var = values(300)
        assert np.array_equal(stream.symbols, symbols)
        assert np.array_equal(stream.noise_var, noise_var)
        assert stream.symbols.dtype == np.complex64
        assert stream.noise_var.dtype == np.float32
        assert assembler.poll(100.0) == []

    def test_a_prompt_alone_is_a_job(self, assembler):
        message(assembler)
        (job,) = end(assembler, frames=1)
        assert (job.prompt, job.streams, job.frames_received) == ("a cat", (), 0)

    def test_a_frame_counts_once(self, assembler):
        for seq in (5, 5, 6, 5):
            frame(assembler, seq=seq)
        message(assembler)
        (job,) = end(assembler, frames=2)
        assert (job.frames_received, job.frames_expected) == (2, 2)


class TestMissing:
    def test_what_did_not_come_is_an_erasure(self, assembler):
        chunk(assembler, 100, 50)
        chunk(assembler, 200, 25)
        message(assembler, s2=300, s3=10)
        (job,) = end(assembler)
        first, second = job.streams
        there = np.r_[100:150, 200:225]
        lacks = np.setdiff1d(np.arange(300), there)
        assert np.array_equal(first.symbols[there], values(300)[0][there])
        assert np.all(first.symbols[lacks] == 0)
        assert np.all(np.isposinf(first.noise_var[lacks]))
        assert first.received == 75
        assert (second.received, len(second.symbols)) == (0, 10)
        assert np.all(np.isposinf(second.noise_var))

    def test_without_a_message_the_stream_is_as_long_as_what_came(self, assembler):
        chunk(assembler, 50, 10)
        end(assembler, frames=7)
        (job,) = assembler.poll(END_GRACE_S * 1.01)
        (stream,) = job.streams
        assert (job.prompt, job.frames_expected) == (None, 7)
        assert (len(stream.symbols), stream.received, stream.descriptor) == (60, 10, {})

    def test_streams_that_the_message_does_not_name_are_left_out(self, assembler):
        chunk(assembler, 0, 10, stream_id=9)
        message(assembler, s2=5)
        (job,) = end(assembler)
        assert [stream.stream_id for stream in job.streams] == [2]


class TestEnd:
    def test_the_message_may_come_a_moment_after_the_end(self, assembler):
        chunk(assembler, 0, 10)
        assert end(assembler, now_s=1.0) == []
        assert assembler.poll(1.0 + 0.9 * END_GRACE_S) == []
        (job,) = message(assembler, now_s=1.0 + 0.9 * END_GRACE_S, s2=10)
        assert (job.prompt, job.streams[0].received) == ("a cat", 10)

    def test_repeated_ends_change_nothing(self, assembler):
        chunk(assembler, 0, 10)
        message(assembler, s2=10)
        assert len(end(assembler, now_s=1.0)) == 1
        assert end(assembler, now_s=1.1) == end(assembler, now_s=1.2) == []
        assert assembler.poll(50.0) == []

    def test_repeated_ends_do_not_extend_the_grace(self, assembler):
        for now_s in (0.0, 0.2, 0.4):
            end(assembler, frames=4, now_s=now_s)
        assert assembler.poll(END_GRACE_S) == []
        (job,) = assembler.poll(END_GRACE_S + 0.01)
        assert (job.prompt, job.frames_received, job.frames_expected) == (None, 0, 4)

    def test_a_message_that_comes_too_late_opens_nothing(self, assembler):
        end(assembler)
        assert len(assembler.poll(1.0)) == 1
        assert message(assembler, now_s=1.1) == []
        assert assembler.poll(100.0) == []

    def test_silence_closes(self, assembler):
        message(assembler, s2=10)
        chunk(assembler, 0, 5, now_s=1.0)
        assert assembler.poll(1.0 + IDLE_S) == []
        (job,) = assembler.poll(1.01 + IDLE_S)
        assert (job.prompt, job.frames_expected, job.streams[0].received) == ("a cat", None, 5)

    def test_the_end_of_a_recording_closes_everything_in_order(self, assembler):
        for job_id in (3, 1, 2):
            frame(assembler, job_id)
        assert [job.job_id for job in assembler.close_all()] == [3, 1, 2]
        assert assembler.close_all() == []


class TestAgain:
    """The same number once more."""

    def close(self, assembler, now_s=0.0):
        message(assembler, now_s=now_s, s2=10)
        (job,) = end(assembler, now_s=now_s)
        return job

    @pytest.mark.parametrize("first", ["frame", "message"])
    def test_a_new_job_may_follow_at_once(self, assembler, first):
        self.close(assembler)
        end(assembler, now_s=0.1)
        steps = [
            lambda: chunk(assembler, 0, 4, now_s=0.2),
            lambda: message(assembler, now_s=0.2, s2=4),
        ]
        for step in steps if first == "frame" else steps[::-1]:
            assert step() == []
        (job,) = end(assembler, now_s=0.3)
        assert (job.prompt, job.streams[0].received) == ("a cat", 4)

    def test_nothing_of_the_job_before_is_left(self, assembler):
        chunk(assembler, 0, 10)
        frame(assembler, seq=3)
        self.close(assembler)
        chunk(assembler, 0, 2, now_s=0.2)
        message(assembler, now_s=0.2, s2=10)
        (job,) = end(assembler, now_s=0.3)
        assert (job.frames_received, job.streams[0].received) == (0, 2)

    def test_what_comes_after_silence_opens_the_job_anew(self, assembler):
        """The message of an interrupted job must not be lost with it."""
        chunk(assembler, 0, 10)
        assert len(assembler.poll(10.0)) == 1
        message(assembler, now_s=10.1, s2=10)
        (job,) = end(assembler, now_s=10.2)
        assert job.prompt == "a cat"

    def test_the_rest_of_a_job_that_made_room_is_ignored(self, assembler):
        for job_id in range(MAX_OPEN_JOBS):
            frame(assembler, job_id)
        (evicted,) = frame(assembler, 100)
        assert evicted.job_id == 0
        for now_s in (1.0, 2.0, 4.9):
            assert frame(assembler, 0, now_s=now_s) == []
            assert chunk(assembler, 0, 5, job_id=0, now_s=now_s) == []
        assert message(assembler, 0, now_s=5.0) == []
        assert end(assembler, 0, now_s=5.0) == []
        assert 0 not in [job.job_id for job in assembler.close_all()]

    def test_the_memory_of_closed_jobs_is_bounded(self, assembler):
        for job_id in range(3 * MAX_CLOSED_JOBS):
            end(assembler, job_id, now_s=0.0)
            message(assembler, job_id, now_s=0.0)
        assert len(assembler._closed) == MAX_CLOSED_JOBS
        assert assembler._jobs == {}


class TestLies:
    @pytest.mark.parametrize(
        "claim", [1 << 62, MAX_JOB_SYMBOLS + 1, -1, 1e9, 10.0, "10", None, True, [10], {}]
    )
    def test_a_length_that_cannot_be_is_not_believed(self, assembler, claim):
        chunk(assembler, 5, 10)
        assembler.on_message(1, "a cat", ((2, {"n": claim}),), 0.0)
        (job,) = end(assembler)
        assert len(job.streams[0].symbols) == 15
        assert job.streams[0].received == 10

    def test_a_length_shorter_than_what_came_cuts(self, assembler):
        chunk(assembler, 0, 10)
        chunk(assembler, 10, 10)
        message(assembler, s2=7)
        (job,) = end(assembler)
        assert np.array_equal(job.streams[0].symbols, values(7)[0])
        assert job.streams[0].received == 7

    def test_lengths_of_all_streams_together_are_bounded(self, assembler):
        most = MAX_JOB_SYMBOLS
        streams = tuple((stream_id, {"n": most}) for stream_id in range(MAX_STREAMS))
        assembler.on_message(1, "greedy", streams, 0.0)
        (job,) = end(assembler)
        assert sum(len(stream.symbols) for stream in job.streams) == most

    def test_streams_without_a_message_are_bounded(self, assembler):
        for stream_id in range(256):
            chunk(assembler, 0, 2, stream_id=stream_id)
        end(assembler)
        (job,) = assembler.poll(1.0)
        assert len(job.streams) == MAX_STREAMS

    def test_an_offset_beyond_all_is_dropped(self, assembler):
        chunk(assembler, MAX_JOB_SYMBOLS - 5, 10)
        chunk(assembler, (1 << 24) - 1, 1)
        assert assembler.dropped == 2
        message(assembler, s2=10)
        (job,) = end(assembler)
        assert job.streams[0].received == 0

    def test_overlapping_chunks_cannot_fill_the_memory(self, assembler):
        """A repeater with ever new offsets: what is held stays within the job's bound."""
        part = (np.ones(50_000, np.complex64), np.ones(50_000, np.float32))
        for offset in range(1000):
            assembler.on_analog(1, offset % 256, offset, *part, 0.0)
        job = assembler._jobs[1]
        held = sum(len(symbols) for symbols, _ in job.chunks.values())
        assert held == job.n_symbols <= MAX_JOB_SYMBOLS
        assert assembler.dropped == 1000 - len(job.chunks) > 0

    def test_tiny_chunks_cannot_fill_the_memory(self, assembler):
        one = values(1)
        for offset in range(MAX_JOB_CHUNKS + 10):
            assembler.on_analog(1, 2, offset, *one, 0.0)
        assert assembler.dropped == 10
        # One that is there may be sent again.
        assembler.on_analog(1, 2, 0, *one, 0.0)
        assert assembler.dropped == 10

    def test_the_same_chunk_again_replaces_and_is_counted_once(self, assembler):
        for _ in range(3):
            chunk(assembler, 0, 1000)
        assert assembler._jobs[1].n_symbols == 1000
        assembler.on_analog(1, 2, 0, *values(10), 0.0)
        assert assembler._jobs[1].n_symbols == 10

    def test_another_message_for_an_open_job_replaces_the_first(self, assembler):
        assembler.on_message(1, "first", ((2, {"n": 4}),), 0.0)
        assembler.on_message(1, "second", ((3, {"n": 5}),), 0.0)
        (job,) = end(assembler)
        assert job.prompt == "second"
        assert [(s.stream_id, len(s.symbols)) for s in job.streams] == [(3, 5)]

    @pytest.mark.parametrize(
        ("symbols", "noise_var"), [((10,), (9,)), ((10,), (10, 1)), ((2, 5), (2, 5)), ((), ())]
    )
    def test_symbols_and_variances_of_different_lengths_are_refused(
        self, assembler, symbols, noise_var
    ):
        with pytest.raises(ConfigError, match="permitted"):
            assembler.on_analog(
                1, 2, 0, np.ones(symbols, np.complex64), np.ones(noise_var, np.float32), 0.0
            )
        assert assembler.close_all() == []

    def test_jobs_that_are_open_are_bounded_and_the_oldest_goes_first(self, assembler):
        closed = [job for job_id in range(100) for job in frame(assembler, job_id)]
        assert [job.job_id for job in closed] == list(range(100 - MAX_OPEN_JOBS))
        assert len(assembler._jobs) == MAX_OPEN_JOBS


ACTS = st.one_of(
    st.tuples(st.just("frame"), st.integers(0, 3), st.integers(0, 5)),
    st.tuples(st.just("analog"), st.integers(0, 3), st.integers(0, 40), st.integers(0, 20)),
    st.tuples(st.just("message"), st.integers(0, 3), st.integers(0, 60)),
    st.tuples(st.just("end"), st.integers(0, 3), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.floats(0.0, 5.0)),
)


@given(st.lists(ACTS, max_size=60))
def test_whatever_comes_in_whatever_order(acts):
    """No exception; erasures are marked and nothing else is; a message comes out at most once."""
    assembler, now_s, out, told = JobAssembler(IDLE_S), 0.0, [], 0
    for act, *given_values in acts:
        if act == "wait":
            now_s += given_values[0]
            out += assembler.poll(now_s)
        elif act == "frame":
            out += assembler.on_frame(*given_values, now_s)
        elif act == "analog":
            job_id, offset, n = given_values
            out += chunk(assembler, offset, n, job_id=job_id, now_s=now_s)
        elif act == "message":
            told += 1
            job_id, n = given_values
            out += assembler.on_message(job_id, f"{told}", ((2, {"n": n}),), now_s)
        else:
            out += assembler.on_end(*given_values, now_s)
    out += assembler.close_all()
    prompts = [job.prompt for job in out if job.prompt is not None]
    assert len(prompts) == len(set(prompts))
    for job in out:
        for stream in job.streams:
            there = np.isfinite(stream.noise_var)
            assert stream.received == np.count_nonzero(there)
            assert np.all(stream.symbols[~there] == 0)
            assert np.array_equal(stream.symbols[there], values(len(there))[0][there])
