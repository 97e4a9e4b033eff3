# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames over the air: build one, send it along a path, hear it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.bench.link.paths import MARGIN, Path
from semcom_blocks.channel import ChannelConfig, SoftwareChannel
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.modulator import TransmitLevel, modulate
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology
from semcom_blocks.phy.sync import Capture, FrameSync

JOB_ID = 7
#: Samples of nothing but noise before a frame: drawn from this range.
LEAD = (200, 1500)
#: Carriers of CFO either side that a receiver must bear.
MAX_CFO_CARRIERS = 8


@dataclass(frozen=True)
class Sent:
    """A frame as the transmitter knows it."""

    layout: FrameLayout
    digital: bytes
    analog: np.ndarray
    grid: np.ndarray
    samples: np.ndarray


@dataclass(frozen=True)
class Received:
    """A stretch of samples that holds one frame, and the truth about it."""

    samples: np.ndarray
    start: int
    cfo_hz: float
    path: Path


def gaussian(rng: np.random.Generator, n: int) -> np.ndarray:
    """Unit-power complex Gaussian values, as analog payloads are about: complex64 (n,)."""
    return (rng.standard_normal(2 * n, dtype=np.float32) * np.float32(np.sqrt(0.5))).view(
        np.complex64
    )


def qpsk(rng: np.random.Generator, n: int) -> np.ndarray:
    """Random QPSK values of unit power, complex64 (n,)."""
    signs = 1 - 2 * rng.integers(0, 2, 2 * n).astype(np.float32)
    return (signs * np.float32(np.sqrt(0.5))).view(np.complex64)


def build(
    numerology: Numerology,
    analog: np.ndarray,
    digital: bytes = b"",
    *,
    seq: int = 0,
    level: TransmitLevel | None = None,
    precoding: str = "none",
) -> Sent:
    """A frame with these analog symbols, complex64 (n,), and this QPSK-coded packet."""
    header = FrameHeader(
        JOB_ID,
        seq,
        digital_bytes=len(digital),
        stream_id=1 if len(analog) else 0,
        analog_symbols=len(analog),
        precoding=precoding,
    )
    layout = FrameLayout(numerology, header)
    grid = build_grid(layout, digital, analog)
    return Sent(layout, digital, analog, grid, modulate(grid, numerology, level))


def longest_analog(numerology: Numerology, n_samples: int = MAX_FRAME_SAMPLES) -> int:
    """Most analog symbols of a frame of at most ``n_samples``."""

    def fits(analog: int) -> bool:
        header = FrameHeader(JOB_ID, 0, stream_id=1, analog_symbols=analog)
        try:
            return FrameLayout(numerology, header).n_samples <= n_samples
        except ValueError:  # beyond what the numerology permits at all
            return False

    low, high = 0, 0xFFFF
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def random_cfo_hz(numerology: Numerology, rng: np.random.Generator) -> float:
    """A CFO anywhere in the range that must be borne."""
    return float(rng.uniform(-1, 1)) * MAX_CFO_CARRIERS * numerology.spacing_hz


def send(
    sent: Sent,
    path: Path,
    rng: np.random.Generator,
    *,
    snr_db: float | None,
    cfo_hz: float = 0.0,
    sro_ppm: float = 0.0,
) -> Received:
    """Noise, the frame along ``path``, noise; SNR is Es/N0 of a cell for a path of power 1."""
    num = sent.layout.numerology
    lead = int(rng.integers(*LEAD))
    tail = MARGIN + len(path.taps) + int(abs(sro_ppm) * 1e-6 * len(sent.samples)) + 32
    stream = np.zeros(lead + len(sent.samples) + tail, np.complex64)
    stream[lead : lead + len(sent.samples)] = sent.samples
    config = ChannelConfig(
        snr_db=snr_db,
        cfo_hz=cfo_hz,
        sro_ppm=sro_ppm,
        sample_rate_hz=num.sample_rate_hz,
        symbol_energy=num.symbol_energy,
    )
    heard = SoftwareChannel(config, rng).process(path.through(stream).astype(np.complex64))
    return Received(heard, lead, cfo_hz, path)


def find(received: Received, sent: Sent) -> Capture | None:
    """The frame as the synchroniser cuts it out, None if it is lost."""
    sync = FrameSync(sent.layout.numerology)
    captures = sync.push(received.samples) + sync.flush()
    return next((c for c in captures if c.header == sent.layout.header), None)
