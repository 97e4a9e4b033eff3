# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP ports on this machine: free ones, and a clear word when one is taken."""

from __future__ import annotations

import contextlib
import socket

from host.config.models import PORT_HIGH, PORT_LOW
from semcom_blocks.errors import ConfigError


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """``count`` different ports that nothing listens on right now.

    All are held open until the last is found, so none is handed out twice.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind((address, 0))
        return [sock.getsockname()[1] for sock in sockets]


def require_free_port(name: str, port: int, address: str = "127.0.0.1") -> int:
    """Return ``port`` if it can be bound on ``address``, else raise ``ConfigError``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as sock:
        # As ZMQ binds: a port in TIME_WAIT counts as free, a listening one does not.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("" if address == "*" else address, port))
        except OSError as error:
            raise ConfigError(
                f"{name} {port} on {address} is in use or not ours ({error.strerror}), "
                f"permitted: a free port, {PORT_LOW} to {PORT_HIGH}"
            ) from None
    return port
