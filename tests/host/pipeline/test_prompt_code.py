# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompts on the air: exact whatever they hold, packed where they are captions."""

import numpy as np
import pytest

from host.pipeline.prompt_code import from_air, to_air
from host.pipeline.records import Reception
from host.pipeline.semantics import Semantics
from semcom_blocks.errors import WireError
from semcom_blocks.link.message import SemanticMessage
from semcom_blocks.wire import Message

CAPTION = (
    "a large striped red circle at the top left and a small plain blue square at the bottom right "
    "on a grey background lit from the left. the red circle is above the blue square."
)
TEXTS = ["", "a cat", "\x10", "\x11\x10", "\x10\x10 x", "\x11", "你好", CAPTION, CAPTION.upper()]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("text", TEXTS)
def test_every_prompt_comes_back(text, packed):
    assert from_air(to_air(text, packed)) == text


def test_only_captions_are_packed_and_only_when_asked():
    assert to_air("a cat", packed=True) == "a cat"
    assert to_air(CAPTION) == CAPTION
    packed = to_air(CAPTION, packed=True)
    assert len(packed.encode("utf-8")) <= 7
    on_air, plain = (len(SemanticMessage(t).to_bytes()) for t in (packed, CAPTION))
    assert on_air < plain / 8  # and plain is deflated


def test_a_sender_packs_and_a_receiver_unpacks():
    sent = Semantics(CAPTION, packed=True)
    meta = {
        "job_id": 1,
        "prompt": sent.prompt_on_air,
        "delivered": True,
        "frames_received": 1,
        "streams": [],
    }
    assert Reception.of(Message("received", meta, {})).prompt == CAPTION
    with pytest.raises(WireError, match="packed caption"):
        Reception.of(Message("received", meta | {"prompt": "\x10é"}, {}))


def test_a_stream_is_found_by_its_number():
    meta = {"job_id": 1, "delivered": True, "frames_received": 1, "streams": [{"stream_id": 2}]}
    arrays = {"stream_2": np.zeros(3, np.complex64), "noise_var_2": np.ones(3, np.float32)}
    reception = Reception.of(Message("received", meta, arrays))
    assert reception.prompt is None
    assert reception.stream(2).erased == 0
    assert reception.stream(0) is reception.picture_stream() is None
