# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets and ARQ without I/O: bytes and a clock in, events out.

    prompt, descriptors --SemanticMessage--> bytes --ArqSender--> packets ~~> air
    air ~~> packets --ArqReceiver--> bytes --SemanticMessage--> prompt, descriptors

The state table is in :mod:`semcom_blocks.link.arq`.
"""

from semcom_blocks.link.arq import (
    ArqConfig,
    BandsHeard,
    Event,
    MessageDelivered,
    MessageFailed,
    MessageReceived,
    MessageSent,
    SendAck,
    SendPacket,
)
from semcom_blocks.link.message import SemanticMessage
from semcom_blocks.link.receiver import ArqReceiver
from semcom_blocks.link.sender import ArqSender

__all__ = [
    "ArqConfig",
    "ArqReceiver",
    "ArqSender",
    "BandsHeard",
    "Event",
    "MessageDelivered",
    "MessageFailed",
    "MessageReceived",
    "MessageSent",
    "SemanticMessage",
    "SendAck",
    "SendPacket",
]
