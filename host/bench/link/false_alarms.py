# SPDX-License-Identifier: GPL-3.0-or-later
"""False alarms: what the synchroniser makes of signals that hold no frame.

Beside the frames themselves, of which none should be seen in any affordable time, the two
stages before them are counted: candidates of the autocorrelation, and long fields
confirmed by the matched filter.  A confirmed one becomes a frame only if a CRC-16 over
noise matches (2⁻¹⁶), so the rate of confirmations bounds that of frames far below one over
the samples searched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from host.bench.link import air
from host.bench.link.intervals import events
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.sync import FrameSync

#: Samples of one block; signals change their parameters from block to block.
BLOCK = 1 << 18
#: Share of random headers that pass a CRC-16.
CRC_PASSES = 2.0**-16
#: Power of DC over the noise.
DC_POWER_DB = 10.0
#: Amplitude of an impulse in units of the noise deviation, and samples between two on average.
IMPULSE, IMPULSE_DISTANCE = 1e3, 600
CHUNK = 8


def _tone(numerology: Numerology, rng: np.random.Generator) -> np.ndarray:
    """A tone of unit power anywhere in the band."""
    turns = rng.uniform(-0.5, 0.5) * np.arange(BLOCK) + rng.random()
    return np.exp(2j * np.pi * (turns - np.rint(turns))).astype(np.complex64)


def _noise(numerology: Numerology, rng: np.random.Generator) -> np.ndarray:
    return air.gaussian(rng, BLOCK)


def _tone_in_noise(numerology: Numerology, rng: np.random.Generator) -> np.ndarray:
    """Levels from −10 to 20 dB over the noise: neither may open the way for the other."""
    scale = np.float32(10 ** (rng.uniform(-10, 20) / 20))
    return _noise(numerology, rng) + scale * _tone(numerology, rng)


def _dc(numerology: Numerology, rng: np.random.Generator) -> np.ndarray:
    return _noise(numerology, rng) + np.float32(10 ** (DC_POWER_DB / 20))


def _impulses(numerology: Numerology, rng: np.random.Generator) -> np.ndarray:
    signal = np.zeros(BLOCK, np.complex64)
    at = rng.integers(0, BLOCK, BLOCK // IMPULSE_DISTANCE)
    signal[at] = IMPULSE * np.exp(2j * np.pi * rng.random(len(at)))
    return signal


def _impulses_in_noise(numerology: Numerology, rng: np.random.Generator) -> np.ndarray:
    return _impulses(numerology, rng) + _noise(numerology, rng)


def _zeros(numerology: Numerology, rng: np.random.Generator) -> np.ndarray:
    return np.zeros(BLOCK, np.complex64)


SIGNALS: dict[str, Callable[[Numerology, np.random.Generator], np.ndarray]] = {
    "noise": _noise,
    "tone": _tone,
    "tone-in-noise": _tone_in_noise,
    "dc-10-db": _dc,
    "impulses": _impulses,
    "impulses-in-noise": _impulses_in_noise,
    "zeros": _zeros,
}


def measure(
    numerology: Numerology, rng: np.random.Generator, n_frames: int, signal: str = "noise"
) -> dict[str, np.ndarray]:
    """Search ``n_frames`` blocks of :data:`BLOCK` samples; counts, int (1,) each."""
    sync, frames = FrameSync(numerology), 0
    for _ in range(n_frames):
        frames += len(sync.push(SIGNALS[signal](numerology, rng)))
    frames += len(sync.flush())
    counters = sync.counters
    counts = {
        "samples": counters.samples,
        "candidates": counters.candidates,
        "confirmed": counters.confirmed,
        "frames": frames,
    }
    return {name: np.array([count]) for name, count in counts.items()}


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """Counts, and rates per 10⁸ samples with Poisson's interval."""
    total = {name: int(counts.sum()) for name, counts in raw.items()}
    exposure = total["samples"] / 1e8
    confirmed = events(total["confirmed"], exposure)
    return {
        **total,
        **events(total["frames"], exposure).keys("frames_per_1e8"),
        **confirmed.keys("confirmed_per_1e8"),
        "frames_per_1e8_bound": confirmed.high * CRC_PASSES,
    }
