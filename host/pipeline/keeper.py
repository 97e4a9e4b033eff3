# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a radio process going: where its device is lost, start it again until it is back.

    STARTING --its first heartbeat with samples--> UP --it ends, or hangs--> DOWN
       └------------- it ends: no device yet --> DOWN --RETRY_S--> STARTING

A device that never worked is an error at once; one that did is waited for.  The process
watches its device itself and ends with one line when that is lost; from here it is seen
when it ends otherwise, stops its heartbeats, or receives no samples although it says so.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from host.pipeline.ports import RadioPort
from host.supervise import Child, Supervisor
from semcom_blocks.errors import PeerError

RETRY_S = 0.5
# Longest absence of a device that worked before.
AWAY_MAX_S = 60.0
# Longest time without a heartbeat, or without samples at a receiver that says it is well; above
# what the process itself allows its device.
HANG_S = 8.0
# Opening a device takes some seconds, the first time with a cold disk some more.
START_MAX_S = 30.0
# Whoever did not look for so long cannot tell silence from its own absence.
ABSENT_S = 1.0

_log = logging.getLogger(__name__)


class Keeper:
    """One radio process, its port, and how often its device was lost.

    ``start`` starts the process anew.  Call :meth:`turn` while waiting for anything.
    """

    def __init__(
        self,
        crew: Supervisor,
        port: RadioPort,
        start: Callable[[], Child],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.port = port
        self.restarts = 0
        self._crew, self._start, self._clock = crew, start, clock
        self._child: Child | None = start()
        self._was_up = self._up = self._recovered = False
        self._earlier: Counter[str] = Counter()
        self._lost_at = self._began = self._looked = self._moved = clock()
        self._samples = -1
        self._why = ""

    @property
    def child(self) -> Child | None:
        """The process, if there is one now."""
        return self._child

    @property
    def down(self) -> bool:
        """Whether the device is lost at the moment."""
        return self._was_up and not self._up

    def recovered(self) -> bool:
        """Whether the device came back since this was asked last."""
        found, self._recovered = self._recovered, False
        return found

    def counters(self) -> dict[str, int]:
        """What the process counts about its device, over all restarts, and their number."""
        total = self._earlier + Counter(self._now())
        return {**dict.fromkeys([*self._earlier, *self._now()], 0), **total} | {
            "restarts": self.restarts
        }

    def turn(self) -> None:
        """Look after the process; raises a named error for a device that is lost for good."""
        now = self._clock()
        self.port.ping()
        self.port.listen()
        absent, self._looked = now - self._looked > ABSENT_S, now
        if absent:
            self._moved = now
            self.port.renew()
        if self._child is None:
            if now - self._began >= RETRY_S:
                self._began = now
                self._child = self._start()
            return
        end = self._child.poll()
        if end is not None:
            if not self._was_up:
                raise self._child.failure(end)
            self._lose(end.last_line or end.reason)
        elif self._hangs(now):
            self._lose("it hangs")

    def begin_again(self) -> None:
        """Start the process anew although it is well: it holds half a job that is void."""
        if self._child is not None:
            self._crew.stop(self._child)  # in order: a USRP is let go only so
            self._child = None
        self._lose("the other end lost the job")

    def _now(self) -> dict[str, int]:
        counters: Any = self.port.status.get("radio")
        if not isinstance(counters, dict):
            return {}
        return {str(name): n for name, n in counters.items() if isinstance(n, int)}

    def _hangs(self, now: float) -> bool:
        counters = self._now()
        if not self._up:
            if counters:
                self._up, self._moved = True, now
                if self._was_up:
                    self.restarts += 1
                    self._recovered = True
                    _log.warning("%s is back after %.1f s", self.port.name, now - self._lost_at)
                else:
                    _log.info("%s is up", self.port.name)
                self._was_up = True
            return now - self._began > START_MAX_S
        samples = counters.get("rx_samples", 0)
        if samples != self._samples or "rx_samples" not in counters:
            self._samples, self._moved = samples, now
        return now - self._moved > HANG_S or self.port.silent_s > HANG_S

    def _lose(self, why: str) -> None:
        """The process is of no use any more: count, kill, and try again soon."""
        now = self._clock()
        if self._up:
            self._up, self._lost_at = False, now
            self._why = why
            _log.warning("%s is lost: %s", self.port.name, why)
        if self._child is not None:
            self._crew.kill(self._child)
            self._child = None
        self._earlier.update(self._now())
        self.port.forget()
        self._began = now
        if now - self._lost_at > AWAY_MAX_S:
            raise PeerError(
                f"{self.port.name} lost its device and found it no more for {AWAY_MAX_S:g} s: "
                f"{self._why}"
            )
