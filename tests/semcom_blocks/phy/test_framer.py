# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets and streams into frames: everything once, in order, and the end said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.framer import END_REPEATS, Framer


def stream(n, seed=0):
    parts = np.random.default_rng(seed).standard_normal((2, n))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


@given(
    st.lists(st.integers(0, 3000), max_size=3),
    st.lists(st.binary(min_size=1, max_size=100), max_size=5),
    st.integers(1, 1000),
)
def test_everything_goes_out_once_and_at_its_offset(lengths, packets, analog_per_frame):
    framer = Framer(analog_per_frame)
    streams = [stream(n, seed) for seed, n in enumerate(lengths)]
    for stream_id, symbols in enumerate(streams):
        framer.add_analog(5, stream_id, symbols)
    for packet in packets:
        framer.add_packet(5, packet)
    frames = list(framer.frames())
    assert [frame.digital for frame in frames if frame.digital] == packets
    put_together = [np.full(n, np.nan, np.complex64) for n in lengths]
    for frame in frames:
        header = frame.header
        assert (header.digital_bytes, header.analog_symbols) == (
            len(frame.digital),
            len(frame.analog),
        )
        assert header.analog_symbols <= analog_per_frame
        if header.analog_symbols:
            at = slice(header.analog_offset, header.analog_offset + header.analog_symbols)
            assert np.all(np.isnan(put_together[header.stream_id][at].real))
            put_together[header.stream_id][at] = frame.analog
    for got, sent in zip(put_together, streams, strict=True):
        assert np.array_equal(got, sent)
    assert [frame.header.seq for frame in frames] == list(range(len(frames)))
    assert framer.frames_of(5) == len(frames)
    assert list(framer.frames()) == []


@given(st.integers(1, 100_000), st.integers(1, 32_768))
def test_frames_of_a_stream_are_as_few_and_as_even_as_can_be(n, analog_per_frame):
    framer = Framer(analog_per_frame)
    framer.add_analog(1, 0, np.zeros(n, np.complex64))
    sizes = [len(frame.analog) for frame in framer.frames()]
    assert len(sizes) == -(-n // analog_per_frame)
    assert max(sizes) - min(sizes) <= 1


def test_packets_share_frames_with_symbols_of_their_own_job_only():
    framer = Framer(100)
    framer.add_analog(2, 0, stream(150))
    framer.add_packet(1, b"other job")
    framer.add_packet(2, b"same job")
    frames = list(framer.frames())
    assert [(f.header.job_id, f.digital, len(f.analog)) for f in frames] == [
        (1, b"other job", 0),
        (2, b"same job", 75),
        (2, b"", 75),
    ]


def test_the_end_carries_the_number_of_frames_and_closes_the_job():
    framer = Framer(100)
    framer.add_analog(3, 0, stream(450))
    list(framer.frames())
    ends = list(framer.end(3))
    assert len(ends) == END_REPEATS
    for frame in ends:
        assert frame.header.end
        assert (frame.header.job_id, frame.header.analog_offset) == (3, 5)
        assert (frame.digital, len(frame.analog)) == (b"", 0)
    assert len({frame.header.seq for frame in ends}) == END_REPEATS
    assert framer.frames_of(3) == 0


def test_sequence_number_wraps():
    framer = Framer()
    framer.add_packet(1, b"x")
    first = next(iter(framer.frames())).header.seq
    for _ in range(0xFFFF):
        framer.add_packet(1, b"x")
        last = next(iter(framer.frames())).header.seq
    framer.add_packet(1, b"x")
    assert (first, last, next(iter(framer.frames())).header.seq) == (0, 0xFFFF, 0)


@pytest.mark.parametrize("size", [0, -1, 32_769, float("nan")])
def test_impossible_frame_sizes_are_refused(size):
    with pytest.raises(ConfigError, match="analog_per_frame"):
        Framer(size)


def test_what_is_queued_of_a_job_ends_with_it():
    framer = Framer()
    for job_id in (1, 2):
        framer.add_packet(job_id, b"packet")
        framer.add_analog(job_id, 0, stream(10))
    assert [frame.header.analog_offset for frame in framer.end(1)] == [0] * END_REPEATS
    assert {frame.header.job_id for frame in framer.frames()} == {2}


@pytest.mark.parametrize(
    ("job_id", "stream_id", "n"), [(-1, 0, 1), (65_536, 0, 1), (0, 256, 1), (0, 0, (1 << 24) + 1)]
)
def test_streams_that_no_header_can_describe_are_refused(job_id, stream_id, n):
    framer = Framer()
    with pytest.raises(ConfigError):
        framer.add_analog(job_id, stream_id, np.zeros(n, np.complex64))
    assert list(framer.frames()) == []


@pytest.mark.parametrize(("job_id", "size"), [(-1, 1), (65_536, 1), (0, 1025)])
def test_packets_that_no_header_can_describe_are_refused(job_id, size):
    framer = Framer()
    with pytest.raises(ConfigError):
        framer.add_packet(job_id, bytes(size))
    assert list(framer.frames()) == []
