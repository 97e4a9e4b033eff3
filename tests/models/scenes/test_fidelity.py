# SPDX-License-Identifier: GPL-3.0-or-later
"""Fidelity counts what it says it counts."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
from models.scenes.fidelity import Fidelity, compare, compare_all  # noqa: E402
from models.scenes.grammar import parse  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from models.scenes.scene import Scene  # noqa: E402

TEXT = (
    "a large striped red circle at the top left and a small plain blue square at the bottom right "
    "on a grey background lit from the left. the red circle is above the blue square."
)


def test_a_scene_is_all_right_beside_itself():
    scenes = sample(50, torch.Generator().manual_seed(2)).scenes()
    found = compare_all((s, s) for s in scenes)
    assert found.attributes == found.relations == 1.0
    assert found.exact == found.scenes == 50
    objects = sum(len(s.objects) for s in scenes)
    assert found.said["shape"] == objects
    assert found.said["relation"] == objects - 50


def test_the_order_of_the_objects_found_does_not_matter():
    scene = parse(TEXT)
    turned = Scene(scene.objects[::-1], scene.background, scene.light)
    assert compare(scene, turned).exact == 1


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("striped", "dotted", {"texture": 1}),
        ("large", "small", {"size": 1}),
        ("red circle at", "green circle at", {"colour": 1}),
        ("red circle at", "red cross at", {"shape": 1}),
        ("top left", "middle left", {"place": 1}),
        ("top left", "bottom centre", {"place": 1, "relation": 1}),
        ("grey", "navy", {"background": 1}),
        ("from the left", "from below", {"light": 1}),
    ],
)
def test_one_change_costs_what_it_changes(old, new, lost):
    scene = parse(TEXT)
    changed = parse(TEXT.replace(old, new, 1).split(". ")[0])
    found = compare(scene, changed)
    assert dict(found.said - found.right) == lost
    assert found.exact == 0


def test_a_missing_object_loses_all_that_was_said_of_it():
    scene = parse(TEXT)
    found = compare(scene, replace(scene, objects=scene.objects[:1], relations=()))
    missing = dict(found.said - found.right)
    assert missing == {
        "count": 1, "shape": 1, "colour": 1, "size": 1, "texture": 1, "place": 1, "relation": 1,
    }  # fmt: skip


def test_an_extra_object_costs_the_count_only():
    scene = parse(TEXT)
    extra = parse("a small plain white cross at the middle centre").objects
    found = compare(scene, replace(scene, objects=extra + scene.objects, relations=()))
    assert dict(found.said - found.right) == {"count": 1}


def test_what_the_reference_leaves_open_is_not_counted():
    open_scene = parse("a red circle and a blue square. the red circle is above the blue square.")
    found = compare(open_scene, parse(TEXT))
    assert found.exact == 1
    assert dict(found.said) == {"count": 1, "shape": 2, "colour": 2, "relation": 1}


def test_an_empty_reading_and_an_empty_sum():
    nothing = compare(parse(TEXT), Scene((), checked=False))
    assert nothing.attributes == 0.0
    assert nothing.relations == 0.0
    assert Fidelity().attributes is None
    assert Fidelity().as_dict()["exact"] is None
