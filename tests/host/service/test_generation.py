# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests around the generator: what is drawn, and what is refused before it is drawn."""

import numpy as np
import pytest

from host.scenes import make_scene
from host.service.handlers import Handlers
from host.service.worker import _out_of_memory
from models.tiers import Models, TierChoice
from semcom_blocks.errors import ConfigError, WireError
from semcom_blocks.wire import Message
from tests.host.codec_double import CodecDouble

SCENE = make_scene(3, 64)
RNG = np.random.default_rng(1)
PHOTO = RNG.integers(0, 256, (50, 75, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def services():
    """Handlers by generator; the networks are loaded once."""
    made = {}

    def get(generator="embedded:plain"):
        if generator not in made:
            made[generator] = Handlers(CodecDouble, Models(TierChoice(generator=generator)))
        return made[generator]

    return get


def latents_of(service, image):
    reply = service.handle(Message("latent_encode", {}, {"image": image}))
    latents = reply.arrays["latents"]
    return latents, np.zeros_like(latents), reply.meta["codec"]


def drawing(text, image, codec=None, **more):
    height, width = image.shape[:2]
    return {"text": text, "width": width, "height": height, "codec": codec, **more}


@pytest.mark.parametrize("image", [SCENE.pixels, PHOTO], ids=["scene", "photo"])
def test_latents_of_any_picture_come_back_as_it(services, image):
    service = services()
    latents, noise_var, codec = latents_of(service, image)
    height, width = image.shape[:2]
    assert latents.shape == (4, -(-height // 8) * 2, -(-width // 8) * 2)
    arrays = {"latents": latents, "noise_var": noise_var}
    meta = drawing("a photo of noise", image, codec)
    drawn = service.handle(Message("generate", meta, arrays))
    decoded = service.handle(Message("latent_decode", meta, arrays))
    assert drawn.arrays["image"].shape == image.shape
    assert np.array_equal(drawn.arrays["image"], decoded.arrays["image"])
    assert "the prompt was not used: caption has the word 'photo'" in drawn.meta["notes"][0]
    service.handle(Message("check", meta, arrays))


def test_lost_latents_are_inferred_from_the_caption(services):
    service = services("embedded:vae")
    latents, noise_var, codec = latents_of(service, SCENE.pixels)
    latents[:, :, ::2], noise_var[:, :, ::2] = 0, np.inf
    arrays = {"latents": latents, "noise_var": noise_var}

    def error(kind, text):
        reply = service.handle(Message(kind, drawing(text, SCENE.pixels, codec), arrays))
        return np.mean((reply.arrays["image"].astype(float) - SCENE.pixels) ** 2)

    assert error("generate", SCENE.caption) < error("latent_decode", "") / 3


REFUSED = {
    "word": ("embedded", "a red dog", {}, ConfigError, "'dog'"),
    "size": ("embedded", "a red circle", {}, ConfigError, "75x50"),
    "edges": (
        "embedded:vae", "a red circle", {"edges": np.zeros((1, 1), np.uint8)}, ConfigError,
        "edges is given, permitted for a receiver: latents and text",
    ),
    "words alone": ("embedded:vae", "a red dog", {}, ConfigError, "'dog'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["check", "generate"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_drawn_is_known_before(services, case, kind):
    generator, text, arrays, error, words = REFUSED[case]
    service = services(generator)
    with pytest.raises(error) as caught:
        service.handle(Message(kind, drawing(text, PHOTO), arrays))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"latents": np.zeros((4, 16, 16), np.float64)}, WireError),
        ({"latents": np.full((4, 16, 16), np.nan, np.float32)}, ConfigError),
        ({"latents": np.zeros((4, 16, 8), np.float32)}, ConfigError),
        ({"noise_var": np.full((4, 16, 16), -1, np.float32)}, ConfigError),
        ({"codec": "other"}, ConfigError),
    ],
)
def test_latents_from_the_air_are_checked(services, change, error):
    service = services()
    latents, noise_var, codec = latents_of(service, SCENE.pixels)
    arrays = {"latents": latents, "noise_var": noise_var}
    arrays |= {k: v for k, v in change.items() if k in arrays}
    meta = drawing(SCENE.caption, SCENE.pixels, change.get("codec", codec))
    for kind in ("generate", "latent_decode"):
        with pytest.raises(error):
            service.handle(Message(kind, meta, arrays))


def test_a_service_with_other_models_says_so(services):
    service = services("embedded:plain")
    wanted = {"generator": "embedded:vae", "captioner": "hf:a/b"}
    with pytest.raises(ConfigError, match="is 'embedded:vae', permitted with this host service: "):
        service.handle(Message("load", {"roles": ["generator"], "wanted": wanted}))
    wanted["generator"] = "embedded:plain"  # the captioner is not asked for
    reply = service.handle(Message("load", {"roles": ["generator"], "wanted": wanted}))
    assert reply.meta["names"] == {"generator": "receiver plain"}


def test_out_of_memory_is_told_with_what_to_do():
    torch_says = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"
    for error in (RuntimeError(torch_says), MemoryError("unable to allocate 9 GiB")):
        assert "out of memory; try a smaller picture" in str(_out_of_memory(error))
    assert _out_of_memory(RuntimeError("boom")) is None
