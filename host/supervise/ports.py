# SPDX-License-Identifier: GPL-3.0-or-later
"""Free TCP ports on this machine."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path

# Below those that Linux gives by itself to whoever connects or asks for any port
# (net.ipv4.ip_local_port_range, from 32768): between our look and the child's use none is lost.
PORTS = range(20_000, 32_768)


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """``count`` different ports that nothing listens on right now.

    All are held open until the last is found, so none is handed out twice; and as long as
    this process lives, no other one of this user is given them here. ``OSError`` if there are
    too few.
    """
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        for port in random.SystemRandom().sample(PORTS, len(PORTS)):
            if len(found) == count:
                break
            sock = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                _reserve(port)
                sock.bind((address, port))
                found.append(port)
    if len(found) < count:
        raise OSError(errno.EADDRINUSE, f"{count} free ports on {address} are not to be had")
    return found


def _reserve(port: int) -> None:
    """A lock on byte ``port`` of a file that all share; ``OSError`` where another one has it."""
    file = _register()
    if file is not None:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)


@cache
def _register() -> int | None:
    """The file, open as long as the process lives; it stays empty."""
    path = Path(tempfile.gettempdir()) / f"semcom-ports-{os.getuid()}"
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:  # a disk that is full or read-only: two commands may then want one port
        return None
