# SPDX-License-Identifier: GPL-3.0-or-later
"""Captioner, judge and contrastive network: mechanics on tiny random networks, and refusals."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.captioner import (  # noqa: E402
    LONGEST,
    CaptionerConfig,
    CaptionerNetwork,
    SceneCaptioner,
    tokens,
)
from models.contrastive import (  # noqa: E402
    KNOWN,
    ContrastiveConfig,
    ContrastiveJudge,
    ContrastiveNetwork,
    word_numbers,
)
from models.roles import Captioner, PictureJudge, SceneReader, TextSimilarity  # noqa: E402
from models.scene_judge import JudgeConfig, JudgeNetwork, SceneJudge, scenes_of  # noqa: E402
from models.scene_trunk import (  # noqa: E402
    OBJECT_HEADS,
    SCENE_HEADS,
    TrunkConfig,
    at_side,
    cell_loss,
    cell_targets,
    stacked,
)
from models.scenes.grammar import parse, write  # noqa: E402
from models.scenes.render import render  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402

SMALL = TrunkConfig((4, 8, 8), 1)


@pytest.fixture(scope="module")
def readers():
    torch.manual_seed(11)
    return {
        "captioner": SceneCaptioner(CaptionerNetwork(CaptionerConfig(SMALL, 8, 1, 2)), "tiny"),
        "judge": SceneJudge(JudgeNetwork(JudgeConfig(SMALL)), "tiny"),
        "contrastive": ContrastiveJudge(
            ContrastiveNetwork(ContrastiveConfig(SMALL, 8, 8, 1, 2, 8)), "tiny"
        ),
    }


def ask(reader, picture):
    if isinstance(reader, SceneCaptioner):
        return reader.caption(picture)
    return reader.read([picture]) if isinstance(reader, SceneJudge) else reader.fits(picture, "a")


def test_they_fill_their_roles(readers):
    assert isinstance(readers["captioner"], Captioner)
    assert isinstance(readers["judge"], SceneReader)
    assert isinstance(readers["contrastive"], PictureJudge)
    assert isinstance(readers["contrastive"], TextSimilarity)


def test_an_untrained_captioner_still_speaks_the_grammar(readers):
    pictures = render(sample(6, torch.Generator().manual_seed(1)))
    for caption in readers["captioner"].captions(pictures):
        assert write(parse(caption.text)) == caption.text
        assert 0 <= caption.confidence <= 1


def test_pictures_are_captioned_alike_alone_and_together(readers):
    pictures = render(sample(5, torch.Generator().manual_seed(2)))
    together = readers["captioner"].captions(pictures)
    alone = [readers["captioner"].captions(picture[None])[0] for picture in pictures]
    assert [c.text for c in together] == [c.text for c in alone]


def test_longest_caption_fits():
    texts = [write(s) for s in sample(400, torch.Generator().manual_seed(3), count=3).scenes()]
    assert tokens(texts).shape == (400, LONGEST + 1)


def test_the_right_logits_are_read_as_the_scene():
    batch = sample(40, torch.Generator().manual_seed(5))
    wanted = cell_targets(batch)
    logits = {"present": wanted["present"].float() * 8 - 4}
    for name, words in (OBJECT_HEADS | SCENE_HEADS).items():
        logits[name] = 9.0 * torch.nn.functional.one_hot(wanted[name], len(words))
    for scene, read in zip(batch.scenes(), scenes_of(logits), strict=True):
        assert (read.objects, read.background, read.light, read.relations) == (
            scene.objects,
            scene.background,
            scene.light,
            scene.relations,
        )
    right = cell_loss(logits, wanted)
    logits["light"] = logits["light"].roll(1, -1)
    assert right < 0.1 < cell_loss(logits, wanted)


def test_an_empty_reading_is_a_scene_without_objects():
    logits = {"present": torch.full((1, 9), -5.0)}
    logits |= {n: torch.zeros(1, 9, len(w)) for n, w in OBJECT_HEADS.items()}
    logits |= {n: torch.zeros(1, len(w)) for n, w in SCENE_HEADS.items()}
    assert scenes_of(logits)[0].objects == ()


@pytest.mark.parametrize("name", ["captioner", "judge", "contrastive"])
@pytest.mark.parametrize(
    "picture",
    [np.zeros((64, 64), np.uint8), np.full((64, 64, 3), np.nan), np.zeros((0, 64, 3), np.uint8)],
    ids=["grey", "nan", "empty"],
)
def test_they_refuse_what_is_no_picture(readers, name, picture):
    with pytest.raises(ConfigError, match="picture"):
        ask(readers[name], picture)


@pytest.mark.parametrize("name", ["captioner", "judge", "contrastive"])
@pytest.mark.parametrize("shape", [(1, 1), (32, 32), (200, 90)])
def test_any_size_is_read(readers, name, shape):
    assert ask(readers[name], np.full((*shape, 3), 99, np.uint8)) is not None


def test_a_reader_of_nothing_reads_nothing(readers):
    assert readers["judge"].read([]) == []
    assert stacked([]).shape == (0, 3, 64, 64)


def test_a_large_picture_is_averaged_down():
    batch = sample(2, torch.Generator().manual_seed(4))
    assert (at_side(render(batch, 128)) - render(batch, 64)).abs().mean() < 0.01


def test_same_is_most_alike(readers):
    judge = readers["contrastive"]
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert judge.compare(picture, picture) == {"tiny": pytest.approx(1.0, abs=1e-5)}
    assert judge.similarity("a red circle", "a red circle") == pytest.approx(1.0, abs=1e-5)
    assert -1 <= judge.similarity("a red circle", "") <= 1


def test_strange_words_have_places_of_their_own():
    numbers = word_numbers(["a zeppelin", "a Zeppelin,", ""])
    assert numbers.shape == (3, 3)
    assert numbers[0, 1] == numbers[1, 1] >= len(KNOWN)
    assert numbers[2, 0] == KNOWN.index(".") and numbers[2, 1] == 0
    assert torch.isfinite(
        ContrastiveNetwork(ContrastiveConfig(SMALL, 8, 8, 1, 2, 8)).eval().of_words(numbers)
    ).all()


def test_a_text_without_end_is_refused():
    with pytest.raises(ConfigError, match="characters"):
        word_numbers(["a " * 40_000])
