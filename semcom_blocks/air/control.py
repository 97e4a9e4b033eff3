# SPDX-License-Identifier: GPL-3.0-or-later
"""The control socket: state, faults and changes of paths while the air runs.

A ZeroMQ REP socket on loopback; each request gets one reply.

    request                                   reply
    state {}                                  state {time_s, devices, …}
    fault {device, fault, seconds}            done {}
    path {from, to, gain_db, …}               done {}: what is not named stays as it is
    anything else, or out of range            error {name, text}
"""

from __future__ import annotations

import logging
import threading
from dataclasses import fields
from typing import Any

import zmq

from semcom_blocks import transport
from semcom_blocks.air.config import PathConfig, path_from_dict
from semcom_blocks.air.device import FAULTS
from semcom_blocks.air.engine import Air
from semcom_blocks.errors import ConfigError, SemcomError, WireError, require_choice, require_range
from semcom_blocks.transport import MessageSocket
from semcom_blocks.wire import Message

#: Long enough for any experiment; the radio would be given up before.
MAX_FAULT_S = 3600.0
# How often the thread looks whether it has to end.
_POLL_S = 0.1
_SEND_S = 1.0

_log = logging.getLogger(__name__)


def answer(air: Air, request: Message) -> Message:
    """Do what ``request`` asks; every failure is an answer too."""
    try:
        return _answer(air, request)
    except SemcomError as error:
        return Message("error", {"name": type(error).__name__, "text": str(error)})


def _answer(air: Air, request: Message) -> Message:
    if request.kind == "state":
        return Message("state", air.state())
    if request.kind == "fault":
        device = air.device(request.value("device", str))
        kind = require_choice("fault", request.value("fault", str), FAULTS)
        seconds = request.value("seconds", (int, float)) if "seconds" in request.meta else 0.0
        device.fault(kind, float(require_range("seconds", seconds, 0.0, MAX_FAULT_S)))
        return Message("done")
    if request.kind == "path":
        air.set_path(_changed(air, request.meta))
        return Message("done")
    raise ConfigError(f"request is {request.kind!r}, permitted: state, fault, path")


def _changed(air: Air, meta: dict[str, Any]) -> PathConfig:
    """The present path between the two devices, with ``meta`` laid over it."""
    asked = path_from_dict({"from": meta.get("from"), "to": meta.get("to")})
    for end in (asked.source, asked.target):
        air.device(end)
    now = air.path_config(asked.source, asked.target)
    kept = {item.name: getattr(now, item.name) for item in fields(PathConfig)[2:]}
    return path_from_dict({**kept, **meta})


class ControlServer:
    """Answers requests on ``endpoint`` in a thread of its own, within ``with``."""

    def __init__(self, air: Air, endpoint: str) -> None:
        self._air = air
        self._context = zmq.Context()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="air control", daemon=True)
        try:
            self._socket = transport.open_socket(self._context, zmq.REP, bind=endpoint)
        except ConfigError:
            self._context.term()
            raise
        self.endpoint = MessageSocket(self._socket).endpoint

    def __enter__(self) -> ControlServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()
        self._context.term()

    def _run(self) -> None:
        messages = MessageSocket(self._socket)
        while not self._stop.is_set():
            if not self._socket.poll(int(_POLL_S * 1000)):
                continue
            request = messages.receive(_POLL_S)
            if request is None:  # malformed: a REP socket owes an answer all the same
                error = WireError("request is malformed, permitted: a message of the testbed")
                reply = Message("error", {"name": "WireError", "text": str(error)})
            else:
                reply = answer(self._air, request)
            try:
                messages.send(reply, _SEND_S)
            except WireError as error:
                _log.warning("reply cannot be sent: %s", error)
                messages.send(Message("error", {"name": "WireError", "text": str(error)}), _SEND_S)
