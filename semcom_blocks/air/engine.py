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

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from semcom_blocks.air.config import AirConfig, PathConfig
from semcom_blocks.air.device import Device, RxPort, TxPort
from semcom_blocks.air.medium import Medium

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
        self._medium = Medium(config, devices)
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
        radio = self._medium.radio(device.name)
        radio.rate_changed = True
        if not self._stepping:
            self._medium.rebase(self.time_s)
        self.lock.notify_all()
        while radio.rate_changed and not self._stopping:
            self.lock.wait(IDLE_S)

    def time_of(self, device: Device) -> int:
        """The device's sample counter: the number of its next sample."""
        return self._medium.radio(device.name).clock.count

    # ------------------------------------------------------------------ for people

    def __enter__(self) -> Air:
        started = []
        try:
            for device in self._devices():
                started.append(device)
                device.start(self)
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
        for device in self._devices():
            device.stop()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    @property
    def running(self) -> bool:
        """False once the engine's thread has ended, by :meth:`__exit__` or a bug."""
        return self._thread is not None and self._thread.is_alive()

    def device(self, name: str) -> Device:
        """The device of this name; :class:`ConfigError` names those there are."""
        return self._medium.radio(name).device

    def _devices(self) -> list[Device]:
        return [radio.device for radio in self._medium.radios.values()]

    def path_config(self, source: str, target: str) -> PathConfig:
        """The path as it is now; a silent one where there is none."""
        with self.lock:
            return self._medium.path_config(source, target)

    def set_path(self, config: PathConfig) -> None:
        """Put this path in place of the one between the same two devices."""
        with self.lock:
            self._medium.set_path(config)

    def state(self) -> dict[str, Any]:
        """Time, tunings and counters, for people."""
        with self.lock:
            return {
                "clock": self.config.clock,
                "time_s": self.time_s,
                "slips": self.slips,
                "steps": self.steps,
                "waiting": self._waiters,
                "devices": {name: radio.state() for name, radio in self._medium.radios.items()},
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
        idle = not self._medium.streams()
        if self.config.clock == "virtual" and not idle:
            count = self._virtual()
            self._anchor()
            return count
        return self._due(self._medium.fastest().rate_hz, idle)

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
        self._medium.plan()  # what paths look ahead must be there too
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
        end_s = self._medium.end_of(step)
        found: dict[RxPort | TxPort, float] = dict.fromkeys(self._medium.full(end_s), FULL_GRACE_S)
        return found | dict.fromkeys(self._medium.dry(end_s), self.config.grace_s)

    def _step(self, step: int) -> None:
        """One step; the lock is held at both ends and released while samples are computed."""
        end_s = self._medium.end_of(step)
        receptions = self._medium.take(end_s)
        self._stepping = True
        self.lock.release()
        try:
            for reception in receptions:
                reception.compute()
        finally:
            self.lock.acquire()
            self._stepping = False
        for reception in receptions:
            reception.deliver()
        self._medium.advance(end_s)
        self.time_s = end_s
        self.steps += 1
        self._medium.rebase(end_s)
        self.lock.notify_all()
