# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages into packet payloads and back, under a CRC-32 of the whole.

The second CRC costs four bytes a message.  It is there because a packet's own CRC-32 passes
one damaged packet in 2^32, and a wrong prompt must never be delivered.
"""

from collections.abc import Sequence

from semcom_blocks.crc import crc32
from semcom_blocks.errors import LinkError
from semcom_blocks.link.packets import MAX_PACKETS, MAX_PAYLOAD_BYTES

_CRC_BYTES = 4


def split(message: bytes, payload_bytes: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Payloads of ``payload_bytes`` (the last may be shorter), the CRC at their end.

    Raises :class:`LinkError` when the message needs more than 512 packets.
    """
    sealed = message + crc32(message).to_bytes(_CRC_BYTES, "big")
    if len(sealed) > payload_bytes * MAX_PACKETS:
        longest = payload_bytes * MAX_PACKETS - _CRC_BYTES
        raise LinkError(f"message of {len(message)} bytes, permitted: 0 to {longest}")
    return [sealed[at : at + payload_bytes] for at in range(0, len(sealed), payload_bytes)]


def join(payloads: Sequence[bytes]) -> bytes:
    """Inverse of :func:`split`; :class:`LinkError` when the CRC does not match."""
    sealed = b"".join(payloads)
    message, check = sealed[:-_CRC_BYTES], sealed[-_CRC_BYTES:]
    if crc32(message).to_bytes(_CRC_BYTES, "big") != check:
        raise LinkError(f"CRC-32 of the message of {len(message)} bytes does not match")
    return message
