# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals that hold no frame must not yield one, and must not keep the next one out."""

import numpy as np
import pytest

from semcom_blocks.phy.preamble import long_symbol, preamble_samples, short_len
from semcom_blocks.phy.receiver import receive
from semcom_blocks.phy.sync import FrameSync

N = 60_000


def tone(freq_hz, n=N):
    return np.exp(2j * np.pi * np.mod(freq_hz / 1e6 * np.arange(n), 1)).astype(np.complex64)


def frames(link, n_frames=10):
    return np.concatenate([link.send(link.frame(seq, 500, 30).samples) for seq in range(n_frames)])


def impulses(link):
    signal = np.zeros(N, np.complex64)
    signal[link.rng.integers(0, N, 100)] = 1e3
    return signal


def chirp(_):
    return np.exp(1j * np.pi * np.arange(N) ** 2 / N).astype(np.complex64)


def unframed_ofdm(link):
    """Payload symbols without their preamble, as heard by a receiver switched on late."""
    return link.frame(analog=0xF000).samples[2000 : 2000 + N]


SIGNALS = {
    "zeros": lambda link: np.zeros(N, np.complex64),
    "constant": lambda link: np.full(N, 1 + 1j, np.complex64),
    "impulses": impulses,
    "impulses in noise": lambda link: impulses(link) + link.normal(N),
    "an impulse every short period": lambda link: np.tile(np.eye(1, 16)[0], N // 16),
    "a random wave of the short period": lambda link: np.tile(link.normal(16), N // 16),
    "square wave of the short period": lambda link: np.tile(np.repeat([1, -1], 8), N // 16),
    "chirp": chirp,
    "hard-limited noise": lambda link: np.sign(link.normal(N).real) + 1j * np.sign(link.normal(N)),
    "clipped noise": lambda link: link.normal(N).real.clip(-0.1, 0.1) * (1 + 1j),
    "noise at -150 dB": lambda link: link.normal(N, 1e-15),
    "noise at +100 dB": lambda link: link.normal(N, 1e10),
    "short fields": lambda link: np.tile(
        preamble_samples(link.numerology)[: short_len(link.numerology)], 300
    ),
    "long symbols": lambda link: np.tile(long_symbol(link.numerology), N // 64),
    "preambles without headers": lambda link: np.tile(preamble_samples(link.numerology), 40),
    "payload without a preamble": unframed_ofdm,
    "I and Q swapped": lambda link: 1j * frames(link).conj(),
    "one branch dead": lambda link: link.normal(N).real + 0j,
    "time reversed": lambda link: frames(link)[::-1],
}


@pytest.mark.parametrize("name", SIGNALS)
def test_no_frame_in(link, name):
    assert link.find(SIGNALS[name](link).astype(np.complex64)) == []


@pytest.mark.parametrize("noise_power", [0.0, 0.1])
@pytest.mark.parametrize(
    "freq_hz", [0.0, 1.0, 977.0, 15_625.0, 20e3, 62_500.0, -125e3, 300e3, 499e3]
)
def test_no_frame_in_a_tone(link, freq_hz, noise_power):
    assert link.find(tone(freq_hz, 20_000) + link.normal(20_000, noise_power)) == []


def test_no_frame_in_noise_over_dc_10_db_stronger(link):
    assert link.find(link.normal(N) + np.float32(np.sqrt(10))) == []


def in_noise(link, n_samples):
    sync, block = FrameSync(link.numerology), 1_000_000
    for _ in range(n_samples // block):
        assert sync.push(link.normal(block)) == []
    assert sync.counters.samples == n_samples
    return sync.counters


def test_no_frame_in_ten_million_noise_samples(make_link):
    counters = in_noise(make_link(1), 10_000_000)
    # Ten candidates in 10^6 samples: looking at them must not cost more than finding them.
    assert counters.candidates < 150


@pytest.mark.slow
def test_no_frame_in_a_hundred_million_noise_samples(make_link):
    counters = in_noise(make_link(2), 100_000_000)
    assert counters.confirmed <= 20


@pytest.mark.parametrize("name", SIGNALS)
def test_a_frame_behind_is_found(link, name):
    """Whatever came before is forgotten at once."""
    sent = link.frame(77, analog=500)
    before = SIGNALS[name](link).astype(np.complex64)[:20_000]
    level = np.float32(np.sqrt(np.mean(np.abs(before) ** 2)) or 1)
    scale = np.clip(level, 1e-5, 1e5)
    stream = np.concatenate([before, link.send(sent.samples, before=0, snr_db=20) * scale])
    assert [capture.header.seq for capture in link.find(stream)] == [77]


@pytest.mark.parametrize("dc_offset_db", [-20.0, -10.0, 0.0, 10.0, 20.0])
@pytest.mark.parametrize("cfo_hz", [0.0, 5e3, -62_500.0])
def test_a_frame_beside_dc_is_found_and_read(link, dc_offset_db, cfo_hz):
    """The CFO moves the frame, so the receiver's DC falls on a carrier or between two."""
    sent = link.frame(5, analog=2000)
    stream = link.send(sent.samples, snr_db=20, cfo_hz=cfo_hz, dc_offset_db=dc_offset_db)
    payload = receive(link.find_one(stream), link.numerology).payload
    error = np.mean(np.abs(payload.analog - sent.analog) ** 2)
    # Weak DC cannot be told from payload: it costs the carrier that it falls on.
    assert 10 * np.log10(error) < (-19.5 if dc_offset_db > -20 else -16.5)


@pytest.mark.parametrize("before", [0, 3000, 20_000])
def test_frames_in_a_row_beside_dc(link, before):
    frames = [link.frame(seq, analog=400) for seq in range(5)]
    samples = np.concatenate([sent.samples for sent in frames])
    stream = link.send(samples, before, snr_db=15, cfo_hz=31_250.0, dc_offset_db=10.0)
    assert [capture.header.seq for capture in link.find(stream)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("level_db", [-20.0, -10.0])
@pytest.mark.parametrize("freq_hz", [100e3, 103e3, -450e3])
def test_a_frame_beside_a_tone_is_found(link, freq_hz, level_db):
    sent = link.frame(6, analog=500)
    stream = link.send(sent.samples, snr_db=20)
    stream = stream + tone(freq_hz, len(stream)) * np.float32(10 ** (level_db / 20))
    assert [capture.header.seq for capture in link.find(stream)] == [6]


def test_a_clipped_and_coarsely_quantised_frame_is_found(link):
    sent = link.frame(8, analog=500)
    for bits, full_scale in ((4, 4.0), (2, 1.0), (8, 0.5)):
        stream = link.send(sent.samples, snr_db=15, adc_bits=bits, adc_full_scale=full_scale)
        assert [capture.header.seq for capture in link.find(stream)] == [8]
