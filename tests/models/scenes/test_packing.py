# SPDX-License-Identifier: GPL-3.0-or-later
"""Packed captions: exact for every caption that the grammar writes, and short."""

import random
from math import log2

import pytest

torch = pytest.importorskip("torch")
from models.scenes.grammar import write  # noqa: E402
from models.scenes.loosen import loosen, relational  # noqa: E402
from models.scenes.packing import MAX_RELATIONS, pack, unpack  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from models.scenes.scene import Scene, SceneObject  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402


@pytest.fixture(scope="module")
def scenes():
    return sample(300, torch.Generator().manual_seed(8)).scenes()


@pytest.mark.parametrize("kind", ["whole", "loose", "relational"])
def test_every_caption_comes_back(scenes, kind):
    rng = random.Random(2)
    change = {"whole": lambda s: s, "loose": lambda s: loosen(s, rng)}.get(
        kind, lambda s: relational(s, rng)
    )
    captions = [write(change(s)) for s in scenes]
    packed = [pack(c) for c in captions]
    assert [unpack(p) for p in packed] == captions
    assert len(set(packed)) == len(set(captions))
    assert all(p.isascii() for p in packed)


def test_a_whole_scene_takes_little_more_than_its_choices(scenes):
    """3 counts, 8·4·2·3·9 values of an object, 4·4 of the rest; whole or not, kinds of relations.

    An object could still be told from its order and its neighbours: up to 4 bits that are left.
    """
    for scene in scenes:
        bits = log2(3 * 4 * 4 * 2 * 3) + len(scene.objects) * log2(8 * 4 * 2 * 3 * 9)
        assert len(pack(write(scene))) <= -(-bits // 7)


@pytest.mark.parametrize(
    "text",
    [
        "a red dog.",
        "A red circle.",
        "a red circle",
        "a photo of a cat",
        "",
        "a red circle and a white cross."
        + (MAX_RELATIONS + 1) * " the red circle is above the white cross.",
    ],
)
def test_what_is_not_written_so_is_left_alone(text):
    assert pack(text) is None


def test_the_smallest_caption_is_no_character():
    assert pack(write(Scene((SceneObject("red", "circle"),)))) == ""
    assert unpack("") == "a red circle."


@pytest.mark.parametrize("text", ["é", "\x7f" * 400])
def test_what_is_no_packed_caption_is_refused(text):
    with pytest.raises(ConfigError):
        unpack(text)


def test_any_characters_give_a_caption_or_a_refusal():
    rng = random.Random(3)
    for _ in range(500):
        text = "".join(chr(rng.randrange(128)) for _ in range(rng.randrange(12)))
        try:
            caption = unpack(text)
        except ConfigError as error:
            assert "\n" not in str(error)
        else:
            assert caption.startswith("a ")
