# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame synchroniser on streams: every frame once, whatever the stream is cut into."""

import numpy as np
import pytest

from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology
from semcom_blocks.phy.preamble import long_start
from semcom_blocks.phy.sync import FrameSync, iterate

#: 3-tap Rayleigh of the design page; its power is held in each realisation.
THREE_TAPS = (0.6, 0.3, 0.1)
SIZES = [(0, 0), (48, 0), (0, 20), (96, 30), (700, 0), (2000, 200)]


def burst(link, n_frames):
    """Frames of various lengths without a sample between them."""
    sizes = link.rng.integers(0, len(SIZES), n_frames)
    return [link.frame(seq, *SIZES[size]) for seq, size in enumerate(sizes)]


def identical(first, second):
    return np.array_equal(first.samples, second.samples) and (
        first.start_sample,
        first.header,
        first.cfo_hz,
        first.power_dbfs,
    ) == (second.start_sample, second.header, second.cfo_hz, second.power_dbfs)


def check_cuts(link, n_frames, cut_sizes, **channel):
    stream = link.send(np.concatenate([f.samples for f in burst(link, n_frames)]), **channel)
    whole = link.find(stream)
    assert [capture.header.seq for capture in whole] == list(range(n_frames))
    for largest in cut_sizes:
        sync = FrameSync(link.numerology)
        pieces = list(iterate(sync, link.cuts(stream, largest)))
        assert len(pieces) == n_frames
        assert all(map(identical, whole, pieces))
        assert sync.counters.samples == len(stream)


@pytest.mark.parametrize(
    "channel",
    [
        {},
        {"snr_db": 30.0, "cfo_hz": 5e3},
        {"snr_db": 8.0, "cfo_hz": -110e3, "sro_ppm": 20.0},
        {"snr_db": 15.0, "model": "multipath", "hold_power": True},
    ],
)
def test_frames_in_a_row_are_the_same_for_every_cut(link, channel):
    check_cuts(link, 60, (100, 8192), **channel)


@pytest.mark.slow
def test_ten_thousand_frames_in_a_row_are_the_same_for_every_cut(make_link):
    for seed in range(10):
        check_cuts(make_link(seed), 1000, (8192,), snr_db=20.0, cfo_hz=40e3)


def test_one_sample_at_a_time(link):
    check_cuts(link, 8, (1,), snr_db=20.0)


@pytest.mark.parametrize("before", [0, 1, 15, 1000, 4096, 10_007])
@pytest.mark.parametrize("gap", [0, 1, 500])
def test_no_noise_and_silence_before_and_between(link, before, gap):
    """Where nothing precedes a frame the metric is undefined (lost in gnuradio issue 6891)."""
    frames = burst(link, 6)
    silence = np.zeros(gap, np.complex64)
    stream = np.concatenate([x for f in frames for x in (f.samples, silence)])
    found = link.find(link.send(stream, before=before, after=0))
    assert [capture.header.seq for capture in found] == list(range(6))
    at = before
    for sent, capture in zip(frames, found, strict=True):
        window = at + long_start(link.numerology) - backoff(link.numerology)
        assert capture.start_sample == window
        assert capture.header == sent.layout.header
        at += len(sent.samples) + gap


def detected(link, n_frames, snr_db, profile):
    """Share of frames found, of n_frames with fading, CFO and gaps of their own; none twice."""
    pieces = []
    for seq in range(n_frames):
        taps = link.rayleigh(profile) * np.exp(2j * np.pi * link.rng.random())
        before, cfo_hz = int(link.rng.integers(100, 1500)), link.rng.uniform(-125e3, 125e3)
        sent = link.frame(seq % 0x10000, analog=48)
        pieces.append(link.send(sent.samples, before, 50, taps, snr_db=snr_db, cfo_hz=cfo_hz))
    found = [capture.header.seq for capture in link.find(np.concatenate(pieces))]
    assert len(found) == len(set(found))
    assert found == sorted(found)
    return len(found) / n_frames


@pytest.mark.parametrize("profile", [(1.0,), THREE_TAPS])
def test_detection_at_0_and_3_db(make_link, profile):
    assert detected(make_link(1), 500, 0.0, profile) >= 0.99
    assert detected(make_link(2), 1000, 3.0, profile) >= 0.999


@pytest.mark.slow
@pytest.mark.parametrize("profile", [(1.0,), THREE_TAPS])
def test_detection_in_a_large_sample(make_link, profile):
    assert detected(make_link(3), 10_000, 0.0, profile) >= 0.99
    assert detected(make_link(4), 20_000, 3.0, profile) >= 0.999


def test_cfo_up_to_8_carriers_is_read_to_1_percent_of_the_spacing(link):
    spacing_hz, errors = link.numerology.spacing_hz, []
    for carriers in np.linspace(-8, 8, 81):
        cfo_hz = carriers * spacing_hz
        sent = link.frame(analog=100)
        capture = link.find_one(link.send(sent.samples, snr_db=10, cfo_hz=cfo_hz))
        errors.append(capture.cfo_hz - cfo_hz)
    assert np.sqrt(np.mean(np.square(errors))) < 0.01 * spacing_hz


@pytest.mark.parametrize("level_db", [-80, -40, 0, 40])
def test_any_level(link, level_db):
    sent = link.frame(analog=500)
    scale = np.float32(10 ** (level_db / 20))
    capture = link.find_one(link.send(sent.samples, snr_db=10) * scale)
    assert capture.header == sent.layout.header
    signal_and_noise_db = 10 * np.log10(1 + link.numerology.symbol_energy / 10)
    assert capture.power_dbfs == pytest.approx(level_db + signal_and_noise_db, abs=0.5)


@pytest.mark.parametrize("step_db", [-40, 40])
def test_neighbours_of_very_different_level(link, step_db):
    frames = [link.frame(seq, analog=500) for seq in range(2)]
    scale = np.float32(10 ** (step_db / 20))
    stream = np.concatenate([frames[0].samples, frames[1].samples * scale])
    found = link.find(link.send(stream, snr_db=60))
    assert [capture.header.seq for capture in found] == [0, 1]


@pytest.mark.parametrize("keep", [300, 1000, 1500, 1600, 2000, 4000, 6000])
@pytest.mark.parametrize("gap", [0, 700])
def test_a_broken_off_frame_does_not_take_the_next_ones_with_it(link, keep, gap):
    broken = link.frame(0, analog=8000).samples[:keep]
    good = [link.frame(seq, analog=500) for seq in (1, 2)]
    silence = np.zeros(gap, np.complex64)
    stream = np.concatenate([broken, silence, good[0].samples, good[1].samples])
    sync = FrameSync(link.numerology)
    found = link.find(link.send(stream, snr_db=15), sync)
    assert [capture.header.seq for capture in found if capture.header.seq] == [1, 2]
    assert sync.counters.frames == len(found) == 2
    # A header that arrived whole (much of it is enough) claims samples that never came.
    assert sync.counters.truncated == 1 or keep < 1520


def test_a_frame_broken_off_near_its_end_and_the_next_one(link):
    first, second = link.frame(0, analog=2000), link.frame(1, analog=500)
    for missing in (1, 80, 400, 1500):
        stream = np.concatenate([first.samples[:-missing], second.samples])
        found = link.find(link.send(stream, snr_db=20))
        assert found[-1].header == second.layout.header


def test_a_frame_whose_end_never_comes_is_not_delivered(link):
    sync = FrameSync(link.numerology)
    assert sync.push(link.frame(analog=5000).samples[:4000]) == []
    assert sync.counters.frames == 0


def test_a_damaged_header_is_counted_and_the_next_frame_found(link):
    first, second = link.frame(0, analog=500), link.frame(1, analog=500)
    damaged = first.samples.copy()
    damaged[320:1520] = link.normal(1200)
    sync = FrameSync(link.numerology)
    found = link.find(link.send(np.concatenate([damaged, second.samples]), snr_db=20), sync)
    assert [capture.header.seq for capture in found] == [1]
    assert sync.counters.headers_bad >= 1
    assert sync.counters.confirmed > sync.counters.frames


def test_memory_stays_bounded(link):
    sync, n = FrameSync(link.numerology), 8192
    noise = link.normal(n)
    held = [len(sync.push(noise)) + sync.held_samples for _ in range(1250)]
    assert sync.counters.samples > 10_000_000
    assert max(held) < 4 * n


def test_memory_while_the_longest_frame_comes_in(link):
    sent = link.frame(analog=0xFFFF)
    stream = link.send(sent.samples, snr_db=20)
    sync, held, found = FrameSync(link.numerology), 0, []
    for piece in link.cuts(stream, 8192):
        found += sync.push(piece)
        held = max(held, sync.held_samples)
    found += sync.flush()
    assert len(found) == 1
    assert held < MAX_FRAME_SAMPLES + 4 * 8192


def test_pushed_samples_may_be_reused_by_the_caller(link):
    """A radio's buffer is overwritten as soon as push returns."""
    sent = link.frame(analog=1000)
    stream, buffer = link.send(sent.samples), np.empty(1000, np.complex64)
    sync, found = FrameSync(link.numerology), []
    for at in range(0, len(stream), 1000):
        piece = stream[at : at + 1000]
        buffer[: len(piece)] = piece
        found += sync.push(buffer[: len(piece)])
        buffer[:] = np.nan
    found += sync.flush()
    assert np.array_equal(found[0].samples, link.find_one(stream).samples)


@pytest.mark.parametrize("num", [Numerology(128, 32, 104, 8), Numerology(256, 16, 240, 16)])
def test_other_numerologies(make_link, num):
    check_cuts(make_link(5, num), 12, (3000,), snr_db=15.0, cfo_hz=2.2 * num.spacing_hz)


def test_frames_of_another_numerology_are_left_alone(link, make_link):
    foreign = make_link(6, Numerology(128, 32, 104, 8)).frame(analog=2000).samples
    own = link.frame(3, analog=500)
    found = link.find(link.send(np.concatenate([foreign, own.samples]), snr_db=20))
    assert [capture.header.seq for capture in found] == [3]
