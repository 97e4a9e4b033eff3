# SPDX-License-Identifier: GPL-3.0-or-later
"""Management packets: how libuhd finds its way through the device and sets up streams.

A management packet carries a list of hops; each hop is a list of operations for
one node.  It enters at the transport and goes on until a hop says RETURN::

    host ── transport ── crossbar ─┬─ endpoint 0 (control and data)
                                   └─ endpoint 1 (data)

The reply holds the hop behind that one (libuhd sends a lone NOP) and the answers to
the requests.
Source: "RFNoC Specification" 1.0, section 2.3; libuhd 4.3's behaviour.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from semcom_blocks.air.usrp.chdr import ChdrError

MAX_HOPS = 16  # the longest way here has four


class NodeType(IntEnum):
    """What an INFO answer calls a node."""

    CROSSBAR = 1
    ENDPOINT = 2
    TRANSPORT = 3


class Op(IntEnum):
    """Operations of a management packet."""

    NOP = 0
    ADVERTISE = 1
    SELECT = 2
    RETURN = 3
    INFO = 4
    INFO_ANSWER = 5
    WRITE = 6
    READ = 7
    READ_ANSWER = 8


class Endpoint(Protocol):
    """A stream endpoint as the management sees it: 32-bit registers at 16-bit addresses."""

    def read(self, address: int) -> int: ...

    def write(self, address: int, value: int) -> None: ...


class Fabric:
    """The nodes of one device; ``device_id`` is given to it by the host."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = endpoints
        self.device_id = 1

    def answer(self, words: tuple[int, ...], own_epid: int) -> tuple[int, bytes] | None:
        """Carry a packet out.

        Args:
            words: The payload's 64-bit words.
            own_epid: The endpoint that the packet was addressed to; the reply's source.

        Returns:
            The asking endpoint and the reply's payload, or None where the way leads
            nowhere (the host takes its silence for an unconnected port).

        Raises:
            ChdrError: The hops do not add up, or are more than :data:`MAX_HOPS`.
        """
        if not words:
            raise ChdrError("management payload has 0 words, permitted: 1 or more")
        head = words[0]
        hops = _split(words[1:])
        # None stands for the transport, -1 for the crossbar, others for endpoints.
        node: int | None = None
        for index, hop in enumerate(hops):
            answers, chosen, returned = self._visit(hop, node)
            if returned:
                reply = [head & ~0x3FFFFFF | 1 << 16 | own_epid]
                following = hops[index + 1] if index + 1 < len(hops) else [Op.NOP << 8]
                kept = [word & ~0xFF for word in following] + answers
                reply += [word | len(kept) - 1 - i for i, word in enumerate(kept)]
                return head & 0xFFFF, struct.pack(f"<{len(reply)}Q", *reply)
            if node is None:
                node = -1
            elif node == -1 and chosen is not None and 0 < chosen <= len(self.endpoints):
                node = chosen - 1
            elif node == -1 and chosen == 0:
                node = None
            else:
                return None
        return None

    def _visit(self, hop: Sequence[int], node: int | None) -> tuple[list[int], int | None, bool]:
        """Carry one hop out: answers, the destination chosen, whether to return."""
        answers: list[int] = []
        chosen, returned = None, False
        for word in hop:
            op, payload = word >> 8 & 0xFF, word >> 16
            address, value = payload & 0xFFFF, payload >> 16 & 0xFFFFFFFF
            if op == Op.SELECT:
                chosen = address
            elif op == Op.RETURN:
                returned = True
            elif op == Op.INFO:
                answers.append(self._info(node) << 16 | Op.INFO_ANSWER << 8)
            elif op == Op.WRITE and node is not None and node >= 0:
                self.endpoints[node].write(address, value)
            elif op == Op.READ:
                read = self.endpoints[node].read(address) if node is not None and node >= 0 else 0
                answers.append((read << 16 | address) << 16 | Op.READ_ANSWER << 8)
        return answers, chosen, returned

    def _info(self, node: int | None) -> int:
        """48 bits: device, type, instance and what the type has to add."""
        if node is None:
            kind, instance, extra = NodeType.TRANSPORT, 0, 0
        elif node == -1:
            kind, instance = NodeType.CROSSBAR, 0
            extra = 1 << 8 | 1 + len(self.endpoints)  # transports, ports
        else:
            kind, instance = NodeType.ENDPOINT, node
            # Reports stream errors; one output and one input port; data; control on the first.
            extra = 1 << 14 | 1 << 8 | 1 << 2 | 1 << 1 | (node == 0)
        return self.device_id | kind << 16 | instance << 20 | extra << 30


def _split(words: Sequence[int]) -> list[Sequence[int]]:
    """Hops of a packet; the low byte of an operation counts those that follow in its hop."""
    hops: list[Sequence[int]] = []
    start = 0
    while start < len(words):
        stop = start + (words[start] & 0xFF) + 1
        if stop > len(words) or len(hops) == MAX_HOPS:
            raise ChdrError(
                f"management hop {len(hops)} ends at word {stop}, permitted: "
                f"up to {len(words)} words and {MAX_HOPS} hops"
            )
        hops.append(words[start:stop])
        start = stop
    return hops
