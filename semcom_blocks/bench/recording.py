# SPDX-License-Identifier: GPL-3.0-or-later
"""The one IQ file that every receiver is timed on: noise, and each waveform's own frames.

All segments have unit power, the same noise and the same CFO.  A receiver reads its own
segments only; what is compared is how fast it gets through frames of equal payload.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semcom_blocks.phy.framer import DEFAULT_ANALOG_PER_FRAME
from semcom_blocks.phy.phasor import unit_phasor

#: Noise below the signal's mean power: no uncoded QPSK symbol goes wrong in any segment.
SNR_DB = 30.0
#: Carrier offset, in turns per sample: 6 % of the spacing, so that nobody may skip its correction.
CFO_TURNS = 1e-3
#: Samples of a segment of frames, at least.
SEGMENT_SAMPLES = 1_000_000
#: Samples of the segment of noise.
NOISE_SAMPLES = 4_000_000
#: Payload of a frame in QPSK symbols, uncoded: 96 bytes are a packet of GNU Radio's own OFDM
#: examples, 512 about the most that its receiver's default buffers take.
PAYLOADS = {
    "short": 384,
    "medium": 2048,
    "default": DEFAULT_ANALOG_PER_FRAME,
    "long": 32768,
}


@dataclass(frozen=True)
class Segment:
    """Samples ``first`` … ``first + count`` of the file hold ``frames`` frames of a waveform."""

    waveform: str
    name: str
    first: int
    count: int
    frames: int
    payload_symbols: int

    def read(self, path: Path) -> np.ndarray:
        """The segment's samples, complex64 (count,)."""
        return np.fromfile(path, np.complex64, self.count, offset=8 * self.first)

    def to_dict(self) -> dict[str, Any]:
        """As a plain mapping."""
        return asdict(self)


def append(
    path: Path, waveform: str, name: str, samples: np.ndarray, frames: int, payload_symbols: int
) -> Segment:
    """Bring clean samples, complex64 (n,), to unit power, add CFO and noise, append them."""
    rng = np.random.default_rng([len(waveform), payload_symbols, frames])
    first = path.stat().st_size // 8 if path.exists() else 0
    power = float(np.mean(samples.real**2 + samples.imag**2)) if frames else 1.0
    turned = samples * unit_phasor(2 * np.pi * CFO_TURNS * np.arange(len(samples)))
    turned *= np.float32(1 / np.sqrt(power))
    noise_var = 10 ** (-SNR_DB / 10) if frames else 1.0
    noise = rng.standard_normal(2 * len(samples), dtype=np.float32).view(np.complex64)
    turned += noise * np.float32(np.sqrt(noise_var / 2))
    with path.open("ab") as file:
        turned.tofile(file)
    return Segment(waveform, name, first, len(samples), frames, payload_symbols)


def append_noise(path: Path) -> Segment:
    """Append white noise of unit power."""
    return append(path, "noise", "noise", np.zeros(NOISE_SAMPLES, np.complex64), 0, 0)


def adopt(path: Path, waveform: str, name: str, frames: int, source: Path) -> Segment:
    """Append clean frames that another program wrote to ``source``, cf32."""
    return append(path, waveform, name, np.fromfile(source, np.complex64), frames, PAYLOADS[name])
