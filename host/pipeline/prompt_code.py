# SPDX-License-Identifier: GPL-3.0-or-later
"""How a prompt is written on the air: as it is, or packed by the scenes' grammar.

    any text        the prompt itself
    DLE …           a packed scene caption (:mod:`models.scenes.packing`)
    DC1 …           the prompt behind DC1, which itself begins with DLE or DC1

The receiver tells them apart by the first character, so only the sender has a choice.
"""

from __future__ import annotations

from models.scenes.packing import pack, unpack
from semcom_blocks.errors import ConfigError, WireError

PACKED, LITERAL = "\x10", "\x11"


def to_air(prompt: str, packed: bool = False) -> str:
    """``prompt`` as the radio sends it; ``packed``: in few bytes, where it is a scene's caption."""
    if packed and (short := pack(prompt)) is not None:
        return PACKED + short
    return LITERAL + prompt if prompt[:1] in (PACKED, LITERAL) and prompt else prompt


def from_air(text: str) -> str:
    """The prompt of what arrived; :class:`WireError` for a packed caption that is none."""
    if text.startswith(LITERAL):
        return text[1:]
    if not text.startswith(PACKED):
        return text
    try:
        return unpack(text[1:])
    except ConfigError as error:
        raise WireError(f"received: {error}") from None
