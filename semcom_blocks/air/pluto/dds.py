# SPDX-License-Identifier: GPL-3.0-or-later
"""The transmit core's tone generators: two for I and two for Q.

A generator steps a 16-bit phase φ by ``increment`` each sample:

    x[n] = scale · sin(2π (φ0 + n · increment) / 2^16)

I is the sum of its two, as is Q, each saturated at full scale.  A single tone at +f has
I at phase 90° and Q at 0°.

Source: Analog Devices, AXI_AD9361 core, registers DDS_SCALE and DDS_INIT_INCR.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

import numpy as np

PHASES = 1 << 16
FULL_TURN_MDEG = 360_000
MAX_SCALE = 1.999999
#: Names of the generators, in the order of their channels.
TONES = ("TX1_I_F1", "TX1_I_F2", "TX1_Q_F1", "TX1_Q_F2")
#: 14 bits behind the binary point.
SCALE_STEP = 2.0**-14

_SINE = np.sin(2 * np.pi * np.arange(PHASES) / PHASES).astype(np.float32)


@dataclass
class Tone:
    """``phase`` of 2^16; ``raw`` is the switch."""

    increment: int = 0
    phase: int = 0
    scale: float = 0.0
    raw: bool = True

    def audible(self) -> bool:
        return self.raw and self.scale > 0

    def set_frequency(self, frequency_hz: float, rate_hz: float) -> None:
        """The step nearest below, always odd as in the core; up to half the sample rate."""
        if not 0 <= frequency_hz <= rate_hz / 2:
            raise OSError(errno.EINVAL, f"{frequency_hz:g} Hz is outside 0 to {rate_hz / 2:g}")
        self.increment = int(frequency_hz * (PHASES - 1) / rate_hz) | 1

    def frequency_hz(self, rate_hz: float) -> float:
        """What it really comes out as."""
        return self.increment * rate_hz / PHASES

    def samples(self, at: int, n: int) -> np.ndarray:
        """float32 (n,), from the sample counter ``at`` on."""
        start = (self.phase + self.increment * at) % PHASES
        steps = np.arange(n, dtype=np.uint32) * np.uint32(self.increment) + np.uint32(start)
        return _SINE[steps & (PHASES - 1)] * np.float32(self.scale)


class ToneBank:
    """All four of them."""

    def __init__(self) -> None:
        self.tones = [Tone() for _ in TONES]

    def audible(self) -> bool:
        return any(tone.audible() for tone in self.tones)

    def samples(self, at: int, n: int) -> np.ndarray:
        """complex64 (n,), |I| and |Q| ≤ 1."""
        branches = np.zeros((n, 2), np.float32)
        for index, tone in enumerate(self.tones):
            if tone.audible():
                branches[:, index // 2] += tone.samples(at, n)
        np.clip(branches, -1, 1, out=branches)
        return branches.view(np.complex64)[:, 0]
