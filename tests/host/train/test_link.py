# SPDX-License-Identifier: GPL-3.0-or-later
"""The link that is trained through: noise power, erasures, and agreement with the codec."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from host.train.link import (  # noqa: E402
    TRAIN_SNR_DB,
    Conditions,
    draw_conditions,
    through_link,
)
from models.image_codec import ImageCodec  # noqa: E402
from models.jscc import Jscc, JsccConfig  # noqa: E402
from models.rates import RATE_PLANES  # noqa: E402

EVEN = torch.tensor([False])


def test_drawn_conditions_are_what_they_say():
    generator = torch.Generator().manual_seed(0)
    drawn = draw_conditions((4000, 32, 2, 2), generator)
    assert set(drawn.planes.tolist()) == set(RATE_PLANES)
    sent = torch.arange(16)[None] < drawn.planes[:, None]
    received = torch.isfinite(drawn.noise_var).any(-1).any(-1)
    assert not (received & ~sent).any()
    assert (drawn.noise_var > 0).all()
    plain = draw_conditions((2000, 32, 2, 2), generator, plain=True)
    snr_db = -10 * plain.noise_var[:, 0, 0, 0].log10()
    assert torch.allclose(snr_db, plain.encoder_snr_db, atol=1e-4)
    assert TRAIN_SNR_DB[0] <= snr_db.min() < TRAIN_SNR_DB[0] + 0.5
    assert TRAIN_SNR_DB[1] >= snr_db.max() > TRAIN_SNR_DB[1] - 0.5
    erased = torch.isinf(drawn.noise_var[:, :2]).any(-1).any(-1).any(-1)
    assert 0.03 < erased.float().mean() < 0.12
    assert not torch.isinf(plain.noise_var[:, :2]).any()


class Probe(torch.nn.Module):
    """Stands where the network stands: sends Gaussian latents, returns what arrived."""

    config = JsccConfig()

    def encode(self, pictures, snr_db, planes, fading):
        generator = torch.Generator().manual_seed(5)
        return torch.randn(len(pictures), 32, 64, 64, generator=generator)

    def decode(self, received, noise_var, whole):
        return received


@pytest.mark.parametrize("snr_db", [0.0, 10.0])
def test_noise_has_half_its_variance_per_real_dimension(snr_db):
    variance = 10 ** (-snr_db / 10)
    noise_var = torch.full((1, 16, 64, 64), variance)
    noise_var[:, 8:] = torch.inf
    conditions = Conditions(torch.tensor([8]), torch.tensor([snr_db]), EVEN, noise_var)
    generator = torch.Generator().manual_seed(1)
    arrived = through_link(Probe(), torch.zeros(1, 3, 1, 1), conditions, generator)
    real = arrived[0, :16]
    assert real.square().mean() == pytest.approx(0.5 + variance / 2, rel=0.02)
    assert not arrived[0, 16:].any()


def test_training_link_and_codec_are_the_same_system():
    """Over a noiseless channel both ways give one picture."""
    torch.manual_seed(4)
    model = Jscc(JsccConfig(latents=32, width=8, encoder_blocks=1, decoder_blocks=1)).eval()
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    codec = ImageCodec(model, "tiny", bfloat16=False)
    symbols, descriptor = codec.encode(picture, "1/6", 9.0)
    decoded = codec.decode(symbols, np.full(symbols.size, 1e-6, np.float32), descriptor)
    noise_var = torch.full((1, 16, 6, 8), 1e-6)
    noise_var[:, 8:] = torch.inf
    conditions = Conditions(torch.tensor([8]), torch.tensor([9.0]), EVEN, noise_var)
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        out = through_link(model, tensor, conditions, torch.Generator().manual_seed(2))
    expected = out[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    assert np.abs(expected.astype(int) - decoded).max() <= 1
