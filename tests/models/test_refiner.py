# SPDX-License-Identifier: GPL-3.0-or-later
"""The refiner: identity at strength 0, any size, and photos in the embedded generator."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models.generation.flow import Flow, FlowConfig  # noqa: E402
from models.generation.pipeline import EmbeddedGenerator  # noqa: E402
from models.generation.vae import Vae, VaeConfig  # noqa: E402
from models.refiner import PhotoRefiner, Refiner, RefinerConfig  # noqa: E402
from models.roles import Request  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402

TINY = RefinerConfig(fine=4, fine_blocks=1, width=6, blocks=1)
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(40, 216, (50, 71, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def refiner():
    torch.manual_seed(0)
    network = Refiner(TINY)
    with torch.no_grad():  # the last layer starts at zero
        network.leave[-2].weight.add_(0.05 * torch.randn(network.leave[-2].weight.shape))
    return PhotoRefiner(network.requires_grad_(False))


def test_a_fresh_network_changes_nothing():
    assert np.array_equal(PhotoRefiner(Refiner(TINY)).refine(PHOTO), PHOTO)


def test_strength_is_the_share_of_the_residual(refiner):
    assert np.array_equal(refiner.refine(PHOTO, 0.0), PHOTO)
    half, whole = (refiner.refine(PHOTO, s).astype(int) for s in (0.5, 1.0))
    inside = (whole > 0) & (whole < 255)  # not clipped
    assert np.abs(whole - PHOTO).max() > 4
    twice, once = 2 * (half - PHOTO), whole - PHOTO
    assert np.abs(twice - once)[inside].max() <= 2  # rounding of both


@pytest.mark.parametrize("size", [(1, 1), (7, 4), (33, 64)])
def test_any_size_will_do(refiner, size):
    picture = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
    assert refiner.refine(picture).shape == picture.shape


@pytest.mark.parametrize("size", [(131, 200), (64, 65), (130, 63)])
def test_a_large_picture_is_refined_by_parts_as_if_whole(refiner, size, monkeypatch):
    picture = RNG.integers(40, 216, (*size, 3), dtype=np.uint8)
    whole = refiner.refine(picture)
    monkeypatch.setattr("models.refiner.TILE", 64)
    assert np.array_equal(refiner.refine(picture), whole)


def test_the_halo_is_wider_than_the_shipped_networks_reach():
    torch.manual_seed(0)
    network = Refiner()
    with torch.no_grad():
        network.leave[-2].weight.add_(torch.randn(network.leave[-2].weight.shape))
    picture = torch.full((1, 3, 4, 260), 0.5)
    changed = picture.clone()
    changed[..., 128:132] = 1.0
    apart = (network(picture) - network(changed)).abs().amax((0, 1, 2))
    assert apart[:64].max() == 0
    assert apart[196:].max() == 0
    assert apart[128:132].max() > 0


def test_far_corners_do_not_reach_each_other(refiner):
    picture = RNG.integers(0, 256, (160, 16, 3), dtype=np.uint8)
    other = picture.copy()
    other[-8:] = 255 - other[-8:]
    assert np.array_equal(refiner.refine(picture)[:64], refiner.refine(other)[:64])


@pytest.mark.parametrize(
    ("picture", "strength", "complaint"),
    [
        (PHOTO, 1.5, "strength is 1.5"),
        (PHOTO.astype(np.float32), 1.0, "float32"),
        (PHOTO[..., 0], 1.0, "picture is"),
    ],
)
def test_what_is_no_picture_is_refused(refiner, picture, strength, complaint):
    with pytest.raises(ConfigError, match=complaint):
        refiner.refine(picture, strength)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"refiner-v1\.json"):
        PhotoRefiner.load(directory=tmp_path)


@pytest.fixture(scope="module")
def generators(refiner):
    torch.manual_seed(0)
    vae = Vae(VaeConfig(encoder_width=4, encoder_blocks=0, width=4, blocks=0, fine_blocks=0))
    flow = Flow(FlowConfig(width=8, heads=1, blocks=1))
    parts = (vae.requires_grad_(False), flow.requires_grad_(False))
    return EmbeddedGenerator(*parts, refiner=refiner), EmbeddedGenerator(*parts)


def test_a_coarse_photo_is_refined_by_the_generator(generators, refiner):
    given = {"coarse": PHOTO, "width": 71, "height": 50, "strength": 0.5}
    for text in ("a cup of coffee on a table", ""):
        made = generators[0].generate(Request(text, **given))
        assert np.array_equal(made.picture, refiner.refine(PHOTO, 0.5))
        assert "refined as a photo" in made.notes[0]
    larger = Request("a cat", coarse=PHOTO, width=142, height=100)
    assert generators[0].generate(larger).picture.shape == (100, 142, 3)


def test_a_coarse_scene_still_goes_through_the_flow(generators):
    for generator in generators:
        request = Request("a red circle", coarse=PHOTO, width=64, height=64, steps=2)
        assert generator.generate(request).steps == 2


@pytest.mark.parametrize(("text", "word"), [("a cup", "'cup'"), ("", "no scene is 71x50")])
def test_photos_without_a_refiner_are_refused_with_what_to_do(generators, text, word):
    request = Request(text, coarse=PHOTO, width=71, height=50)
    for refuse in (generators[1].check, generators[1].generate):
        with pytest.raises(ModelError, match="'refiner-v1', which are not there; try: ") as told:
            refuse(request)
        assert word in str(told.value)
    generators[0].check(request)


def test_photos_from_words_alone_are_refused(generators):
    for generator in generators:
        with pytest.raises(ConfigError, match="'cup'"):
            generator.check(Request("a cup", width=71, height=50))
        with pytest.raises(ConfigError, match="size is 71x50"):
            generator.check(Request("a red circle", coarse=PHOTO, width=71, height=50))
