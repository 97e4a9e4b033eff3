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
    model = Jscc(JsccConfig(latents=32, width=8, encoder_blocks=1, decoder_blocks=1))
    coarse = torch.rand(40, 3, 6, 6)
    smooth = torch.nn.functional.interpolate(coarse, 32, mode="bicubic")
    model.init_code((smooth + 0.03 * torch.randn(40, 3, 32, 32)).clamp(0, 1))
    torch.nn.init.normal_(model.encoder.trunk.tail.weight, std=0.002)
    torch.nn.init.normal_(model.decoder.trunk.tail.weight, std=0.002)
    return ImageCodec(model, "tiny", bfloat16=False)


@pytest.fixture(scope="session")
def photos():
    """Two photos that come with scikit-image, uint8 (H,W,3)."""
    data = pytest.importorskip("skimage.data")
    return {"chelsea": data.chelsea(), "astronaut": data.astronaut()}


@pytest.fixture
def rng():
    return np.random.default_rng(7)
