# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompts: what may be sent, and how text from elsewhere is shown on a terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from semcom_blocks.errors import SourceError

# A prompt describes a picture. 64 KiB is a short book chapter and still crosses
# a 1 MS/s link in a few seconds.
PROMPT_BYTES_MAX = 64 * 1024

# Joiners shape letters and emoji and move nothing on a terminal.
_HARMLESS_FORMAT = {"\u200c", "\u200d"}
_ESCAPED_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}

CAPTIONS = {
    "astronaut": "An astronaut in an orange flight suit smiles before a flag and a model shuttle.",
    "chelsea": "Chelsea, a ginger tabby cat with green eyes, looks straight into the camera.",
    "coffee": "A cup of espresso with a spoon on a saucer, on a dark wooden table.",
    "hubble_deep_field": "Thousands of distant galaxies on black sky, the Hubble deep field.",
    "motorcycle_left": "A motorcycle stands in a garage, seen from its left side.",
    "motorcycle_right": "A motorcycle stands in a garage, seen from the right camera.",
    "retina": "The retina of an eye with its blood vessels, orange on black.",
    "rocket": "A rocket on its launch pad between four lightning towers, ready to fly.",
}


def check_prompt(text: str) -> str:
    """Return ``text`` unchanged if it can be sent, else raise ``SourceError``.

    Bytes of the command line that are not UTF-8 reach Python as lone surrogates;
    they have no UTF-8 form and are refused rather than replaced, because the link
    promises the exact text.
    """
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        bad = text[error.start]
        code = ord(bad)
        value = f"byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"U+{code:04X}"
        raise SourceError(
            f"prompt has {value} at character {error.start}, permitted: valid UTF-8 text"
        ) from None
    if size > PROMPT_BYTES_MAX:
        raise SourceError(
            f"prompt has {size} bytes, permitted: 0 to {PROMPT_BYTES_MAX} bytes of UTF-8"
        )
    return text


def caption_for(image: str) -> str:
    """The prompt sent with a picture when the user gives none."""
    stem = Path(image).stem
    if stem in CAPTIONS:
        return CAPTIONS[stem]
    printable = stem.encode("utf-8", "replace").decode("utf-8")
    return f"A picture named {printable}."


def for_display(text: str) -> str:
    """``text`` with terminal, bidi and line controls as visible escapes.

    For eyes only: what travels and what is saved stays as it was sent.
    """

    def visible(char: str) -> str:
        if char in _HARMLESS_FORMAT or unicodedata.category(char) not in _ESCAPED_CATEGORIES:
            return char
        return ascii(char)[1:-1]

    return "".join(visible(char) for char in text)
