# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of scenes: colours and places are where the words say, at either size."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from models.scenes.grammar import parse  # noqa: E402
from models.scenes.render import render, to_uint8  # noqa: E402
from models.scenes.sample import from_scenes, sample  # noqa: E402
from models.scenes.scene import Scene  # noqa: E402
from models.scenes.vocabulary import COLOUR_RGB, COLOURS, LIGHTS  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402


def picture(text, side=64):
    return render(from_scenes([parse(text)]), side)[0]


def one(colour="red", shape="circle", size="large", texture="plain", place="middle centre"):
    return (
        f"a {size} {texture} {colour} {shape} at the {place} on a black background lit from above"
    )


def test_the_same_seed_draws_the_same_scenes_and_another_seed_others():
    a, b, c = (sample(50, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(render(a), render(b))
    assert not torch.equal(render(a), render(c))


def test_a_batch_is_its_scenes_one_by_one():
    batch = sample(20, torch.Generator().manual_seed(1))
    whole = render(batch)
    for i in range(20):
        torch.testing.assert_close(render(batch[i : i + 1])[0], whole[i])


def test_scenes_to_words_and_back_keep_the_picture_but_for_the_jitter():
    batch = sample(30, torch.Generator().manual_seed(1), jitter=False)
    torch.testing.assert_close(render(from_scenes(batch.scenes())), render(batch))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_is_nearest_to_its_own(colour):
    found = picture(one(colour))[:, 32, 32]
    distances = (torch.tensor(COLOUR_RGB) - found).norm(dim=1)
    assert int(distances.argmin()) == COLOURS.index(colour)


@pytest.mark.parametrize("row", ["top", "middle", "bottom"])
@pytest.mark.parametrize("column", ["left", "centre", "right"])
def test_a_place_is_a_third_of_the_picture(row, column):
    red = picture(one(place=f"{row} {column}"), 66)[0]
    mass = F.avg_pool2d(red[None], 22)[0]  # 3x3 cells
    brightest = divmod(int(mass.argmax()), 3)
    assert brightest == (
        ["top", "middle", "bottom"].index(row),
        ["left", "centre", "right"].index(column),
    )


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("background", ["black", "grey"])
def test_light_is_brighter_where_it_comes_from(light, background):
    article = "the " if light in ("left", "right") else ""
    text = f"a small plain blue circle at the middle centre on a {background} background lit from "
    grey = picture(text + article + light).mean(0)
    halves = {
        "left": grey[:, :8].mean() - grey[:, -8:].mean(),
        "above": grey[:8].mean() - grey[-8:].mean(),
    }
    halves |= {"right": -halves["left"], "below": -halves["above"]}
    assert max(halves, key=halves.get) == light


def test_shapes_sizes_and_textures_all_look_different():
    pictures = [
        picture(one(shape=shape, size=size, texture=texture)).flatten()
        for shape in ("circle", "square", "triangle", "cross")
        for size in ("small", "large")
        for texture in ("plain", "striped", "dotted")
    ]
    for i, a in enumerate(pictures):
        for b in pictures[:i]:
            assert (a - b).square().mean() > 2e-5  # 47 dB, all of it in one small object


def test_edges_are_antialiased_and_sizes_agree():
    small, large = picture(one(), 64), picture(one(), 128)
    assert ((small[0] > 0.2) & (small[0] < 0.7)).any()
    shrunk = F.avg_pool2d(large[None], 2)[0]
    assert (shrunk - small).square().mean() < 1e-3


def test_to_uint8_rounds():
    pixels = to_uint8(torch.tensor([0.0, 0.5, 1.0, 1.2]).view(1, 1, 1, 4).expand(1, 3, 1, 4))
    assert pixels.shape == (1, 1, 4, 3)
    assert pixels[0, 0, :, 0].tolist() == [0, 128, 255, 255]


def test_bad_arguments_are_refused():
    batch = sample(1, torch.Generator().manual_seed(1))
    with pytest.raises(ConfigError, match="side is 8"):
        render(batch, 8)
    open_scene = replace(batch.scenes()[0], background=None)
    with pytest.raises(ConfigError, match="leaves attributes open"):
        from_scenes([open_scene])
    assert isinstance(open_scene, Scene)
