# SPDX-License-Identifier: GPL-3.0-or-later
"""Text encoder and latent codec of the embedded tier, with tiny random weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models.generation.latents import VaeLatents  # noqa: E402
from models.generation.text_encoder import FlowText  # noqa: E402
from models.roles import LatentCodec, TextEncoder  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (24, 40, 3), dtype=np.uint8)


def test_words_become_embeddings(tiny_files):
    encoder = FlowText.load(directory=tiny_files)
    assert isinstance(encoder, TextEncoder)
    found = encoder.encode("a large red circle on a grey background")
    assert found.embeddings.shape == (32, 16)
    assert found.embeddings.dtype == np.float32
    assert found.mask.sum() == 4  # large, red, circle, grey
    assert (found.embeddings[4:] == 0).all()
    same = encoder.encode(" A LARGE red circle on a grey background. ")
    np.testing.assert_array_equal(found.embeddings, same.embeddings)
    other = encoder.encode("a large blue circle on a grey background")
    changed = (other.embeddings != found.embeddings).any(1)
    assert changed.tolist() == [False, True, *[False] * 30]


def test_no_words_are_no_tokens(tiny_files):
    assert not FlowText.load(directory=tiny_files).encode(" ").mask.any()


def test_words_behind_the_limit_are_named_and_strangers_refused(tiny_files):
    encoder = FlowText.load(directory=tiny_files)
    long = "a red circle and a blue square." + 8 * " the red circle is above the blue square."
    found = encoder.encode(long)
    assert found.mask.all()
    assert len(found.dropped) == 12
    with pytest.raises(ConfigError, match="'dog'"):
        encoder.encode("a red dog")
    with pytest.raises(ModelError):
        FlowText.load(directory=tiny_files / "nowhere")


def test_latents_are_a_quarter_of_the_side(tiny_files):
    codec = VaeLatents.load(directory=tiny_files)
    assert isinstance(codec, LatentCodec)
    latents = codec.encode(PICTURE)
    assert latents.shape == (4, 6, 10)
    assert latents.dtype == np.float32
    assert codec.decode(latents).shape == PICTURE.shape
    np.testing.assert_array_equal(codec.decode(latents), codec.decode(latents))


def test_pictures_and_latents_of_no_use_are_refused(tiny_files):
    codec = VaeLatents.load(directory=tiny_files)
    with pytest.raises(ConfigError, match="multiples of 8"):
        codec.encode(PICTURE[:20])
    with pytest.raises(ConfigError, match=r"permitted: \(4, h, w\)"):
        codec.decode(np.zeros((3, 4, 4), np.float32))
