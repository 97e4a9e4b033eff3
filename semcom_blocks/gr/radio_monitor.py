# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio Monitor: watches a device beside the samples' way, and says how it fares."""

import logging
import time
from typing import Any

from semcom_blocks.errors import RadioError, SemcomError
from semcom_blocks.gr.base import PduBlock

logger = logging.getLogger(__name__)

#: How often the device is looked at; an overflow must be seen before its samples come through.
TICK_S = 0.02
#: How often counters are passed on.
REPORT_S = 0.1
#: Longest time in which samples that must flow do not: a busy machine may be late by seconds,
#: and a virtual air holds time for five where another receiver hangs.
STALL_S = 6.5


class RadioMonitor(PduBlock):
    """``status`` out: {"radio": counters}.  ``failed`` is set when the device is lost.

    ``radio`` has ``poll``, ``flows`` and ``counters``, as in ``radio.interface``.
    """

    def __init__(self, radio: Any, more: dict[str, Any] | None = None) -> None:
        super().__init__("Radio Monitor", {}, ("status",), TICK_S, self._on_tick)
        self._radio = radio
        self._more = more or {}
        self._moved: dict[str, tuple[int, float]] = {}
        self._reported_s = 0.0
        self.failed: RadioError | None = None

    def _on_tick(self) -> None:
        if self.failed is not None:
            return
        now_s = time.monotonic()
        try:
            self._radio.poll()
            flows = self._radio.flows()
            self._check(flows, now_s)
        except SemcomError as error:
            self.failed = RadioError(str(error))
        if now_s - self._reported_s >= REPORT_S:
            self._reported_s = now_s
            counters = {f"{side}_samples": count for side, count, _ in flows}
            counters |= self._radio.counters()
            for name, read in self._more.items():
                counters[name] = read()
            self.publish("status", {"radio": counters})

    def _check(self, flows: list[tuple[str, int, bool]], now_s: float) -> None:
        """Raise :class:`RadioError` when samples stopped that must flow."""
        for side, count, owed in flows:
            last, since_s = self._moved.get(side, (-1, now_s))
            if count != last or not owed:
                self._moved[side] = (count, now_s)
            elif now_s - since_s > STALL_S:
                raise RadioError(f"{side} stopped: no samples for {STALL_S:g} s after {count}")
