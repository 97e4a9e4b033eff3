# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples between devices: what a step takes, computes and puts, whatever moves time on.

Whoever calls a method holds the air's lock, except for :meth:`Reception.compute`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from semcom_blocks.air.clock import SampleClock
from semcom_blocks.air.config import AirConfig, PathConfig
from semcom_blocks.air.device import Device, RxPort, Tuning, TxPort
from semcom_blocks.air.frontend import Receiver
from semcom_blocks.air.line import TransmitLine
from semcom_blocks.air.path import Path
from semcom_blocks.errors import ConfigError


@dataclass(eq=False)
class Radio:
    """A device with the medium's side of its ports."""

    device: Device
    clock: SampleClock
    tx: list[TransmitLine]
    rx: list[Receiver]
    rate_changed: bool = False

    def ports(self) -> Iterator[TxPort | RxPort]:
        """All of them."""
        yield from self.device.rx
        yield from self.device.tx

    def state(self) -> dict[str, Any]:
        """Counter, tunings and counters, for people."""
        return {
            "count": self.clock.count,
            "tx": [vars(port.tuning) | {"streaming": port.streaming()} for port in self.device.tx],
            "rx": [vars(port.tuning) | {"streaming": port.streaming()} for port in self.device.rx],
            "counters": dict(self.device.counters()),
        }


@dataclass(eq=False)
class Reception:
    """What one receiver gets in one step."""

    port: RxPort
    receiver: Receiver
    tuning: Tuning  # a copy: the driver may change it meanwhile
    sources: list[tuple[TransmitLine, Path]]
    start: int
    count: int
    rate_hz: float
    result: np.ndarray | None = None

    def compute(self) -> None:
        """Every path to it, its own noise, its converter; without the lock."""
        total: np.ndarray | None = None
        for line, path in self.sources:
            part = path.process(line, self.start, self.count)
            if part is not None:
                total = part if total is None else np.add(total, part, out=total)
        self.result = self.receiver.process(total, self.count, self.tuning, self.rate_hz)

    def deliver(self) -> None:
        """To a port that still wants it."""
        self.receiver.settle(self.port)
        if self.result is not None and self.port.streaming():
            self.port.put(self.result, self.start)


class Medium:
    """Devices, the paths between them, and what flows."""

    def __init__(self, config: AirConfig, devices: Sequence[Device]) -> None:
        self._seeds = np.random.SeedSequence(config.seed)
        self.radios: dict[str, Radio] = {}
        for device, its in zip(devices, config.devices, strict=True):
            ports: list[RxPort | TxPort] = [*device.rx, *device.tx]
            nominal_hz = ports[0].tuning.sample_rate_hz
            self.radios[device.name] = Radio(
                device,
                SampleClock(nominal_hz, its.clock_ppm),
                [TransmitLine(its) for _ in device.tx],
                [Receiver(its, self._rng()) for _ in device.rx],
            )
        self._paths: dict[tuple[str, str], list[Path]] = {}
        for path in config.paths or ():
            self.set_path(path)

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self._seeds.spawn(1)[0])

    def radio(self, name: str) -> Radio:
        """The radio of this name; :class:`ConfigError` names those there are."""
        if name not in self.radios:
            raise ConfigError(f"device is {name!r:.60}, permitted: {', '.join(self.radios)}")
        return self.radios[name]

    def set_path(self, config: PathConfig) -> None:
        """Put this path in place of the one between the same two devices."""
        source, target = self.radio(config.source).device, self.radio(config.target).device
        channels = min(len(source.tx), len(target.rx))
        self._paths[config.source, config.target] = [
            Path(config, self._rng()) for _ in range(channels)
        ]

    def path_config(self, source: str, target: str) -> PathConfig:
        """The path as it is now; a silent one where there is none."""
        paths = self._paths.get((source, target))
        return paths[0].config if paths else PathConfig(source, target, gain_db=-200.0)

    # ------------------------------------------------------------------ clocks

    def fastest(self) -> SampleClock:
        """The clock in whose samples steps are measured."""
        return max((radio.clock for radio in self.radios.values()), key=lambda c: c.rate_hz)

    def end_of(self, step: int) -> float:
        """Air time after ``step`` samples of the fastest device."""
        clock = self.fastest()
        return clock.time_of(clock.count + step)

    def rebase(self, time_s: float) -> None:
        """Start new time bases for devices with a new rate, on a grid that exists if one fits."""
        for radio in self.radios.values():
            if not radio.rate_changed:
                continue
            radio.rate_changed = False
            nominal_hz = next(radio.ports()).tuning.sample_rate_hz
            if nominal_hz == radio.clock.nominal_hz:
                continue
            radio.clock.rebase(nominal_hz, time_s)
            for other in self.radios.values():
                if other is not radio and other.clock.rate_hz == radio.clock.rate_hz:
                    radio.clock.join(other.clock)
                    break
            for line in radio.tx:
                line.restart(radio.clock.count)

    # ------------------------------------------------------------------ samples

    def streams(self) -> bool:
        """Whether anybody sends or receives."""
        return any(port.streaming() for radio in self.radios.values() for port in radio.ports())

    def dry(self, end_s: float) -> list[TxPort]:
        """Transmitters that lack samples for a step until ``end_s``."""
        return [
            port
            for radio in self.radios.values()
            for line, port in zip(radio.tx, radio.device.tx, strict=True)
            if (n := line.missing(radio.clock.count, radio.clock.due(end_s))) > 0
            and port.streaming()
            and port.hungry(n)
        ]

    def full(self, end_s: float) -> list[RxPort]:
        """Receivers that have no room for a step until ``end_s``."""
        return [
            port
            for radio in self.radios.values()
            if (n := radio.clock.due(end_s))
            for port in radio.device.rx
            if port.streaming() and port.full(n)
        ]

    def plan(self) -> None:
        """Let every path say how far ahead and back it looks, as devices are tuned now."""
        for (source, target), paths in self._paths.items():
            sender, receiver = self.radios[source], self.radios[target]
            for channel, path in enumerate(paths):
                sent, wanted = sender.device.tx[channel].tuning, receiver.device.rx[channel].tuning
                path.plan(sender.clock, receiver.clock, sent, wanted)
                sender.tx[channel].reach(path.behind, path.ahead)

    def take(self, end_s: float) -> list[Reception]:
        """Pull every transmitter on, past ``end_s`` as far as paths look; say what to compute."""
        self.plan()
        receptions = []
        for name, radio in self.radios.items():
            count, n, rate_hz = radio.clock.count, radio.clock.due(end_s), radio.clock.rate_hz
            for line, port in zip(radio.tx, radio.device.tx, strict=True):
                line.pull(port, count, n)
            for i, (its, wanted) in enumerate(zip(radio.rx, radio.device.rx, strict=True)):
                if n and wanted.streaming():
                    tuning, sources = copy.copy(wanted.tuning), self._sources(name, i)
                    receptions.append(Reception(wanted, its, tuning, sources, count, n, rate_hz))
        return receptions

    def _sources(self, target: str, channel: int) -> list[tuple[TransmitLine, Path]]:
        return [
            (self.radios[source].tx[channel], paths[channel])
            for (source, end), paths in self._paths.items()
            if end == target and channel < len(paths)
        ]

    def advance(self, end_s: float) -> None:
        """Count the samples of a step that ends at ``end_s``."""
        for radio in self.radios.values():
            radio.clock.count += radio.clock.due(end_s)
