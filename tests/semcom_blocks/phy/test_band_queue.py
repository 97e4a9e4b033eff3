# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of a job with bands: everything once, as few frames as can be, packets share them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.bands import Band, BandTable
from semcom_blocks.phy.framer import END_REPEATS, Framer
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology

NUM = Numerology()
TABLE = BandTable((Band(None, 12, 0.3, 2), Band(1, 24, 0.6, 6), Band(5, 10, 0.1, 2)))


def stream(n, seed=0):
    parts = np.random.default_rng(seed).standard_normal((2, n))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def framer(lengths=(1000, 400), packets=(), analog_per_frame=480):
    made = Framer(analog_per_frame)
    made.open_bands(5, TABLE)
    for stream_id, n in zip(TABLE.stream_ids, lengths, strict=True):
        if n:
            made.add_analog(5, stream_id, stream(n, stream_id))
    for packet in packets:
        made.add_packet(5, packet)
    return made


def rows(frame):
    return FrameLayout(NUM, frame.header).bands.n_rows


def put_together(frames, lengths):
    found = {n: np.full(k, np.nan, np.complex64) for n, k in zip((1, 5), lengths, strict=True)}
    for frame in frames:
        at = 0
        for chunk in frame.header.chunks:
            place = slice(chunk.offset, chunk.offset + chunk.symbols)
            assert np.all(np.isnan(found[chunk.stream_id][place].real))
            found[chunk.stream_id][place] = frame.analog[at : at + chunk.symbols]
            at += chunk.symbols
        assert at == len(frame.analog) == frame.header.n_analog
    return found


@given(
    st.tuples(st.integers(0, 5000), st.integers(0, 3000)),
    st.lists(st.binary(min_size=1, max_size=256), max_size=6),
    st.integers(1, 4000),
)
@settings(max_examples=40)
def test_everything_goes_out_once_and_at_its_offset(lengths, packets, analog_per_frame):
    made = framer(lengths, packets, analog_per_frame)
    frames = list(made.frames())
    assert [frame.digital for frame in frames if frame.digital] == packets
    for stream_id, got in put_together(frames, lengths).items():
        assert np.array_equal(got, stream(len(got), stream_id))
    assert [frame.header.seq for frame in frames] == list(range(len(frames)))
    assert all(frame.header.bands == TABLE for frame in frames)
    assert made.frames_of(5) == len(frames)
    most = -(-analog_per_frame // NUM.n_data)
    needed = max(-(-lengths[0] // 24), -(-lengths[1] // 10))
    # Packets that need more rows than asked for take more of the streams along.
    assert len(packets) <= len(frames) <= max(len(packets), -(-needed // most))
    for frame in frames:
        layout = FrameLayout(NUM, frame.header)
        alone = -(-layout.n_digital // 12)
        assert layout.bands.n_rows <= max(most, alone)
        assert build_grid(layout, frame.digital, frame.analog).shape[0] == layout.n_symbols


def test_streams_are_spread_over_the_frames_that_packets_need_anyway():
    """Three packets of 11 rows each, and 60 rows of the longest stream."""
    frames = list(framer((24 * 60, 50), [bytes(15)] * 3, 10_000).frames())
    assert [bool(frame.digital) for frame in frames] == [True] * 3
    assert [rows(frame) for frame in frames] == [20, 20, 20]
    # A packet's rows are the least: what the streams need less is padded.
    frames = list(framer((30, 10), [bytes(250)] * 3, 10_000).frames())
    assert len({rows(frame) for frame in frames}) == 1
    assert len(frames) == 3


def test_a_packet_that_comes_late_shares_a_frame_with_what_is_left():
    made = framer((24 * 40, 0), [b"first"])
    assert (made.frames_of(5), made.has_bands(5)) == (4, True)
    first = made.next_frame()
    second = made.next_frame()
    made.add_packet(5, b"again")
    third = made.next_frame()
    assert [frame.digital for frame in (first, second, third)] == [b"first", b"", b"again"]
    assert [frame.header.n_analog > 0 for frame in (first, second, third)] == [True] * 3
    rest = list(made.frames())
    assert len(rest) == 1 and made.frames_of(5) == 4
    made.add_packet(5, b"alone")
    (alone,) = made.frames()
    assert alone.header.bands == TABLE and alone.header.chunks == ()


def test_streams_wait_for_the_first_packet_of_their_job():
    made = framer()
    assert made.next_job() is None and not made.is_pending(5)
    made.add_packet(5, b"x")
    assert made.next_job() == 5 and made.is_pending(5)
    while made.next_job() is not None:
        made.next_frame()
    assert not made.is_pending(5)


def test_packets_go_before_the_streams_of_other_jobs_and_in_their_order():
    made = framer((2000, 100), [b"one"])
    made.add_analog(6, 0, stream(900))
    made.add_packet(6, b"two")
    made.add_packet(5, b"three")
    frames = list(made.frames())
    assert [frame.digital for frame in frames if frame.digital] == [b"one", b"two", b"three"]
    assert [frame.header.job_id for frame in frames[:4]] == [5, 6, 5, 6]
    assert [frame.header.bands is None for frame in frames[:4]] == [False, True, False, True]
    assert {frame.header.job_id for frame in frames[4:]} == {5}


def test_the_end_of_a_refused_job_drops_its_streams():
    made = framer()
    ends = list(made.end(5))
    assert len(ends) == END_REPEATS
    assert all(f.header.end and f.header.bands is None for f in ends)
    assert [f.header.analog_offset for f in ends] == [0] * END_REPEATS
    assert list(made.frames()) == [] and not made.has_bands(5)


def test_a_stream_without_a_band_is_refused():
    made = framer()
    with pytest.raises(ConfigError, match="stream 2 has no band, permitted: 1, 5"):
        made.add_analog(5, 2, stream(5))
    with pytest.raises(ConfigError, match="49 carriers"):
        made.open_bands(6, BandTable((Band(None, 49, 1.0, 2),)))


def test_no_frame_is_longer_than_a_frame_may_be():
    """Twelve data carriers: 32,768 symbols a frame would take 2,731 rows."""
    num = Numerology(n_used=16)
    made = Framer(32_768, numerology=num)
    made.open_bands(1, BandTable((Band(None, 3, 0.5, 2), Band(0, 9, 0.5, 4))))
    made.add_analog(1, 0, stream(40_000))
    made.add_packet(1, bytes(256))
    frames = list(made.frames())
    assert sum(frame.header.n_analog for frame in frames) == 40_000
    assert max(FrameLayout(num, f.header).n_samples for f in frames) <= MAX_FRAME_SAMPLES
