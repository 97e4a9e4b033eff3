# SPDX-License-Identifier: GPL-3.0-or-later
"""Error of a radio's sample rate against that of a reference, in ppm: two ways.

From two tones: their spacing D is true at the reference; a receiver that samples faster by e
counts D / (1 + e).

From a drifting delay: a waveform of the reference that repeats arrives later and later in
samples of a receiver that is fast.  With delays d_i (samples) at times t_i (samples),
d = d_0 + e t to first order.

A positive error is a radio that samples faster than it says.
"""

from __future__ import annotations

import numpy as np

from calibration.delay import measure
from calibration.frequency import PairFound

#: Blocks of whole periods whose delays make the drift.
BLOCKS_MIN = 3


def from_pair(pair: PairFound) -> float:
    """Error in ppm from the spacing of two tones."""
    sent = pair.sent_hz[1] - pair.sent_hz[0]
    received = pair.received_hz[1] - pair.received_hz[0]
    return (sent / received - 1) * 1e6


def from_delays(times: np.ndarray, delays: np.ndarray, period: float) -> float:
    """Error in ppm from delays (m,) known modulo ``period``, at ``times`` (m,), in samples."""
    turns = 2 * np.pi / period
    unwrapped = np.unwrap(np.asarray(delays) * turns) / turns
    centred = np.asarray(times) - np.mean(times)
    return float(centred @ unwrapped) / float(centred @ centred) * 1e6


def from_drift(samples: np.ndarray, waveform: np.ndarray, offset: float = 0.0) -> float:
    """Error in ppm from a record of a repeated ``waveform``, whole periods used.

    ``offset`` is the carrier's in cycles per sample: a correlation over a period survives only
    a small part of 1 / period.
    """
    period = len(waveform)
    samples = samples * np.exp(-2j * np.pi * offset * np.arange(len(samples)))
    blocks = len(samples) // period
    if blocks < BLOCKS_MIN:
        raise ValueError(f"record has {blocks} periods, permitted: {BLOCKS_MIN} or more")
    rows = np.asarray(samples[: blocks * period]).reshape(blocks, period)
    delays = np.array([measure(waveform, row).samples for row in rows])
    return from_delays(np.arange(blocks) * float(period), delays, float(period))
