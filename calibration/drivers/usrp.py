# SPDX-License-Identifier: GPL-3.0-or-later
"""A USRP by way of the radio side's process ``semcom_blocks.radio.uhd_server``.

UHD's Python API exists for the distribution's interpreter only, so the radio sits in a
process of that interpreter and is asked over a ZeroMQ socket, one request at a time.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable

import numpy as np
import zmq

from calibration.drivers.base import Limits
from semcom_blocks.errors import ConfigError, RadioError, require_range
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message

#: Finding a device and setting up its streams takes UHD up to 10 s.
OPEN_TIMEOUT_S = 30.0
#: A request is a handful of register accesses and at most a second of samples.
REQUEST_TIMEOUT_S = 20.0
POLL_S = 0.2


class Usrp:
    """See :class:`calibration.drivers.base.Radio`.

    args      UHD device arguments, for messages
    endpoint  where the server of this radio listens
    alive     raises when the server's process is known to be gone
    """

    kind = "usrp"
    full_scale_dbm = -10.0
    xo_hz = None

    def __init__(self, args: str, endpoint: str, alive: Callable[[], None] = lambda: None) -> None:
        self.name = f"usrp:{args}"
        self._alive = alive
        self._context: zmq.Context | None = zmq.Context()
        self._socket = MessageSocket(open_socket(self._context, zmq.DEALER, connect=endpoint))
        self._number = 0
        try:
            found = self._ask("describe", timeout_s=OPEN_TIMEOUT_S)
            serial = re.sub(r"[^A-Za-z0-9._-]", "-", found.value("serial", str)).strip("-.")
            self.serial = serial[:64] or "usrp"
            self.limits = Limits(*(_pair(found, key) for key in ("tx_db", "rx_db", "lo_hz")))
        except BaseException:
            self._release()
            raise

    def tune(self, rate_hz: float, tx_lo_hz: float, rx_lo_hz: float) -> tuple[float, float, float]:
        for name, value in (("tx_lo_hz", tx_lo_hz), ("rx_lo_hz", rx_lo_hz)):
            require_range(f"{self.name}: {name}", value, *self.limits.lo_hz)
        wanted = {"rate_hz": rate_hz, "tx_lo_hz": tx_lo_hz, "rx_lo_hz": rx_lo_hz}
        found = self._ask("tune", wanted)
        rate, tx, rx = (float(found.value(name, (int, float))) for name in wanted)
        return rate, tx, rx

    def gains(self, tx_db: float | None = None, rx_db: float | None = None) -> None:
        wanted = {"tx_db": tx_db, "rx_db": rx_db}
        for name, value in wanted.items():
            if value is not None:
                require_range(f"{self.name}: {name}", value, *getattr(self.limits, name))
        self._ask("gains", wanted)

    def transmit(self, waveform: np.ndarray) -> None:
        self._ask("transmit", arrays={"waveform": np.asarray(waveform, dtype=np.complex64)})

    def interrupted(self) -> bool:
        return bool(self._ask("interrupted").value("interrupted", bool))

    def silence(self) -> None:
        self._ask("silence")

    def receive(self, count: int) -> np.ndarray:
        found = self._ask("receive", {"count": int(count)})
        return found.array("samples", np.complex64, 1).astype(np.complex128)

    def there_and_back(self, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sent and received at times set on the radio's own clock."""
        arrays = {"waveform": np.asarray(waveform, dtype=np.complex64)}
        found = self._ask("there_and_back", arrays=arrays)
        return np.asarray(waveform), found.array("samples", np.complex64, 1).astype(np.complex128)

    def close(self) -> None:
        if self._context is None:
            return
        with contextlib.suppress(RadioError, ConfigError):
            self._ask("silence", timeout_s=2.0)
        self._release()

    def _release(self) -> None:
        self._socket.close()
        if self._context is not None:
            self._context.term()
            self._context = None

    def _ask(
        self,
        kind: str,
        meta: dict[str, float | None] | None = None,
        arrays: dict[str, np.ndarray] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Message:
        """Send a request, wait for its reply; :class:`RadioError` with the server's words."""
        if self._context is None:
            raise RadioError(f"{self.name}: closed")
        self._number += 1
        request = Message(kind, {**(meta or {}), "id": self._number}, arrays or {})
        deadline = time.monotonic() + timeout_s
        sent = False
        while (left_s := deadline - time.monotonic()) > 0:
            self._alive()
            if not sent:
                sent = self._socket.send(request, min(POLL_S, left_s))
                continue
            reply = self._socket.receive(min(POLL_S, left_s))
            if reply is None or reply.meta.get("id") != self._number:
                continue
            if reply.kind == "error":
                error = ConfigError if reply.meta.get("name") == "ConfigError" else RadioError
                raise error(f"{self.name}: {reply.value('text', str)}")
            return reply
        raise RadioError(f"{self.name}: does not answer {kind} within {timeout_s:g} s")


def _pair(message: Message, name: str) -> tuple[float, float]:
    low, high = message.value(name, list)
    return float(low), float(high)
