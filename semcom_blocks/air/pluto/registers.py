# SPDX-License-Identifier: GPL-3.0-or-later
"""Direct register access: how gr-iio learns of under- and overflows.

The debug attribute is written with an address to choose a register, or with address and
value to set it, and read for the chosen one's value.  Of the cores' registers only the
status at 0x88 means something; its bits are cleared by writing them.  The rest reads 0.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from semcom_blocks.air.pluto.iio import Attribute, parse_int

#: The kernel's sign for "of the core, not of the chip behind it"; the rest is the offset.
CORE_FLAG = 0x8000_0000
STATUS = 0x88
VERSION = 0x00
CORE_VERSION = 0x000A_0062  # 10.00.b, any that drivers accept


class Registers:
    """``status`` reads the bits, ``clear`` clears those given."""

    def __init__(self, status: Callable[[], int], clear: Callable[[int], None]) -> None:
        self._status = status
        self._clear = clear
        self._address = 0

    def read(self) -> str:
        offset = self._address & ~CORE_FLAG
        if offset == STATUS:
            return f"0x{self._status():X}"
        return f"0x{CORE_VERSION if offset == VERSION else 0:X}"

    def write(self, text: str) -> None:
        words = text.split()
        if not 1 <= len(words) <= 2:
            raise OSError(errno.EINVAL, f"{text.strip()!r:.40} is not ADDRESS or ADDRESS VALUE")
        numbers = [parse_int(word, 0, 2**32 - 1) for word in words]
        self._address = numbers[0]
        if len(numbers) == 2 and self._address & ~CORE_FLAG == STATUS:
            self._clear(numbers[1])

    def attribute(self) -> Attribute:
        return Attribute(self.read, self.write)
