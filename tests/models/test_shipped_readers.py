# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers with the weights in the repository, at their operating points."""

import pytest

torch = pytest.importorskip("torch")

from host.train.scene_batches import held_out  # noqa: E402
from models.captioner import SceneCaptioner  # noqa: E402
from models.contrastive import ContrastiveJudge, word_numbers  # noqa: E402
from models.scene_judge import SceneJudge  # noqa: E402
from models.scenes.fidelity import compare_all  # noqa: E402
from models.scenes.grammar import parse, write  # noqa: E402

COUNT = 60


@pytest.mark.parametrize(("side", "strength", "least"), [(64, 0, 0.995), (128, 1.0, 0.97)])
def test_judge_reads_clean_and_worn_pictures(side, strength, least):
    scenes, pictures = held_out(COUNT, side, strength)
    found = compare_all(zip(scenes.scenes(), SceneJudge.load().read_batch(pictures), strict=True))
    assert found.attributes > least and found.relations > least


@pytest.mark.parametrize("side", [64, 128])
def test_captioner_tells_what_is_there(side):
    scenes, pictures = held_out(COUNT, side)
    told = [parse(caption.text) for caption in SceneCaptioner.load().captions(pictures)]
    found = compare_all(zip(scenes.scenes(), told, strict=True))
    assert found.attributes > 0.975 and found.relations > 0.98


def test_captioner_is_surer_where_it_is_right():
    scenes, pictures = held_out(COUNT, 64, 1.0)
    captions = SceneCaptioner.load().captions(pictures)
    sure = {True: [], False: []}
    for scene, caption in zip(scenes.scenes(), captions, strict=True):
        sure[caption.text == write(scene)].append(caption.confidence)
    mean = {right: sum(values) / len(values) for right, values in sure.items()}
    assert mean[True] > mean[False] + 0.1


@torch.no_grad()
def test_contrastive_network_finds_the_caption_of_a_picture():
    scenes, pictures = held_out(COUNT, 64)
    network = ContrastiveJudge.load().network
    texts = network.of_words(word_numbers([write(s) for s in scenes.scenes()]))
    chosen = (network.of_pictures(pictures) @ texts.T).argmax(1)
    assert (chosen == torch.arange(COUNT)).float().mean() > 0.6  # by chance: 0.017
