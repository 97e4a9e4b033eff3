# SPDX-License-Identifier: GPL-3.0-or-later
"""What the readers are trained with: worn pictures, shortened and wrong captions, classes."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from host.train.captions import shortened, wrong  # noqa: E402
from host.train.class_pictures import class_pictures, class_sentences, shifted  # noqa: E402
from host.train.edge_codec import conditions, map_loss  # noqa: E402
from host.train.hed import dice_loss, edge_loss  # noqa: E402
from host.train.scene_batches import draw, held_out  # noqa: E402
from host.train.wear import worn  # noqa: E402
from models.scenes.grammar import parse, write  # noqa: E402
from models.scenes.sample import sample  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


def test_wear_grows_with_its_strength_and_repeats():
    _, pictures = draw(16, 0.0, 1.0, seeded())
    off = [(worn(pictures, s, seeded()) - pictures).abs().mean() for s in (0.0, 0.3, 1.0)]
    assert off[0] < 1e-5 and off[0] < off[1] < off[2] < 0.2
    assert torch.equal(worn(pictures, 1.0, seeded()), worn(pictures, 1.0, seeded()))
    assert worn(pictures, 1.0, seeded()).min() >= 0


def test_wear_is_the_same_while_training_in_eight_bits_of_mantissa():
    _, pictures = draw(4, 0.0, 1.0, seeded())
    with torch.autocast("cpu", torch.bfloat16):
        found = worn(pictures, 1.0, seeded())
    assert torch.equal(found, worn(pictures, 1.0, seeded()))


def test_held_out_scenes_are_the_same_at_each_size():
    (small, a), (large, b) = held_out(3, 64), held_out(3, 128)
    assert small.scenes() == large.scenes() and a.shape == b.shape == (3, 3, 64, 64)


def test_a_wrong_caption_is_a_caption_of_another_scene():
    generator = seeded(2)
    for scene in sample(200, generator).scenes():
        short = shortened(scene, generator)
        for told in (scene, short):
            other = wrong(told, generator)
            assert write(other) != write(told)
            assert len(other.objects) == len(told.objects)
            assert len(other.relations) == len(told.relations)  # its length betrays nothing
            assert parse(write(other)).objects == other.objects


@pytest.fixture
def classes(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for kind, level in (("cat", 10), ("ship", 200)):
            for i in range(3):
                buffer = io.BytesIO()
                Image.new("RGB", (40, 36), (level,) * 3).save(buffer, "PNG")
                archive.writestr(f"train/{kind}/{i}.png", buffer.getvalue())
    return tmp_path / "set.zip"


def test_classes_come_from_folders(classes):
    pictures, numbers, names = class_pictures(classes, "train")
    assert names == ["cat", "ship"] and pictures.shape == (6, 3, 32, 32)
    assert [int(p.float().mean()) for p in pictures] == [10, 10, 10, 200, 200, 200]
    assert numbers.tolist() == [0, 0, 0, 1, 1, 1]
    moved = shifted(pictures, seeded())
    assert moved.shape == (6, 3, 32, 32) and moved.max() <= 1
    for text in class_sentences(names * 20, seeded()):
        assert any(word in text for word in ("cat", "ship", "boat"))


def test_no_classes_are_refused(tmp_path, classes):
    with pytest.raises(ConfigError, match="classes"):
        class_pictures(classes, "test")
    with pytest.raises(ConfigError, match="folder or a zip"):
        class_pictures(tmp_path / "none.zip", "train")


def test_losses_fall_towards_the_target_and_leave_out_what_does_not_count():
    wanted = torch.zeros(1, 1, 8, 8)
    wanted[..., 4] = 1
    wanted[..., 6] = -1
    right, flat = torch.where(wanted > 0, 6.0, -6.0), torch.zeros(1, 1, 8, 8)
    for loss in (edge_loss, dice_loss):
        assert loss(right, wanted) < loss(flat, wanted)
        spoilt = right.clone()
        spoilt[..., 6] = 6.0
        assert torch.allclose(loss(right, wanted), loss(spoilt, wanted))
    truth = wanted.clamp_min(0)
    assert map_loss(right, truth) < map_loss(flat, truth)


def test_conditions_cover_clean_noisy_short_and_lost():
    ber, arrived = conditions((2000, 7, 4, 4), seeded())
    assert 0.28 < (ber == 0).float().mean() < 0.39 and ber.min() >= 0 and ber.max() <= 0.2
    whole = arrived.flatten(1).mean(1)
    assert 0.45 < (whole == 1).float().mean() < 0.65
    assert np.isin(arrived.numpy(), (0, 1)).all()
