# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread that owns a socket: ZeroMQ sockets belong to the one thread that uses them."""

import threading
from collections.abc import Callable

from semcom_blocks.transport import MessageSocket


class SocketThread:
    """Calls ``turn(socket)`` until stopped, then closes the socket.

    A turn waits for a message no longer than a fraction of a second, so that a stop is
    seen soon; ``stopping`` tells a turn that waits for something else.
    """

    def __init__(
        self, name: str, socket: MessageSocket, turn: Callable[[MessageSocket], None]
    ) -> None:
        self._socket = socket
        self._turn = turn
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def stopping(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stop.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until the thread is gone."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with self._socket as socket:
            while not self._stop.is_set():
                self._turn(socket)
