# SPDX-License-Identifier: GPL-3.0-or-later
"""The text protocol of the IIO daemon, libiio 0.x: command lines in, numbers out.

    PRINT                                   → length, XML
    VERSION                                 → major.minor.tag
    TIMEOUT ms                              → 0
    READ dev [INPUT|OUTPUT chan] attr       → length, text; also dev DEBUG attr, dev BUFFER attr
    WRITE dev … attr length, then text      → length
    OPEN dev samples mask [CYCLIC]          → 0
    READBUF dev bytes                       → (length, mask once, data)…, as blocks come
    WRITEBUF dev bytes                      → 0, takes the data, → bytes
    SET dev BUFFERS_COUNT n                 → 0
    GETTRIG dev, SETTRIG dev …              → there are no triggers
    CLOSE dev                               → 0
    EXIT                                    the end

An answer below zero is a negated errno.  Unknown commands answer −EINVAL, upon which newer
clients fall back to these.  Nothing here does I/O.

Source: Analog Devices, libiio wiki, "The network backend and the IIO daemon".
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import Literal

#: Longest command line; the longest that a client sends is below 200 bytes.
MAX_LINE_BYTES = 1024
#: Longest value of an attribute: a filter file has some 5 kB.
MAX_VALUE_BYTES = 1 << 16
#: Largest count of bytes in READBUF and WRITEBUF: what the client's own type can hold.
MAX_TRANSFER_BYTES = 2**31 - 1
#: 49 days, the client's own type; iio_stresstest asks for half of that.
MAX_TIMEOUT_MS = 2**32 - 1

AttributeKind = Literal["device", "channel", "debug", "buffer"]

_COUNT = re.compile(r"[0-9]{1,10}", re.ASCII)
_MASK = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)


class Malformed(OSError):
    """A line that is no command; the answer is −EINVAL."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EINVAL, reason)


@dataclass(frozen=True)
class Target:
    """Which attribute: ``channel`` and ``output`` only for those of channels."""

    device: str
    kind: AttributeKind
    name: str
    channel: str = ""
    output: bool = False


@dataclass(frozen=True)
class Command:
    """``verb`` in capitals; ``count`` is its number (bytes, samples, milliseconds, buffers)."""

    verb: str
    device: str = ""
    count: int = 0
    target: Target | None = None
    mask: int = 0
    cyclic: bool = False


def parse(line: bytes) -> Command:
    """One line without its end → a command, or :class:`Malformed`."""
    try:
        words = [word.decode("ascii") for word in line.split()]
    except UnicodeDecodeError:
        raise Malformed("line is not ASCII") from None
    if not words:
        raise Malformed("line is empty")
    verb, *rest = words
    verb = verb.upper()
    if verb in ("PRINT", "VERSION", "EXIT", "QUIT") and not rest:
        return Command("EXIT" if verb == "QUIT" else verb)
    if verb == "TIMEOUT" and len(rest) == 1:
        return Command(verb, count=_count(rest[0], MAX_TIMEOUT_MS))
    if verb == "READ":
        return Command(verb, target=_target(rest))
    if verb == "WRITE" and rest:
        return Command(verb, target=_target(rest[:-1]), count=_count(rest[-1], 2**31 - 1))
    if verb == "OPEN" and len(rest) in (3, 4):
        return _open(rest)
    if verb in ("READBUF", "WRITEBUF") and len(rest) == 2:
        return Command(verb, rest[0], _count(rest[1], MAX_TRANSFER_BYTES))
    if verb == "SET" and len(rest) == 3 and rest[1].upper() == "BUFFERS_COUNT":
        return Command(verb, rest[0], _count(rest[2], 2**31 - 1))
    if (verb in ("CLOSE", "GETTRIG") and len(rest) == 1) or (verb == "SETTRIG" and rest):
        return Command(verb, rest[0])
    raise Malformed(f"{verb!r:.40} with {len(rest)} words is no command")


def _open(words: list[str]) -> Command:
    device, samples, mask, *cyclic = words
    if not _MASK.fullmatch(mask):
        raise Malformed(f"channel mask is {mask!r:.40}, permitted: 8 hexadecimal digits")
    if cyclic and cyclic[0].upper() != "CYCLIC":
        raise Malformed(f"{cyclic[0]!r:.40} is not CYCLIC")
    count = _count(samples, 2**31 - 1)
    return Command("OPEN", device, count, mask=int(mask, 16), cyclic=bool(cyclic))


def _count(word: str, high: int) -> int:
    if not _COUNT.fullmatch(word) or int(word) > high:
        raise Malformed(f"count is {word!r:.40}, permitted: 0 to {high}")
    return int(word)


def _target(words: list[str]) -> Target:
    second = words[1].upper() if len(words) > 2 else ""
    if second in ("INPUT", "OUTPUT") and len(words) == 4:
        return Target(words[0], "channel", words[3], words[2], second == "OUTPUT")
    if second == "DEBUG" and len(words) == 3:
        return Target(words[0], "debug", words[2])
    if second == "BUFFER" and len(words) == 3:
        return Target(words[0], "buffer", words[2])
    if len(words) == 2:
        return Target(words[0], "device", words[1])
    raise Malformed("line does not name an attribute")


def integer(value: int) -> bytes:
    """An answer that is a number."""
    return b"%d\n" % value


def text_answer(text: str) -> bytes:
    """An attribute's value: its length with the closing zero byte, then both."""
    data = text.encode() + b"\0"
    return b"%d\n%s\n" % (len(data), data)
