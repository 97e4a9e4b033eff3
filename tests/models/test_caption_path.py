# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar word by word: every caption can be walked, every walk is a caption."""

import random

import pytest

torch = pytest.importorskip("torch")

from models.caption_path import CaptionPath  # noqa: E402
from models.scenes.grammar import parse, tokens_of, write  # noqa: E402
from models.scenes.sample import sample  # noqa: E402


def test_every_scene_can_be_told():
    for scene in sample(300, torch.Generator().manual_seed(8)).scenes():
        path = CaptionPath()
        for word in tokens_of(write(scene)):
            path.take(word)
        assert path.allowed == ()


def test_every_walk_is_the_caption_of_a_complete_scene():
    rng = random.Random(3)
    lengths = set()
    for _ in range(300):
        path, words = CaptionPath(), []
        while path.allowed:
            words.append(rng.choice(path.allowed))
            path.take(words[-1])
        scene = parse(" ".join(words))
        assert scene.complete and scene == scene.in_order()
        assert tokens_of(write(scene)) == words
        lengths.add(len(scene.objects))
    assert lengths == {1, 2, 3}


def test_a_word_that_may_not_stand_is_refused():
    path = CaptionPath()
    path.take("a")
    with pytest.raises(ValueError, match="banana"):
        path.take("banana")
