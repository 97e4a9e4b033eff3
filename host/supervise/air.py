# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual air as a child process, and requests to its control socket."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq

from host.supervise.child import Child
from host.supervise.environment import child_environment, host_python
from host.supervise.supervisor import Supervisor
from semcom_blocks.errors import ConfigError, PeerError
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message

READY = "air ready"
# Imports and sockets; a machine at work takes seconds for it.
READY_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_S = 5.0
_LOOK_S = 0.05


def start_air(
    crew: Supervisor, document: Mapping[str, Any], folder: Path
) -> tuple[Child, str | None]:
    """Start the air that ``document`` describes; return when its devices listen.

    ``document`` is what ``semcom_blocks.air`` takes; it is written into ``folder``.  Also
    returns the control endpoint, None without one.  The radio's Python is not needed.
    """
    file = folder / "air.json"
    file.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
    # Its matrices are small: one thread is fastest, and leaves the other cores alone.
    argv = [host_python(), "-m", "semcom_blocks.air", "--config", str(file)]
    child = crew.start("air", argv, child_environment(threads=1), base=True)
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        lines = child.log.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            if line.startswith(READY):
                words = dict(word.split("=", 1) for word in line.split() if "=" in word)
                return child, words.get("control")
        crew.check()
        if time.monotonic() > deadline:
            raise PeerError(f"air not ready within {READY_TIMEOUT_S:g} s")
        time.sleep(_LOOK_S)


class AirControl:
    """Asks a running air for its state, for faults and for other paths."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._context = zmq.Context()

    def state(self) -> dict[str, Any]:
        """Time, tunings and counters."""
        return self._request(Message("state"))

    def fault(self, device: str, kind: str, seconds: float = 0.0) -> None:
        """Make ``device`` misbehave; see its class for the kinds."""
        self._request(Message("fault", {"device": device, "fault": kind, "seconds": seconds}))

    def path(self, source: str, target: str, **changes: Any) -> None:
        """Change what is named of a path; the rest stays."""
        self._request(Message("path", {"from": source, "to": target, **changes}))

    def close(self) -> None:
        """Free the context."""
        self._context.destroy(linger=0)

    def __enter__(self) -> AirControl:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _request(self, message: Message) -> dict[str, Any]:
        # A socket each time: one that has lost its answer could not ask again.
        with MessageSocket(open_socket(self._context, zmq.REQ, connect=self._endpoint)) as messages:
            sent = messages.send(message, REQUEST_TIMEOUT_S)
            reply = messages.receive(REQUEST_TIMEOUT_S) if sent else None
        if reply is None:
            raise PeerError(f"air at {self._endpoint} does not answer: is it running?")
        if reply.kind == "error":
            raise ConfigError(str(reply.meta.get("text", "the air refused")))
        return reply.meta
