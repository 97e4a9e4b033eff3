# SPDX-License-Identifier: GPL-3.0-or-later
"""msgpack-rpc without I/O: bytes in, bytes out.

A request is ``[0, id, method, arguments]`` and is answered ``[1, id, error, result]``;
a notification is ``[2, method, arguments]`` and is not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgpack

from semcom_blocks.errors import SemcomError, WireError

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2
# The driver's largest request is an EEPROM of some hundred bytes.
MAX_MESSAGE_BYTES = 64 * 1024
MAX_ELEMENTS = 1024
MAX_ID = 0xFFFFFFFF


class Session:
    """One connection; ``call(method, arguments)`` carries requests out."""

    def __init__(self, call: Callable[[Any, Any], Any]) -> None:
        self._call = call
        self._unpacker = msgpack.Unpacker(
            raw=False,
            strict_map_key=False,
            max_buffer_size=MAX_MESSAGE_BYTES,
            max_str_len=MAX_MESSAGE_BYTES,
            max_bin_len=MAX_MESSAGE_BYTES,
            max_array_len=MAX_ELEMENTS,
            max_map_len=MAX_ELEMENTS,
            max_ext_len=MAX_MESSAGE_BYTES,
        )

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Answers to what is complete by now; :class:`WireError` if it makes no sense."""
        try:
            self._unpacker.feed(data)
            yield from (reply for reply in map(self._handle, self._unpacker) if reply)
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise WireError(f"RPC message is malformed: {error}") from error

    def _handle(self, message: Any) -> bytes | None:
        if not isinstance(message, (list, tuple)) or not message:
            raise WireError(f"RPC message is {message!r:.60}, permitted: a list")
        if message[0] == NOTIFICATION and len(message) == 3:
            self._try(message[1], message[2])
            return None
        number = message[1] if len(message) == 4 else None
        if message[0] != REQUEST or not isinstance(number, int) or not 0 <= number <= MAX_ID:
            raise WireError(f"RPC message is {message!r:.60}, permitted: request or notification")
        error, result = self._try(message[2], message[3])
        return msgpack.packb([RESPONSE, number, error, result])

    def _try(self, method: Any, arguments: Any) -> tuple[str | None, Any]:
        try:
            return None, self._call(method, arguments)
        except SemcomError as error:
            return str(error), None
        except TypeError as error:  # a wrong number of arguments
            return f"{method}: {error}", None
