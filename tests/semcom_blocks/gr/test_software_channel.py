# SPDX-License-Identifier: GPL-3.0-or-later
"""Software Channel: nothing stays behind, and the cut of the stream leaves no trace."""

import itertools

import numpy as np
import pytest

from semcom_blocks.channel import ChannelConfig, SoftwareChannel
from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.software_channel import SoftwareChannelBlock
from tests.semcom_blocks.gr.bench import Bench, Chunks, Recorder, until

HARD = {
    "model": "multipath",
    "snr_db": 10.0,
    "cfo_hz": 1234.0,
    "sro_ppm": 100.0,
    "phase_noise_hz": 10.0,
    "seed": 9,
}


def normal(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(2 * n, dtype=np.float32).view(np.complex64)


def run(samples, expected, config, sizes=None, tags=(), most=None):
    """Stream and tags behind the channel once ``expected`` samples are there."""
    bench, channel, recorder = Bench(), SoftwareChannelBlock(config), Recorder()
    if most is not None:
        channel.set_max_noutput_items(most)
    statuses = bench.collect(channel, "status")
    bench.chain(Chunks(samples, sizes, tags), channel, recorder)
    with bench:
        until(lambda: recorder.count >= expected)
        if any(name == "job_end" for _, name, _ in tags):
            until(lambda: statuses.pdus)
    return recorder, statuses.pdus


@pytest.mark.parametrize("most", [None, 64, 1000, 5000])
@pytest.mark.parametrize("sizes", [None, (1, 5000, 17, 4096, 2)])
def test_what_goes_in_comes_out_although_nothing_follows(most, sizes):
    samples = normal(50_000)
    turns = itertools.cycle(sizes) if sizes else None
    recorder, _ = run(samples, len(samples), {"model": "awgn"}, turns, most=most)
    assert np.array_equal(recorder.samples, samples)


@pytest.mark.parametrize("sizes", [(8192,), (1000,), (1, 2, 3, 5000), (999, 1, 1)])
def test_the_cut_makes_no_difference(sizes):
    """Fading tags fall on the first sample of a call, amid it, and two within one."""
    samples, fades = normal(20_000), [0, 1000, 1001, 2000, 7777, 15_000]
    tags = [(at, "frame", number) for number, at in enumerate(fades)]
    plain = SoftwareChannel(ChannelConfig.from_dict(HARD))
    expected = []
    for start, stop in zip(fades, [*fades[1:], len(samples)], strict=True):
        plain.start_block()
        expected.append(plain.process(samples[start:stop]))
    expected = np.concatenate(expected)
    recorder, _ = run(samples, len(expected), HARD, itertools.cycle(sizes), tags)
    assert np.array_equal(recorder.samples, expected)


def test_tags_move_with_the_samples():
    samples = normal(100_000)
    tags = [(0, "tx_sob", True), (50_000, "frame", 3), (99_000, "job_end", 5)]
    recorder, statuses = run(samples, 100_000, {"sro_ppm": 200.0}, tags=tags)
    assert [(name, value) for _, name, value in recorder.tags] == [tag[1:] for tag in tags]
    for (found, _, _), (offset, _, _) in zip(recorder.tags, tags, strict=True):
        # The resampler delays by 16 samples at most, within which a tag may be early.
        assert found == pytest.approx(offset * (1 + 200e-6), abs=20)
    assert [meta for meta, _ in statuses] == [{"job_id": 5, "job_end": True}]


def test_settings_change_while_samples_flow():
    bench, channel, recorder = Bench(), SoftwareChannelBlock({"seed": 1}), Recorder()
    bench.chain(Chunks(np.ones(400_000, np.complex64), itertools.repeat(500)), channel, recorder)
    with bench:
        until(lambda: recorder.count > 1000)
        channel.set_config({"seed": 1, "snr_db": 0.0})
        until(lambda: recorder.count == 400_000)
    noisy = recorder.samples != 1
    first = int(np.argmax(noisy))
    assert 0 < first < len(noisy)
    assert np.mean(noisy[first:]) > 0.99


@pytest.mark.parametrize(
    ("config", "fade_on", "text"),
    [
        ({"snr": 3}, "frame", "'snr'"),
        ({"snr_db": float("nan")}, "frame", "snr_db is nan"),
        ({"model": "sea"}, "frame", "'sea'"),
        ({}, "", "fade_on"),
    ],
)
def test_bad_settings_have_a_name(config, fade_on, text):
    with pytest.raises(ConfigError, match=text):
        SoftwareChannelBlock(config, fade_on)
