# SPDX-License-Identifier: GPL-3.0-or-later
"""Which prompts are sent, and that display never changes them."""

import os

import pytest

from host.prompts import CAPTIONS, PROMPT_BYTES_MAX, caption_for, check_prompt, for_display
from semcom_blocks.errors import SourceError


@pytest.mark.parametrize(
    "text",
    ["", "a cat", "Grüße, 你好, 👩‍🚀", "nul \0 inside", "\u202eevil\u202c", "x" * PROMPT_BYTES_MAX],
)
def test_valid_text_passes_unchanged(text):
    assert check_prompt(text) is text


def test_bytes_of_the_command_line_that_are_not_utf8_are_refused():
    text = os.fsdecode(b"cat \xff dog")
    with pytest.raises(SourceError, match=r"byte 0xff at character 4, permitted: valid UTF-8"):
        check_prompt(text)


def test_lone_surrogate_is_named():
    with pytest.raises(SourceError, match=r"U\+D800 at character 0"):
        check_prompt("\ud800")


@pytest.mark.parametrize("text", ["x" * (PROMPT_BYTES_MAX + 1), "ü" * (PROMPT_BYTES_MAX // 2 + 1)])
def test_length_counts_bytes(text):
    with pytest.raises(SourceError, match="permitted: 0 to 65536 bytes"):
        check_prompt(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Grüße", "plain Grüße"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\0", "a\\nb\\tc\\x00"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("\u009b2J", "\\x9b2J"),
        ("👩‍🚀", "👩‍🚀"),
    ],
)
def test_controls_are_shown_as_escapes(text, shown):
    assert for_display(text) == shown


def test_every_picture_has_a_caption_that_can_be_sent():
    for name in (*CAPTIONS, "/tmp/some photo.jpg", os.fsdecode(b"\xff.png")):
        assert check_prompt(caption_for(name))
