# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's IQ file: what a segment holds is what was put in."""

import numpy as np

from semcom_blocks.bench import recording
from semcom_blocks.bench.recording import CFO_TURNS, SNR_DB, Segment


def test_segments_follow_each_other(tmp_path):
    path = tmp_path / "iq.cf32"
    ones = np.ones(5000, np.complex64)
    first = recording.append(path, "a", "short", ones, 1, 384)
    second = recording.append(path, "b", "medium", 7 * ones[:300], 2, 2048)
    assert (first.first, first.count) == (0, 5000)
    assert (second.first, second.count) == (5000, 300)
    assert path.stat().st_size == 8 * 5300
    assert Segment(**second.to_dict()) == second


def test_every_waveform_gets_unit_power_the_same_noise_and_cfo(tmp_path):
    path = tmp_path / "iq.cf32"
    for scale in (0.01, 30.0):
        clean = np.full(50_000, scale, np.complex64)
        segment = recording.append(path, "a", "short", clean, 3, 384)
        samples = segment.read(path)
        level = samples * np.exp(-2j * np.pi * CFO_TURNS * np.arange(len(samples)))
        assert abs(level.mean() - 1) < 1e-3
        assert 10 * np.log10(np.var(level)) + SNR_DB < 0.1


def test_noise_is_white_and_of_unit_power(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "NOISE_SAMPLES", 100_000)
    segment = recording.append_noise(tmp_path / "iq.cf32")
    samples = segment.read(tmp_path / "iq.cf32")
    assert segment.frames == 0
    assert abs(np.mean(np.abs(samples) ** 2) - 1) < 0.02
    assert abs(np.vdot(samples[:-1], samples[1:])) / len(samples) < 0.02


def test_a_foreign_programs_frames_are_adopted(tmp_path):
    source = np.arange(1, 100, dtype=np.complex64)
    source.tofile(tmp_path / "their.cf32")
    names = "liquid", "short", 4
    segment = recording.adopt(tmp_path / "iq.cf32", *names, tmp_path / "their.cf32")
    assert (segment.count, segment.frames, segment.payload_symbols) == (99, 4, 384)
