# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples that a radio lost: the frame across the gap is dropped, the next ones are found."""

import numpy as np
import pytest

from semcom_blocks.phy.sync import FrameSync


def stream(link, n_frames, analog=1500):
    sent = [link.frame(analog=analog, seq=seq) for seq in range(n_frames)]
    return np.concatenate([frame.samples for frame in sent] + [np.zeros(20000, np.complex64)]), sent


def seqs(captures):
    return [capture.header.seq for capture in captures]


@pytest.mark.parametrize("chunk", [1000, 8192, 10**6])
@pytest.mark.parametrize("lost", [1, 700, 3000])
def test_only_the_frame_across_the_gap_is_lost(link, chunk, lost):
    samples, sent = stream(link, 4)
    size = len(sent[0].samples)
    at = size + size // 2
    samples = np.delete(samples, slice(at, at + lost))
    samples = samples + link.normal(len(samples), 0.01)
    sync = FrameSync(link.numerology)
    found = []
    for start in range(0, len(samples), chunk):
        gaps = [at - start] if start <= at < start + chunk else []
        found += sync.push(samples[start : start + chunk], gaps)
    found += sync.flush()
    # A loss that reaches into the next frame's preamble may cost that one too, no more.
    reaches = at + lost > 2 * size
    assert seqs(found) == ([0, 3] if reaches else [0, 2, 3])
    assert sync.counters.gapped == 1


def test_a_gap_between_frames_costs_nothing(link):
    samples, sent = stream(link, 3)
    sync = FrameSync(link.numerology)
    found = sync.push(samples, [len(sent[0].samples), 2 * len(sent[0].samples)])
    assert seqs(found + sync.flush()) == [0, 1, 2]
    assert sync.counters.gapped == 0


def test_a_pending_frame_is_given_up_as_soon_as_the_gap_is_known(link):
    samples, _ = stream(link, 1, analog=8000)
    sync = FrameSync(link.numerology)
    assert sync.push(samples[:9000]) == []
    assert sync.push(np.zeros(100, np.complex64), [0]) == []
    assert sync.counters.gapped == 1
