# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded generator with tiny random weights: every way in, determinism, refusals."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models.generation.pipeline import EmbeddedGenerator  # noqa: E402
from models.roles import Generator, Request  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402

TEXT = "a large red circle at the top left on a grey background"
RNG = np.random.default_rng(0)
COARSE = RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8)
EDGES = (RNG.random((64, 64)) < 0.1).astype(np.uint8) * 255
LATENTS = RNG.standard_normal((4, 16, 16)).astype(np.float32)


def far(a, b):
    return np.abs(a.picture.astype(int) - b.picture).max() > 2


@pytest.mark.parametrize(
    "given",
    [{}, {"edges": EDGES}, {"coarse": COARSE}, {"latents": LATENTS}, {"width": 128, "height": 128}],
    ids=["text", "edges", "coarse", "latents", "large"],
)
def test_the_same_request_gives_the_same_picture(tiny, given):
    assert isinstance(tiny, Generator)
    a, b = (tiny.generate(Request(TEXT, steps=2, seed=3, **given)) for _ in range(2))
    side = given.get("width", 64)
    assert a.picture.shape == (side, side, 3)
    assert a.picture.dtype == np.uint8
    assert np.array_equal(a.picture, b.picture)
    assert far(a, tiny.generate(Request(TEXT, steps=2, seed=4, **given)))


@pytest.mark.parametrize(
    "change",
    [
        {"text": TEXT.replace("red", "blue")},
        {"text": ""},
        {"guidance": 1.0},
        {"steps": 4},
        {"edges": EDGES},
        {"coarse": COARSE},
        {"latents": LATENTS},
    ],
    ids=lambda c: next(iter(c)),
)
def test_each_part_of_a_request_counts(tiny, change):
    plain = {"text": TEXT, "steps": 2, "guidance": 3.0}
    a, b = tiny.generate(Request(**plain)), tiny.generate(Request(**(plain | change)))
    assert not np.array_equal(a.picture, b.picture)


def test_strength_goes_from_the_coarse_picture_to_none_of_it(tiny):
    def at(strength, coarse=COARSE):
        return tiny.generate(Request(TEXT, coarse=coarse, strength=strength, steps=2))

    kept = at(0.0)
    assert np.array_equal(kept.picture, at(0.0).picture)
    assert far(kept, at(0.5))
    other = np.zeros_like(COARSE)
    assert far(at(0.5), at(0.5, other))
    assert np.array_equal(at(1.0).picture, at(1.0, other).picture)


def test_without_weight_edges_are_as_good_as_none(tiny):
    with_edges = tiny.generate(Request(TEXT, edges=EDGES, edge_scale=0.0, steps=2))
    without = EmbeddedGenerator(tiny.vae, tiny.flow, plan=False).generate(Request(TEXT, steps=2))
    assert np.array_equal(with_edges.picture, without.picture)


def test_progress_is_told(tiny):
    told = []
    tiny.generate(Request(TEXT, steps=3), lambda done, steps: told.append((done, steps)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_words_are_free_in_what_does_not_matter(tiny):
    a = tiny.generate(Request("a red circle and a white cross", steps=1))
    b = tiny.generate(Request(" A  red circle, and a white cross. ", steps=1))
    assert np.array_equal(a.picture, b.picture)


def test_a_prompt_over_the_limit_is_cut_with_a_note(tiny):
    long = "a red circle and a blue square." + 8 * " the red circle is left of the blue square."
    assert tiny.generate(Request(long, steps=1)).notes == ()  # planned: relations are places now
    (note,) = tiny.generate(Request(long, steps=1, coarse=COARSE)).notes
    assert "44 tokens, cut to 32" in note


def test_a_prompt_alone_is_planned_and_one_with_edges_is_not(tiny):
    text = "a red circle and a red cross."
    nonsense = (
        text + " the red circle is above the red cross. the red cross is above the red circle."
    )
    with pytest.raises(ConfigError, match="can all hold"):
        tiny.generate(Request(nonsense, steps=1))
    tiny.generate(Request(nonsense, steps=1, edges=EDGES))
    unplanned = EmbeddedGenerator(tiny.vae, tiny.flow, plan=False)
    a, b = (g.generate(Request(text, steps=1)) for g in (tiny, unplanned))
    assert not np.array_equal(a.picture, b.picture)


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Request("a red dog"), "'dog'"),
        (Request(TEXT, width=64, height=128), "size is 64x128"),
        (Request(TEXT, width=80, height=80), "size is 80x80"),
        (Request(TEXT, steps=65), "steps is 65"),
        (Request(TEXT, guidance=11.0), "guidance is 11"),
        (Request(TEXT, latents=LATENTS[:3]), "latents is (3, 16, 16)"),
        (Request(TEXT, latents=LATENTS * np.nan), "finite"),
    ],
)
def test_bad_requests_are_refused_in_one_line(tiny, request_, complaint):
    for refuse in (tiny.generate, tiny.check):
        with pytest.raises(ConfigError) as caught:
            refuse(request_)
        assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"strength": 1.1}, "strength is 1.1"),
        ({"seed": -1}, "seed is -1"),
        ({"steps": 0}, "steps is 0"),
        ({"width": 8}, "width is 8"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"edges": EDGES[:, :, None]}, "edges is uint8 (64, 64, 1)"),
        ({"coarse": COARSE.astype(float)}, "coarse is float64"),
        ({"coarse": COARSE, "latents": LATENTS}, "both given"),
    ],
)
def test_requests_that_mean_nothing_cannot_be_made(given, complaint):
    with pytest.raises(ConfigError) as caught:
        Request(TEXT, **given)
    assert complaint in str(caught.value)


def test_it_is_loaded_from_files_with_or_without_the_edge_branch(tiny, tiny_files, tmp_path):
    loaded = EmbeddedGenerator.load(tiny_files)
    request = Request(TEXT, steps=2, edges=EDGES)
    assert np.array_equal(loaded.generate(request).picture, tiny.generate(request).picture)
    folder = tmp_path / "two"
    shutil.copytree(tiny_files, folder, ignore=shutil.ignore_patterns("control*"))
    with pytest.raises(ModelError, match="control-v1"):
        EmbeddedGenerator.load(folder).generate(request)


def test_a_size_that_was_not_trained_is_refused(tiny_files, tmp_path):
    small = Request(TEXT, width=128, height=128, steps=1)
    with pytest.raises(ConfigError, match=r"128x128, permitted for the embedded generator: 64x64$"):
        EmbeddedGenerator.load(tiny_files).generate(small)
    folder = tmp_path / "large"
    shutil.copytree(tiny_files, folder)
    card = json.loads((tiny_files / "flow-v1.json").read_text())
    (folder / "flow-v1.json").write_text(json.dumps(card | {"training": {"large_share": 0.2}}))
    assert EmbeddedGenerator.load(folder).generate(small).picture.shape == (128, 128, 3)


def test_weights_of_another_kind_are_refused(tiny_files, tmp_path):
    folder = tmp_path / "mixed"
    shutil.copytree(tiny_files, folder)
    shutil.copy(folder / "flow-v1.json", folder / "vae-v1.json")
    with pytest.raises(ModelError, match=r"architecture is 'models.generation.flow.Flow'"):
        EmbeddedGenerator.load(folder)
    card = json.loads((tiny_files / "flow-v1.json").read_text())
    card["config"]["depth"] = 3
    (folder / "vae-v1.json").write_text((tiny_files / "vae-v1.json").read_text())
    (folder / "flow-v1.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="config does not fit"):
        EmbeddedGenerator.load(folder)
    with pytest.raises(ModelError, match="cannot be read"):
        EmbeddedGenerator.load(tmp_path)
