# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by the model tests: the shipped codec, a small untrained one, and photos."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")


@pytest.fixture(scope="session")
def codec():
    """The codec with the weights in the repository."""
    from models.image_codec import ImageCodec

    return ImageCodec.load()


@pytest.fixture(scope="session")
def tiny_codec():
    """A small network with seeded random weights: same interface, hardly any arithmetic."""
    from models.image_codec import ImageCodec
    from models.jscc import Jscc, JsccConfig

    torch.manual_seed(3)
    model = Jscc(JsccConfig(latents=32, width=8, blocks=1))
    torch.nn.init.normal_(model.encoder.tail.weight, std=0.2)
    torch.nn.init.normal_(model.decoder.tail.weight, std=0.05)
    return ImageCodec(model, "tiny")


@pytest.fixture(scope="session")
def photos():
    """Two photos that come with scikit-image, uint8 (H,W,3)."""
    data = pytest.importorskip("skimage.data")
    return {"chelsea": data.chelsea(), "astronaut": data.astronaut()}


@pytest.fixture
def rng():
    return np.random.default_rng(7)
