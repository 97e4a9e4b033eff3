# SPDX-License-Identifier: GPL-3.0-or-later
"""A small device without sockets: what the engine needs, and no more."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from semcom_blocks.air.config import AirConfig
from semcom_blocks.air.device import ADC_FULL_SCALE, Tuning
from semcom_blocks.air.engine import Air
from semcom_blocks.errors import ConfigError

TIMEOUT_S = 30.0
#: Receive gain at which a path of -50 dB makes full scale of full scale.
UNITY_GAIN_DB = 33.0
#: A noise figure that leaves nothing but the converter's own noise.
QUIET_DB = -100.0

Source = Callable[[int, int], np.ndarray]  # first sample's number, how many → complex64


class UnitTx:
    """Sends ``source``; or what is queued, if there is no source."""

    def __init__(self, tuning: Tuning, source: Source | None = None) -> None:
        self.tuning = tuning
        self.source = source
        self.open = source is not None
        self.queue = np.empty(0, dtype=np.complex64)
        self.taken: list[tuple[int, int]] = []  # (at, n) of each call
        self.underflows = 0

    def streaming(self) -> bool:
        return self.open

    def hungry(self, n: int) -> bool:
        return self.source is None and self.queue.size < n

    def take(self, n: int, at: int) -> np.ndarray | None:
        self.taken.append((at, n))
        if self.source is not None:
            return self.source(at, n)
        found, self.queue = self.queue[:n], self.queue[n:]
        if found.size < n:
            self.underflows += 1
            found = np.concatenate([found, np.zeros(n - found.size, np.complex64)])
        return found


class UnitRx:
    """Keeps what comes, up to ``room`` samples."""

    def __init__(self, tuning: Tuning) -> None:
        self.tuning = tuning
        self.open = False
        self.room = 1 << 30
        self.blocks: list[np.ndarray] = []
        self.starts: list[int] = []
        self.filled = 0
        self.overflows = 0

    def streaming(self) -> bool:
        return self.open

    def full(self, n: int) -> bool:
        return self.filled + n > self.room

    def put(self, iq: np.ndarray, at: int) -> None:
        n = len(iq) // 2
        assert iq.dtype == np.int16 and abs(iq).max() <= ADC_FULL_SCALE
        if self.full(n):
            self.overflows += 1
            return
        self.starts.append(at)
        self.blocks.append(iq)
        self.filled += n

    def samples(self) -> np.ndarray:
        """All that came, |full scale| = 1; without a gap in its counter."""
        ends = [at + len(iq) // 2 for at, iq in zip(self.starts, self.blocks, strict=True)]
        assert self.starts[1:] == ends[:-1]
        codes = np.concatenate(self.blocks).astype(np.float32) / ADC_FULL_SCALE
        return codes.view(np.complex64)


class UnitDevice:
    """One transmitter and one receiver, tuned alike."""

    def __init__(
        self,
        name: str,
        source: Source | None = None,
        rate_hz: float = 1e6,
        lo_hz: float = 2.4e9,
        gain_db: float = UNITY_GAIN_DB,
    ) -> None:
        self.name = name
        self.tx = [UnitTx(Tuning(rate_hz, lo_hz, 0.0, 0.0), source)]
        self.rx = [UnitRx(Tuning(rate_hz, lo_hz, gain_db, 0.0))]
        self.started = self.stopped = 0
        self.faults: list[tuple[str, float]] = []

    def start(self, air: Air) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1

    def fault(self, kind: str, seconds: float) -> None:
        if kind == "unplug":
            raise ConfigError("fault is 'unplug', permitted: drop")
        self.faults.append((kind, seconds))

    def counters(self) -> dict[str, int]:
        return {"overflows": self.rx[0].overflows}


def config(*devices: UnitDevice, paths: list[dict] | None = None, **more: object) -> AirConfig:
    """An air of these devices; ``more`` holds tables by device name, or keys of the air."""
    rows = []
    for device in devices:
        row = {"name": device.name, "kind": "pluto", "noise_figure_db": QUIET_DB}
        rows.append(row | dict(more.pop(device.name, {})))
    return AirConfig.from_dict({"devices": rows, "paths": paths, **more})


def receive(air: Air, device: UnitDevice, n: int) -> np.ndarray:
    """Open the receiver, wait for ``n`` samples from now on, close it."""
    port = device.rx[0]
    with air.lock:
        port.blocks, port.starts, port.filled = [], [], 0
        port.open = True
        arrived = air.wait_for(lambda: port.filled >= n, TIMEOUT_S)
        port.open = False
    assert arrived, air.state()
    return port.samples()[:n]


def tone(frequency: float, amplitude: float = 0.5) -> Source:
    """A tone of ``frequency`` cycles a sample, exact at any count."""

    def source(at: int, n: int) -> np.ndarray:
        turns = np.arange(at, at + n) * frequency
        return (amplitude * np.exp(2j * np.pi * (turns % 1))).astype(np.complex64)

    return source


def noise_source(seed: int, amplitude: float = 0.2, bandwidth: float = 0.6) -> Source:
    """The same low-passed noise at the same count, whoever asks."""
    length = 1 << 16
    rng = np.random.default_rng(seed)
    spectrum = rng.standard_normal((length, 2)).view(np.complex128)[:, 0]
    spectrum[np.abs(np.fft.fftfreq(length)) > bandwidth / 2] = 0
    wave = np.fft.ifft(spectrum)
    wave = (wave * amplitude / np.sqrt(np.mean(np.abs(wave) ** 2))).astype(np.complex64)
    return lambda at, n: np.take(wave, np.arange(at, at + n), mode="wrap")


def frequency_of(samples: np.ndarray) -> float:
    """Cycles a sample of a single tone: slope of its phase, fitted in double precision."""
    phase = np.unwrap(np.angle(samples.astype(np.complex128)))
    return float(np.polyfit(np.arange(samples.size), phase, 1)[0] / (2 * np.pi))


class Feeder(threading.Thread):
    """A client that keeps a transmitter's queue filled, and waits when it is full."""

    def __init__(self, air: Air, port: UnitTx, samples: np.ndarray, piece: int) -> None:
        super().__init__(daemon=True)
        self.air, self.port, self.samples, self.piece = air, port, samples, piece
        self.sent_all = False

    def run(self) -> None:
        room = 4 * self.piece
        for low in range(0, self.samples.size, self.piece):
            with self.air.lock:
                part = self.samples[low : low + self.piece]
                if not self.air.wait_for(lambda: self.port.queue.size < room, TIMEOUT_S):
                    return
                self.port.queue = np.concatenate([self.port.queue, part])
                self.air.lock.notify_all()
        self.sent_all = True
