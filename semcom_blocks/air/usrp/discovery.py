# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery: who asks on the MPM port gets a line with what the device is."""

from __future__ import annotations

from collections.abc import Mapping

PORT = 49600
MAX_BYTES = 8000
REQUEST = b"MPM-DISC"
ECHO = b"MPM-ECHO"
SHOWN = ("type", "product", "serial", "name", "claimed")


def answer(datagram: bytes, info: Mapping[str, str]) -> bytes | None:
    """The reply to a datagram; None where none is due."""
    if datagram.rstrip(b"\0") == REQUEST:
        fields = [f"{key}={info[key]}" for key in SHOWN]
        return ";".join(["USRP-MPM", *fields]).encode()
    if datagram.startswith(ECHO) and len(datagram) <= MAX_BYTES:
        return datagram
    return None
