# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines and blocks of bytes from one socket, bounded."""

from __future__ import annotations

import socket

from semcom_blocks.air.pluto.protocol import MAX_LINE_BYTES, Malformed

_CHUNK_BYTES = 1 << 14


class LineReader:
    """Reads ahead for lines only: blocks go straight to where they belong."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._ahead = bytearray()

    def line(self) -> bytes | None:
        """The next line, stripped; None when the other side has closed.

        :class:`Malformed` if there is no end of line within ``MAX_LINE_BYTES``.
        """
        while (end := self._ahead.find(b"\n", 0, MAX_LINE_BYTES)) < 0:
            if len(self._ahead) >= MAX_LINE_BYTES:
                raise Malformed(f"line is longer than {MAX_LINE_BYTES} bytes")
            chunk = self._sock.recv(_CHUNK_BYTES)
            if not chunk:
                return None
            self._ahead += chunk
        line = bytes(self._ahead[:end])
        del self._ahead[: end + 1]
        return line.strip()

    def fill(self, view: memoryview) -> None:
        """Exactly ``len(view)`` bytes; :class:`ConnectionError` if the other side closes."""
        ready = min(len(view), len(self._ahead))
        view[:ready] = self._ahead[:ready]
        del self._ahead[:ready]
        while ready < len(view):
            got = self._sock.recv_into(view[ready:], 0, socket.MSG_WAITALL)
            if not got:
                raise ConnectionAbortedError("client left in the middle of a block")
            ready += got
