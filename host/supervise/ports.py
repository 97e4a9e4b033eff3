# SPDX-License-Identifier: GPL-3.0-or-later
"""Free TCP ports on this machine."""

from __future__ import annotations

import contextlib
import socket


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """``count`` different ports that nothing listens on right now.

    All are held open until the last is found, so none is handed out twice.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind((address, 0))
        return [sock.getsockname()[1] for sock in sockets]
