# SPDX-License-Identifier: GPL-3.0-or-later
"""Autoencoder, flow and edge branch: shapes, locality, starting points, conditions that count."""

import pytest

torch = pytest.importorskip("torch")
from models.generation.control import Control, ControlConfig  # noqa: E402
from models.generation.flow import Flow, FlowConfig, attend, patches  # noqa: E402
from models.generation.text import batch_tokens  # noqa: E402
from models.generation.vae import Vae, VaeConfig  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402

TEXT = "a red circle at the top left and a blue square at the bottom right"


@pytest.mark.parametrize("size", [(64, 64), (32, 48), (4, 8)])
def test_the_autoencoder_takes_any_size_in_fours(tiny, size):
    picture = torch.rand(2, 3, *size)
    latents = tiny.vae.encode(picture)
    assert latents.shape == (2, 4, size[0] // 4, size[1] // 4)
    decoded = tiny.vae.decode(latents)
    assert decoded.shape == picture.shape
    assert decoded.min() >= 0 and decoded.max() <= 1


def test_one_corner_of_a_picture_does_not_reach_the_other(tiny):
    picture = torch.rand(1, 3, 96, 96)
    changed = picture.clone()
    changed[..., :4, :4] = 0
    difference = (tiny.vae.encode(picture) - tiny.vae.encode(changed)).abs().amax((0, 1))
    assert difference[0, 0] > 0
    assert not difference[12:].any() and not difference[:, 12:].any()


def test_the_statistics_of_the_latents_are_followed():
    vae = Vae(VaeConfig(encoder_width=4, encoder_blocks=0, width=4, blocks=0, fine_blocks=0))
    raw = 3 + 2 * torch.randn(8, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    for _ in range(1000):
        vae.track(raw)
    torch.testing.assert_close(vae.mean, torch.full((4,), 3.0), atol=0.1, rtol=0)
    torch.testing.assert_close(vae.deviation, torch.full((4,), 2.0), atol=0.1, rtol=0)


def test_the_two_ways_to_attend_agree():
    q, k, v = torch.randn(3, 2, 4, 10, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        fused = attend(q, k, v)
    torch.testing.assert_close(attend(q, k, v), fused)


def test_a_new_flow_predicts_nothing_and_patches_are_in_order():
    flow = Flow(FlowConfig(width=16, heads=2, blocks=2))
    z = torch.randn(2, 4, 16, 16)
    v = flow(z, torch.rand(2), batch_tokens([TEXT, ""]))
    assert v.shape == z.shape
    assert not v.any()
    tokens = patches(torch.arange(64.0).view(1, 1, 8, 8))
    assert tokens[0, 0].tolist() == [0, 1, 8, 9]
    assert tokens[0, 1].tolist() == [2, 3, 10, 11]


@pytest.mark.parametrize("side", [16, 32])
def test_the_velocity_depends_on_text_time_and_place(tiny, side):
    z = torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([0.5])
    own = tiny.flow(z, t, batch_tokens([TEXT]))
    others = [
        tiny.flow(z, t, batch_tokens([TEXT.replace("red", "green")])),
        tiny.flow(z, t, batch_tokens([TEXT.replace("top left", "top right")])),
        tiny.flow(z, t, batch_tokens([""])),
        tiny.flow(z, torch.tensor([0.6]), batch_tokens([TEXT])),
        tiny.flow(z.roll(2, 3), t, batch_tokens([TEXT])).roll(-2, 3),
    ]
    for other in others:
        assert (other - own).abs().max() > 1e-4


def test_a_batch_is_its_pictures_one_by_one(tiny):
    z = torch.randn(3, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([0.1, 0.5, 0.9])
    text = batch_tokens([TEXT, "", "a white cross"])
    whole = tiny.flow(z, t, text)
    for i in range(3):
        one = tiny.flow(z[i : i + 1], t[i : i + 1], text[i : i + 1])
        torch.testing.assert_close(one[0], whole[i], atol=1e-5, rtol=1e-4)


def test_a_new_edge_branch_leaves_the_flow_as_it_is(tiny):
    control = Control(ControlConfig.of(tiny.flow.config, 2))
    control.copy_from(tiny.flow)
    for own, other in zip(control.blocks, tiny.flow.blocks, strict=False):
        assert torch.equal(own.qkv.weight, other.qkv.weight)
    z, t, text = torch.randn(2, 4, 16, 16), torch.rand(2), batch_tokens([TEXT, ""])
    residuals = control(tiny.flow, z, t, text, torch.rand(2, 1, 64, 64))
    assert len(residuals) == 2
    assert torch.equal(tiny.flow(z, t, text, residuals), tiny.flow(z, t, text))


def test_an_edge_counts_where_it_is(tiny):
    z, t, text = torch.randn(1, 4, 16, 16), torch.rand(1), batch_tokens([TEXT])
    blank = torch.zeros(1, 1, 64, 64)
    edge = blank.clone()
    edge[..., 40:48, 8:16] = 1
    a, b = (tiny.control(tiny.flow, z, t, text, e)[0] for e in (blank, edge))
    where = (a - b).abs().amax((0, 2)).view(8, 8)
    assert divmod(int(where.argmax()), 8) == (5, 1)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="multiples of 5 heads"):
        FlowConfig(width=16, heads=5)
    with pytest.raises(ConfigError, match="blocks"):
        ControlConfig.of(FlowConfig(blocks=2), 3)
    with pytest.raises(ConfigError, match="width is 0"):
        VaeConfig(width=0)
    with pytest.raises(ConfigError, match="an integer"):
        VaeConfig(width=1.5)
