# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of captions."""

import pytest

torch = pytest.importorskip("torch")
from models.generation.text import (  # noqa: E402
    MAX_TOKENS,
    TOKENS,
    batch_tokens,
    tokenise,
)
from models.scenes.grammar import write  # noqa: E402
from models.scenes.sample import sample  # noqa: E402


def words(text):
    return [TOKENS[i] for i in tokenise(text).ids]


def test_words_that_mean_one_thing_are_one_token():
    text = (
        "a large red circle at the top left and a blue square on a grey background lit from the "
        "left. the red circle is left of the blue square."
    )
    found = tokenise(text)
    assert words(text) == [
        "large", "red", "circle", "top left", "blue", "square", "grey", "from left",
        "red", "circle", "left of", "blue", "square",
    ]  # fmt: skip
    assert found.segments == (0, 0, 0, 0, 1, 1, 3, 3, 4, 4, 4, 4, 4)
    assert found.cells == (1, 1, 1, 1, *[0] * 9)


def test_above_is_a_light_or_a_relation():
    assert words("a red circle lit from above.") == ["red", "circle", "from above"]
    text = "a red circle and a red cross. the red circle is above the red cross."
    assert words(text)[-3:] == ["above", "red", "cross"]


def test_every_caption_fits_and_no_two_share_their_tokens():
    scenes = sample(1000, torch.Generator().manual_seed(6)).scenes()
    found = {}
    for scene in scenes:
        tokens = tokenise(write(scene))
        assert not tokens.dropped
        assert found.setdefault((tokens.ids, tokens.segments), scene) == scene


def test_what_is_behind_the_limit_is_named():
    relation = " the red circle is left of the blue square."
    found = tokenise("a red circle and a blue square." + 10 * relation)
    assert len(found.ids) == len(found.segments) == len(found.cells) == MAX_TOKENS
    assert len(found.dropped) == 4 + 50 - MAX_TOKENS
    assert max(found.segments) == 7


def test_batches_are_padded_and_the_empty_text_is_pads():
    batch = batch_tokens(["a red circle", ""])
    assert batch.shape == (2, 3, MAX_TOKENS)
    assert batch[0, 0].count_nonzero() == 2
    assert not batch[1].any()
