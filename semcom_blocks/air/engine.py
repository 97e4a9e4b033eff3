# SPDX-License-Identifier: GPL-3.0-or-later
"""The air: one time, moved on in steps, in which every device takes its own number of samples.

A step: with the lock held, samples are taken from every transmitter; without it, so that
clients may fill and drain their queues meanwhile, paths and receivers are computed; with
it again, the result is put, the time is the step's end, and everybody is woken.

    clock     time moves                                        a queue that is dry or full
    real      with the wall clock; a second behind is given up  underflow, overflow
    virtual   while a client waits                              holds time, for a grace
              with the wall clock while nothing streams at all
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from semcom_blocks.air.clock import SampleClock
from semcom_blocks.air.config import AirConfig, PathConfig
from semcom_blocks.air.device import Device, RxPort, TxPort
from semcom_blocks.air.frontend import Receiver
from semcom_blocks.air.line import TransmitLine
from semcom_blocks.air.path import Path
from semcom_blocks.errors import ConfigError

# Samples of the fastest device in one step.  Long ones cost least per sample; short ones serve
# clients with small buffers, down to what still makes sense to compute.
STEPS = (16384, 4096, 1024, 256, 64)
# A step in real time covers at least this: the latency that a device adds.
REAL_STEP_S = 2e-3
# A host that falls further behind the wall clock than this gives the time up, and counts it.
BEHIND_MAX_S = 1.0
# A receiver that nobody drains holds virtual time this long, then loses samples: a client that
# hangs must not stop the others for ever.
FULL_GRACE_S = 5.0
# How far virtual time with a limit of speed may be ahead of it.
PACE_S = 2e-3
# How often an engine with nothing to do looks around.
IDLE_S = 0.01

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Radio:
    """A device with the engine's side of its ports."""

    device: Device
    clock: SampleClock
    tx: list[TransmitLine]
    rx: list[Receiver]
    rate_changed: bool = False


@dataclass(eq=False)
class _Work:
    """What one receiver has to compute in a step."""

    radio: _Radio
    channel: int
    port: RxPort
    tuning: Any
    start: int
    count: int
    sources: list[tuple[TransmitLine, Path]]
    result: np.ndarray | None = None


class Air:
    """Devices, the paths between them, and their time.

    ``with Air(config, devices):`` runs it.  ``lock`` guards every port and tuning;
    whoever adds to or takes from a queue notifies it.
    """

    def __init__(self, config: AirConfig, devices: Sequence[Device]) -> None:
        self.config = config
        self.lock = threading.Condition()
        self.time_s = 0.0
        self.slips = 0  # seconds given up because the host was too slow
        self.steps = 0
        seeds = iter(np.random.SeedSequence(config.seed).spawn(4096))
        self._radios: dict[str, _Radio] = {}
        for device, its in zip(devices, config.devices, strict=True):
            ports = [*device.rx, *device.tx]
            self._radios[device.name] = _Radio(
                device,
                SampleClock(ports[0].tuning.sample_rate_hz, its.clock_ppm),
                [TransmitLine(its) for _ in device.tx],
                [Receiver(its, np.random.default_rng(next(seeds))) for _ in device.rx],
            )
        self._paths: dict[tuple[str, str], list[Path]] = {}
        self._seeds = seeds
        for path in config.paths or ():
            self.set_path(path)
        self._waiters = 0
        self._stepping = False
        self._stopping = False
        self._since: dict[RxPort | TxPort, float] = {}  # ports that hold virtual time, from when
        self._wall_s = self._air_s = 0.0  # an instant of both clocks
        self._pace = (time.monotonic(), 0.0)  # another, of virtual time with a limit of speed
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------------ for devices

    def wait_for(self, predicate: Callable[[], bool], timeout_s: float) -> bool:
        """Lock held: wait until ``predicate()``; False when ``timeout_s`` of wall time are over.

        Meanwhile the caller counts as a client that waits, so virtual time may run.
        """
        deadline = time.monotonic() + timeout_s
        self._waiters += 1
        self.lock.notify_all()
        try:
            while not predicate():
                left_s = deadline - time.monotonic()
                if left_s <= 0 or self._stopping:
                    return False
                self.lock.wait(left_s)
            return True
        finally:
            self._waiters -= 1

    def retuned(self, device: Device) -> None:
        """Lock held: a tuning changed; on return a new sample rate is in force.

        The lock is released while a step that goes by the old rate comes to its end.
        """
        radio = self._radios[device.name]
        radio.rate_changed = True
        if not self._stepping:
            self._rebase()
        self.lock.notify_all()
        while radio.rate_changed and not self._stopping:
            self.lock.wait(IDLE_S)

    def time_of(self, device: Device) -> int:
        """The device's sample counter: the number of its next sample."""
        return self._radios[device.name].clock.count

    # ------------------------------------------------------------------ for people

    def __enter__(self) -> Air:
        started = []
        try:
            for radio in self._radios.values():
                started.append(radio.device)
                radio.device.start(self)
        except BaseException:
            for device in started:
                device.stop()
            raise
        self._thread = threading.Thread(target=self._run, name="air", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self._stopping = True
            self.lock.notify_all()
        for radio in self._radios.values():
            radio.device.stop()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    @property
    def running(self) -> bool:
        """False once the engine's thread has ended, by :meth:`__exit__` or a bug."""
        return self._thread is not None and self._thread.is_alive()

    def device(self, name: str) -> Device:
        """The device of this name; :class:`ConfigError` names those there are."""
        if name not in self._radios:
            raise ConfigError(f"device is {name!r:.60}, permitted: {', '.join(self._radios)}")
        return self._radios[name].device

    def path_config(self, source: str, target: str) -> PathConfig:
        """The path as it is now; a silent one where there is none."""
        paths = self._paths.get((source, target))
        return paths[0].config if paths else PathConfig(source, target, gain_db=-200.0)

    def set_path(self, config: PathConfig) -> None:
        """Put this path in place of the one between the same two devices."""
        source = self.device(config.source)
        target = self.device(config.target)
        channels = min(len(source.tx), len(target.rx))
        made = [Path(config, np.random.default_rng(next(self._seeds))) for _ in range(channels)]
        with self.lock:
            self._paths[config.source, config.target] = made

    def state(self) -> dict[str, Any]:
        """Time, tunings and counters, for people."""
        with self.lock:
            return {
                "clock": self.config.clock,
                "time_s": self.time_s,
                "slips": self.slips,
                "steps": self.steps,
                "waiting": self._waiters,
                "devices": {name: _state(radio) for name, radio in self._radios.items()},
            }

    # ------------------------------------------------------------------ time

    def _run(self) -> None:
        try:
            with self.lock:
                self._anchor()
                while not self._stopping:
                    count = self._ready()
                    if count:
                        self._step(count)
        except Exception:  # the process must end rather than stand still in silence
            _log.exception("the air broke")

    def _anchor(self) -> None:
        self._wall_s, self._air_s = time.monotonic(), self.time_s

    def _ready(self) -> int:
        """Samples of the fastest device to go now; 0 after a wait for something to happen."""
        idle = not self._streams()
        if self.config.clock == "virtual" and not idle:
            count = self._virtual()
            self._anchor()
            return count
        return self._due(max(radio.clock.rate_hz for radio in self._radios.values()), idle)

    def _streams(self) -> bool:
        radios = self._radios.values()
        return any(port.streaming() for r in radios for port in (*r.device.tx, *r.device.rx))

    def _due(self, rate_hz: float, idle: bool) -> int:
        """Real time: what the wall clock has got ahead, if it is worth a step."""
        behind_s = time.monotonic() - self._wall_s - (self.time_s - self._air_s)
        least = int(rate_hz * IDLE_S)  # nothing to compute: any step will do, a few a second
        if not idle:
            if behind_s > BEHIND_MAX_S:
                self.slips += 1
                _log.warning("a second behind real time: given up")
                self._anchor()
                return 0
            least = min(STEPS[0], max(STEPS[-1], int(rate_hz * REAL_STEP_S)))
        count = int(behind_s * rate_hz)
        if count < least:
            self.lock.wait((least - count) / rate_hz)
            return 0
        return count if idle else min(count, STEPS[0])

    def _virtual(self) -> int:
        """Virtual time: the longest step that neither starves nor overfills anyone."""
        if not self._waiters:
            self.lock.wait()
            return 0
        self._plan()  # what paths look ahead must be there too
        now = time.monotonic()
        if self.config.speed is not None and self._ahead(now, self.config.speed):
            self.lock.wait(PACE_S)
            return 0
        trouble = self._blocked(STEPS[-1])
        self._since = {port: self._since.get(port, now) for port in trouble}
        if any(now - self._since[port] < limit_s for port, limit_s in trouble.items()):
            self.lock.wait(IDLE_S)
            return 0
        for step in STEPS:
            if self._blocked(step).keys() <= trouble.keys():  # those have had their time
                return step
        return STEPS[-1]

    def _ahead(self, now: float, speed: float) -> bool:
        """Whether virtual time has run ahead of ``speed`` times the wall clock."""
        ahead_s = (self.time_s - self._pace[1]) / speed - (now - self._pace[0])
        if ahead_s < -BEHIND_MAX_S:  # no credit for times of rest
            self._pace = (now, self.time_s)
        return ahead_s > PACE_S

    def _blocked(self, step: int) -> dict[RxPort | TxPort, float]:
        """Ports that ``step`` would starve or overfill, and how long each may hold time."""
        found: dict[RxPort | TxPort, float] = {}
        end_s = self._end_of(step)
        for radio in self._radios.values():
            n = radio.clock.due(end_s)
            for line, tx in zip(radio.tx, radio.device.tx, strict=True):
                missing = line.missing(radio.clock.count, n)
                if missing > 0 and tx.streaming() and tx.hungry(missing):
                    found[tx] = self.config.grace_s
            for rx in radio.device.rx:
                if n and rx.streaming() and rx.full(n):
                    found[rx] = FULL_GRACE_S
        return found

    def _end_of(self, step: int) -> float:
        """Air time after ``step`` samples of the fastest device."""
        clock = max((radio.clock for radio in self._radios.values()), key=lambda c: c.rate_hz)
        return clock.time_of(clock.count + step)

    def _rebase(self) -> None:
        """Start new time bases for devices with a new rate, on a grid that exists if one fits."""
        for radio in self._radios.values():
            if not radio.rate_changed:
                continue
            radio.rate_changed = False
            ports: list[RxPort | TxPort] = [*radio.device.rx, *radio.device.tx]
            nominal_hz = ports[0].tuning.sample_rate_hz
            if nominal_hz == radio.clock.nominal_hz:
                continue
            radio.clock.rebase(nominal_hz, self.time_s)
            for other in self._radios.values():
                if other is not radio and other.clock.rate_hz == radio.clock.rate_hz:
                    start_s = other.clock.time_of(other.clock.count)
                    radio.clock.rebase(nominal_hz, start_s)
                    # The very same anchor, or equal clocks would not be seen to be equal.
                    shift = other.clock.count - other.clock.anchor_count
                    radio.clock.anchor_s = other.clock.anchor_s
                    radio.clock.anchor_count = radio.clock.count - shift
                    break
            for line in radio.tx:
                line.restart(radio.clock.count)

    # ------------------------------------------------------------------ samples

    def _step(self, step: int) -> None:
        """One step; the lock is held at both ends and released while samples are computed."""
        end_s = self._end_of(step)
        due = {name: radio.clock.due(end_s) for name, radio in self._radios.items()}
        work = self._listening(due)
        self._take(due)
        self._stepping = True
        self.lock.release()
        try:
            for task in work:
                task.result = self._receive(task)
        finally:
            self.lock.acquire()
            self._stepping = False
        for task in work:
            task.radio.rx[task.channel].settle(task.port)
            if task.result is not None and task.port.streaming():
                task.port.put(task.result, task.start)
        for name, radio in self._radios.items():
            radio.clock.count += due[name]
        self.time_s = end_s
        self.steps += 1
        self._rebase()
        self.lock.notify_all()

    def _listening(self, due: dict[str, int]) -> list[_Work]:
        work = []
        for name, radio in self._radios.items():
            for i, port in enumerate(radio.device.rx):
                if due[name] and port.streaming():
                    tuning = copy.copy(port.tuning)
                    sources = self._sources(name, i)
                    work.append(
                        _Work(radio, i, port, tuning, radio.clock.count, due[name], sources)
                    )
        return work

    def _sources(self, target: str, channel: int) -> list[tuple[TransmitLine, Path]]:
        return [
            (self._radios[source].tx[channel], paths[channel])
            for (source, end), paths in self._paths.items()
            if end == target and channel < len(paths)
        ]

    def _plan(self) -> None:
        """Let every path say how far ahead and back it looks, as devices are tuned now."""
        for (source, target), paths in self._paths.items():
            sender, receiver = self._radios[source], self._radios[target]
            for channel, path in enumerate(paths):
                path.plan(
                    sender.clock,
                    receiver.clock,
                    sender.device.tx[channel].tuning,
                    receiver.device.rx[channel].tuning,
                )
                line = sender.tx[channel]
                line.reach(path.behind, path.ahead)

    def _take(self, due: dict[str, int]) -> None:
        """Pull every transmitter on to the end of the step, and as far ahead as paths look."""
        self._plan()
        for name, radio in self._radios.items():
            for line, port in zip(radio.tx, radio.device.tx, strict=True):
                line.pull(port, radio.clock.count, due[name])

    def _receive(self, task: _Work) -> np.ndarray:
        """What a receiver gets: every path to it, its own noise, its converter."""
        total: np.ndarray | None = None
        for line, path in task.sources:
            part = path.process(line, task.start, task.count)
            if part is not None:
                total = part if total is None else np.add(total, part, out=total)
        rate_hz = task.radio.clock.rate_hz
        return task.radio.rx[task.channel].process(total, task.count, task.tuning, rate_hz)


def _state(radio: _Radio) -> dict[str, Any]:
    return {
        "count": radio.clock.count,
        "tx": [vars(port.tuning) | {"streaming": port.streaming()} for port in radio.device.tx],
        "rx": [vars(port.tuning) | {"streaming": port.streaming()} for port in radio.device.rx],
        "counters": dict(radio.device.counters()),
    }
