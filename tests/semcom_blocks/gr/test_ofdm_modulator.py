# SPDX-License-Identifier: GPL-3.0-or-later
"""OFDM Modulator: bursts, tags and the order of frames."""

import numpy as np
import pytest

from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.ofdm_modulator import JOB_END_MARGIN, OfdmModulator
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.modulator import modulate
from tests.semcom_blocks.gr.bench import Bench, Recorder, send, until
from tests.semcom_blocks.gr.waveform import NUM

GAP = 1000


def grid(seq, job_id=1, end=False):
    rng = np.random.default_rng(seq)
    n = 0 if end else 500
    header = FrameHeader(job_id, seq, analog_symbols=n, end=end)
    symbols = (rng.standard_normal((n, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)
    return header, build_grid(FrameLayout(NUM, header), b"", symbols)


def post_grid(block, seq, end=False, job_end=False, urgent=False, job_id=1):
    """Hand in a grid; returns the samples that it must become."""
    header, cells = grid(seq, job_id, end)
    meta = {"header": header.to_bytes(), "urgent": urgent, "job_end": job_end}
    send(block, "grid", meta, cells.reshape(-1))
    return modulate(cells, NUM)


@pytest.fixture
def bench():
    bench = Bench()
    bench.block, bench.stream = OfdmModulator(gap_samples=GAP), Recorder()
    bench.chain(bench.block, bench.stream)
    bench.statuses = bench.collect(bench.block, "status").pdus
    return bench


def test_a_job_is_one_burst_whose_tags_stand_where_they_say(bench):
    frames = [post_grid(bench.block, seq) for seq in (10, 11)]
    frames.append(post_grid(bench.block, 12, end=True, job_end=True, job_id=300))
    length = 2 * GAP + sum(map(len, frames)) + JOB_END_MARGIN
    with bench:
        until(lambda: bench.stream.count == length)
    silence = [np.zeros(n, np.complex64) for n in (GAP, GAP + JOB_END_MARGIN)]
    expected = np.concatenate([silence[0], *frames, silence[1]])
    assert np.array_equal(bench.stream.samples, expected)
    starts = GAP + np.cumsum([0, *map(len, frames)])
    headers = {at: value for at, name, value in bench.stream.tags if name == "header"}
    assert [FrameHeader.from_bytes(bytes(headers[at])).seq for at in sorted(headers)] == [
        10,
        11,
        12,
    ]
    assert sorted(t for t in bench.stream.tags if t[1] != "header") == sorted(
        [
            (0, "tx_sob", True),
            *((int(at), "frame", seq) for at, seq in zip(starts, (10, 11, 12), strict=False)),
            *(
                (int(at), "frame_len", len(frame))
                for at, frame in zip(starts, frames, strict=False)
            ),
            (length - JOB_END_MARGIN, "job_end", 300),
            (length - 1, "tx_eob", True),
        ]
    )


def test_a_pause_within_a_job_ends_the_burst_and_begins_another(bench):
    with bench:
        first = post_grid(bench.block, 0)
        until(lambda: bench.stream.count == 2 * GAP + len(first))
        assert bench.stream.at("tx_eob") == [2 * GAP + len(first) - 1]
        second = post_grid(bench.block, 1)
        until(lambda: bench.stream.count == 4 * GAP + len(first) + len(second))
    assert bench.stream.at("tx_sob") == [0, 2 * GAP + len(first)]
    assert len(bench.stream.at("tx_eob")) == 2
    assert bench.stream.at("job_end") == []


def test_urgent_frames_overtake_and_keep_their_own_order(bench):
    for seq in range(6):
        post_grid(bench.block, seq, urgent=seq in (2, 4, 5))
    with bench:
        until(lambda: len(bench.stream.at("frame")) == 6)
    assert [value for _, name, value in bench.stream.tags if name == "frame"] == [2, 4, 5, 0, 1, 3]


def test_every_frame_is_reported_with_its_level(bench):
    bench.block.set_level(0.25, 4.0)
    post_grid(bench.block, 1)
    post_grid(bench.block, 2, end=True)
    with bench:
        until(lambda: len(bench.statuses) == 2)
    (payload, _), (closing, _) = bench.statuses
    assert (payload["end"], closing["end"]) == (False, True)
    assert payload["job_id"] == 1
    assert payload["power"] == pytest.approx(0.25, rel=0.05)
    assert payload["papr_db"] < 5.0
    assert payload["frame_samples"] == FrameLayout(NUM, grid(1)[0]).n_samples


@pytest.mark.parametrize("gap", [0, -1, 10**7, float("nan")])
def test_a_gap_that_cannot_hold_its_tags_is_refused(gap):
    with pytest.raises(ConfigError, match="gap_samples"):
        OfdmModulator(gap_samples=gap)


@pytest.mark.parametrize(("power", "limit"), [(0.0, None), (1.0, 1.0), (float("nan"), None)])
def test_a_level_out_of_range_is_refused(power, limit):
    with pytest.raises(ConfigError, match="permitted"):
        OfdmModulator(power=power, papr_limit_db=limit)
