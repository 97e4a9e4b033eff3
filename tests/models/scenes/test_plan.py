# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caption leaves open is chosen so that what it says holds."""

import random
from collections import Counter

import pytest

torch = pytest.importorskip("torch")
from models.scenes.fidelity import compare  # noqa: E402
from models.scenes.grammar import parse  # noqa: E402
from models.scenes.loosen import loosen  # noqa: E402
from models.scenes.plan import arrangements, complete  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402


def test_every_completion_keeps_all_that_was_said():
    rng = random.Random(1)
    for scene in sample(200, torch.Generator().manual_seed(1)).scenes():
        loose = loosen(scene, rng)
        whole = complete(loose, rng)
        assert whole.complete
        assert whole == whole.in_order()
        assert compare(loose, whole).exact == 1


def test_a_complete_scene_stays_as_it_is():
    for scene in sample(50, torch.Generator().manual_seed(2)).scenes():
        assert complete(scene, random.Random(0)) == scene


def test_the_number_of_arrangements():
    assert len(arrangements(parse("a red circle"))) == 9
    assert len(arrangements(parse("a red circle at the top left and a red cross"))) == 8
    above = "a red circle and a red cross. the red circle is above the red cross."
    assert len(arrangements(parse(above))) == 27  # 3 pairs of rows, 9 pairs of columns


def test_every_arrangement_comes_up():
    rng = random.Random(3)
    scene = parse("a large plain red circle on a grey background lit from above")
    found = Counter(complete(scene, rng).objects[0].cell for _ in range(900))
    assert len(found) == 9
    assert min(found.values()) > 60


@pytest.mark.parametrize(
    "relations",
    [
        "the red circle is above the red cross. the red cross is above the red circle.",
        "the red circle is left of the red cross. the red circle is right of the red cross.",
    ],
)
def test_a_contradiction_is_refused(relations):
    scene = parse(f"a red circle and a red cross. {relations}")
    with pytest.raises(ConfigError, match="can all hold at once"):
        complete(scene, random.Random(0))


def test_a_place_can_contradict_too():
    text = "a red circle at the bottom left and a red cross. the red circle is above the red cross."
    with pytest.raises(ConfigError, match="red circle above red cross"):
        complete(parse(text), random.Random(0))
