# SPDX-License-Identifier: GPL-3.0-or-later
"""A test link: build a frame, send it over the software channel, find it and read it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from semcom_blocks.channel.channel import SoftwareChannel
from semcom_blocks.channel.config import ChannelConfig
from semcom_blocks.phy import qam
from semcom_blocks.phy.bands import BandTable
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.modulator import TransmitLevel, modulate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.sync import Capture, FrameSync

JOB_ID = 7


@dataclass(frozen=True)
class Sent:
    """A frame as the transmitter knows it."""

    layout: FrameLayout
    digital: bytes
    analog: np.ndarray
    grid: np.ndarray
    samples: np.ndarray


class Link:
    """Frames in, captures out: one numerology, one random stream."""

    def __init__(self, seed: int = 0, numerology: Numerology | None = None) -> None:
        self.rng = np.random.default_rng(seed)
        self.numerology = numerology or Numerology()

    def normal(self, n: int, variance: float = 1.0) -> np.ndarray:
        """White complex Gaussian values, complex64 (n,)."""
        parts = self.rng.standard_normal(2 * n, dtype=np.float32)
        return parts.view(np.complex64) * np.float32(np.sqrt(variance / 2))

    def qpsk(self, n: int) -> np.ndarray:
        """Random QPSK values, complex64 (n,)."""
        signs = 1 - 2 * self.rng.integers(0, 2, (2, n))
        return ((signs[0] + 1j * signs[1]) / np.sqrt(2)).astype(np.complex64)

    def rayleigh(self, profile: Iterable[float]) -> np.ndarray:
        """Taps of a fading channel whose power is held at 1 in each realisation."""
        profile = np.asarray(list(profile))
        taps = self.normal(len(profile)) * np.sqrt(profile)
        return (taps / np.linalg.norm(taps)).astype(np.complex64)

    def frame(
        self,
        seq: int = 0,
        analog: int | np.ndarray = 1024,
        digital: int = 0,
        bits_per_symbol: int = 2,
        level: TransmitLevel | None = None,
    ) -> Sent:
        """A frame of random bytes and Gaussian (or the given) analog symbols."""
        symbols = self.normal(analog) if isinstance(analog, int) else analog
        data = self.rng.bytes(digital)
        header = FrameHeader(
            JOB_ID,
            seq,
            digital_bytes=digital,
            bits_per_symbol=bits_per_symbol,
            stream_id=1,
            analog_symbols=len(symbols),
        )
        layout = FrameLayout(self.numerology, header)
        grid = build_grid(layout, data, symbols)
        return Sent(layout, data, symbols, grid, modulate(grid, self.numerology, level))

    def banded(
        self, table: BandTable, counts: Iterable[int], digital: int = 0, seq: int = 0
    ) -> Sent:
        """A frame in bands: so many random points of each stream's constellation (or Gaussian)."""
        symbols = [
            self.points(count, band.bits_per_symbol) if band.bits_per_symbol else self.normal(count)
            for band, count in zip(table.bands[1:], counts, strict=True)
        ]
        header = FrameHeader(
            JOB_ID,
            seq,
            digital_bytes=digital,
            bits_per_symbol=table.bands[0].bits_per_symbol,
            bands=table,
            band_chunks=tuple((100 * seq, len(part)) for part in symbols),
        )
        layout, data = FrameLayout(self.numerology, header), self.rng.bytes(digital)
        analog = np.concatenate([np.zeros(0, np.complex64), *symbols])
        grid = build_grid(layout, data, analog)
        return Sent(layout, data, analog, grid, modulate(grid, self.numerology))

    def points(self, n: int, bits_per_symbol: int) -> np.ndarray:
        """Random points of a constellation, complex64 (n,)."""
        bits = self.rng.integers(0, 2, n * bits_per_symbol, dtype=np.uint8)
        return qam.modulate(bits, bits_per_symbol)

    def send(
        self,
        samples: np.ndarray,
        before: int = 1000,
        after: int = 1000,
        taps: np.ndarray | None = None,
        **channel: float,
    ) -> np.ndarray:
        """Silence, ``samples``, silence over the channel with the parameters of ChannelConfig.

        ``taps`` complex64 (k,) are a channel of the test's own; without any, the
        carrier has a random phase.
        """
        num = self.numerology
        if taps is None:
            taps = np.exp(2j * np.pi * self.rng.random(1)).astype(np.complex64)
        silence = [np.zeros(before, np.complex64), np.zeros(after, np.complex64)]
        stream = np.convolve(np.concatenate([silence[0], samples, silence[1]]), taps)
        config = ChannelConfig(
            sample_rate_hz=num.sample_rate_hz, symbol_energy=num.symbol_energy, **channel
        )
        return SoftwareChannel(config, self.rng).process(stream.astype(np.complex64))

    def find(self, stream: np.ndarray, sync: FrameSync | None = None) -> list[Capture]:
        """Frames found in a whole stream."""
        sync = sync or FrameSync(self.numerology)
        return sync.push(stream) + sync.flush()

    def find_one(self, stream: np.ndarray) -> Capture:
        """The frame in a stream that holds exactly one."""
        found = self.find(stream)
        assert len(found) == 1
        return found[0]

    def cuts(self, stream: np.ndarray, largest: int) -> Iterator[np.ndarray]:
        """The stream in pieces of 1 to ``largest`` samples."""
        at = 0
        while at < len(stream):
            size = int(self.rng.integers(1, largest + 1))
            yield stream[at : at + size]
            at += size

    def response(self, taps: np.ndarray) -> np.ndarray:
        """What ``taps`` do to the used carriers, complex64 (n_used,)."""
        num = self.numerology
        return np.fft.fft(taps, num.fft_size)[num.carriers % num.fft_size].astype(np.complex64)


@pytest.fixture
def link() -> Link:
    """A link with the default numerology."""
    return Link()


@pytest.fixture(scope="session")
def make_link() -> type[Link]:
    """Build links with other seeds and numerologies: ``make_link(seed, numerology)``."""
    return Link
