# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions: what is written is read back exactly, and what is wrong is named."""

import random
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
from models.scenes.grammar import WORDS, parse, write  # noqa: E402
from models.scenes.loosen import loosen, relational  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from models.scenes.scene import Relation, Scene, SceneObject  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402


@pytest.fixture(scope="module")
def scenes():
    return sample(400, torch.Generator().manual_seed(3)).scenes()


def test_complete_captions_are_read_back(scenes):
    assert {len(s.objects) for s in scenes} == {1, 2, 3}
    for scene in scenes:
        assert scene.complete
        assert parse(write(scene)) == scene
        assert scene.in_order() == scene


def test_captions_that_leave_things_open_are_read_back(scenes):
    rng = random.Random(4)
    loose = [loosen(s, rng) for s in scenes]
    assert sum(s.complete for s in loose) < len(loose) / 4
    for scene in loose:
        assert parse(write(scene)) == scene


def test_relations_without_places_are_true_of_the_scene(scenes):
    rng = random.Random(5)
    for scene in scenes:
        told = relational(scene, rng)
        assert len(told.relations) == len(scene.objects) - 1
        assert all(o.cell is None for o in told.objects)
        placed = {(o.colour, o.shape): o for o in scene.objects}
        for relation in told.relations:
            a, b = (told.objects[i] for i in (relation.first, relation.second))
            assert relation.holds(placed[a.colour, a.shape], placed[b.colour, b.shape])


def test_the_example_of_the_manual():
    text = (
        "a large striped red circle at the top left and a small plain blue square at the bottom "
        "right on a grey background lit from the left. the red circle is above the blue square."
    )
    scene = parse(text)
    red = SceneObject("red", "circle", "large", "striped", "top", "left")
    blue = SceneObject("blue", "square", "small", "plain", "bottom", "right")
    assert scene == Scene((red, blue), "grey", "left", (Relation(0, "above", 1),))
    assert write(scene) == text


@pytest.mark.parametrize(
    "text",
    [
        "A red circle",
        "a red circle.",
        "an orange cross, and a white cross",
        "  a   red circle on a navy background,lit from above",
    ],
)
def test_case_spacing_and_small_words_are_free(text):
    assert parse(text).objects[0].shape in ("circle", "cross")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a red dog", "'dog'"),
        ("a crimson circle in a park", "'crimson'"),
        ("", "its end"),
        ("a circle", "'circle' as word 2"),
        ("a red circle at the left", "'left' as word 6"),
        ("a red circle a blue square", "'a' as word 4"),
        ("a red circle on a grey", "its end"),
        ("a red circle. the red circle is left of the blue square.", "blue square"),
        ("a red circle. the red circle is left of the red circle.", "itself"),
        ("a red circle and a red circle", "two of 'red circle'"),
        ("a red circle at the top left and a blue circle at the top left", "one place"),
        (
            "a red circle at the top left and a blue circle at the top right. "
            "the red circle is right of the blue circle.",
            "what the places allow",
        ),
        (", ".join(["a red circle"] * 4), "permitted: 1 to 3"),
        ("a " * 1001, "characters"),
    ],
)
def test_a_wrong_caption_is_refused_in_one_line(text, complaint):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_word_cut_out_of_a_caption_never_crashes(scenes):
    """Whatever is left is either a caption or refused by name."""
    words = write(scenes[0]).split()
    for i in range(len(words)):
        try:
            parse(" ".join(words[:i] + words[i + 1 :]))
        except ConfigError as error:
            assert "permitted" in str(error)


def test_the_words_are_all_that_captions_hold(scenes):
    found = {w.strip(".,") for s in scenes for w in write(s).split()}
    assert found <= set(WORDS)


def test_a_scene_refuses_what_it_cannot_mean():
    red = SceneObject("red", "circle")
    with pytest.raises(ConfigError, match="colour is 'pink'"):
        SceneObject("pink", "circle")
    with pytest.raises(ConfigError, match="row and column"):
        SceneObject("red", "circle", row="top")
    with pytest.raises(ConfigError, match="background"):
        Scene((red,), background="green")
    with pytest.raises(ConfigError, match="relation's object"):
        Scene((red,), relations=(Relation(0, "above", 1),))
    two = Scene((red, red), checked=False)  # a judge may see such things
    assert len(two.objects) == 2
    with pytest.raises(ConfigError):
        replace(two, checked=True)
