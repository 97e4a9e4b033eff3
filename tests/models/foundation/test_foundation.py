# SPDX-License-Identifier: GPL-3.0-or-later
"""The foundation tier on real checkpoint formats: what loads works, what cannot says why."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.foundation.captioner import HfCaptioner
from models.foundation.checkpoint import Checkpoint
from models.foundation.edges import CannyEdges
from models.foundation.embeddings import HfClip, HfDino, HfSentences
from models.foundation.generator import DiffusionGenerator
from models.foundation.latents import HfLatents
from models.foundation.placement import Placement
from models.foundation.text import HfTextEncoder
from models.roles import (
    Captioner,
    EdgeExtractor,
    Generator,
    PictureJudge,
    Request,
    TextEncoder,
    TextSimilarity,
)
from semcom_blocks.errors import ConfigError, ModelError

RNG = np.random.default_rng(3)
PICTURE = RNG.integers(0, 256, (64, 48, 3), dtype=np.uint8)
EDGES = np.where(RNG.random((64, 48)) > 0.9, 255, 0).astype(np.uint8)
STEPS = 2


@pytest.fixture(scope="module")
def generator(checkpoints: Path) -> DiffusionGenerator:
    return DiffusionGenerator(f"hf:{checkpoints / 'sd'}", f"hf:{checkpoints / 'control'}")


def draw(generator: DiffusionGenerator, progress=None, **given) -> np.ndarray:
    request = {"text": "a red cat", "width": 48, "height": 64, "steps": STEPS, **given}
    return generator.generate(Request(**request), progress).picture


def test_every_part_fills_its_role(checkpoints: Path, generator: DiffusionGenerator) -> None:
    assert isinstance(generator, Generator)
    assert isinstance(HfCaptioner(f"hf:{checkpoints / 'blip'}"), Captioner)
    assert isinstance(HfClip(f"hf:{checkpoints / 'clip'}"), PictureJudge)
    assert isinstance(HfDino(f"hf:{checkpoints / 'dino'}"), PictureJudge)
    assert isinstance(HfSentences(f"hf:{checkpoints / 'bert'}"), TextSimilarity)
    assert isinstance(HfTextEncoder(f"hf:{checkpoints / 'clip'}"), TextEncoder)
    assert isinstance(CannyEdges(), EdgeExtractor)


def test_picture_from_a_prompt_repeats_with_its_seed(generator: DiffusionGenerator) -> None:
    first, again, other = (draw(generator, seed=seed) for seed in (1, 1, 2))
    assert first.shape == (64, 48, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


@pytest.mark.parametrize("with_coarse", [False, True])
def test_edges_steer_the_picture(generator: DiffusionGenerator, with_coarse: bool) -> None:
    coarse = PICTURE if with_coarse else None
    plain = draw(generator, coarse=coarse)
    empty = draw(generator, coarse=coarse, edges=np.zeros_like(EDGES))
    steered = draw(generator, coarse=coarse, edges=EDGES)
    unweighted = draw(generator, coarse=coarse, edges=EDGES, edge_scale=0.0)
    assert np.any(steered != empty)
    np.testing.assert_array_equal(unweighted, plain)


def test_coarse_picture_stays_nearer_the_less_it_is_diffused(generator: DiffusionGenerator) -> None:
    flat = np.full((64, 64, 3), 128, np.uint8)
    given = {"width": 64, "coarse": flat, "steps": 4}
    start = draw(generator, **given, strength=0.0)

    def distance(strength: float) -> float:
        made = draw(generator, **given, strength=strength)
        return float(np.mean(np.square(made.astype(float) - start)))

    assert distance(0.1) < distance(0.9)


def test_latents_start_the_diffusion_as_their_picture_does(
    checkpoints: Path, generator: DiffusionGenerator
) -> None:
    latents = HfLatents(f"hf:{checkpoints / 'sd' / 'vae'}").encode(PICTURE)
    by_latents = draw(generator, latents=latents, strength=0.05)
    by_noise = draw(generator)
    assert np.any(by_latents != by_noise)
    generator.check(Request("a cat", 48, 64, latents=latents))
    for refuse in (generator.check, generator.generate):
        with pytest.raises(ConfigError, match=r"permitted: \(4, 8, 6\)"):
            refuse(Request("a cat", 48, 64, latents=latents[:, 1:]))


@pytest.mark.parametrize("given", [{}, {"coarse": PICTURE, "strength": 0.5}])
def test_progress_counts_every_step(generator: DiffusionGenerator, given: dict) -> None:
    seen: list[tuple[int, int]] = []
    draw(generator, lambda step, steps: seen.append((step, steps)), steps=3, **given)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_sides_that_are_no_multiple_of_eight_are_kept(generator: DiffusionGenerator) -> None:
    assert draw(generator, width=50, height=61).shape == (61, 50, 3)


def test_long_prompt_is_cut_with_a_note(generator: DiffusionGenerator) -> None:
    told = generator.generate(Request("a cat of red " * 30, 48, 64, steps=1))
    assert "permitted: 16; the end is cut" in told.notes[0]
    assert generator.generate(Request("a cat", 48, 64, steps=1)).notes == ()


def test_text_encoder_names_the_words_it_dropped(checkpoints: Path) -> None:
    encoder = HfTextEncoder(f"hf:{checkpoints / 'clip'}")
    short, long = encoder.encode("a b"), encoder.encode("a b c d e f g h i j k l m n o p")
    assert short.embeddings.shape == (16, 32)
    assert short.mask.sum() == 4 and short.dropped == ()
    assert long.mask.all() and long.dropped == ("o", "p")


def test_canny_marks_a_square() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = 255
    edges = CannyEdges().edges(picture)
    assert set(np.unique(edges)) == {0, 255}
    rows, columns = np.nonzero(edges)
    border = np.minimum(abs(rows - 15.5), abs(rows - 47.5))
    border = np.minimum(border, np.minimum(abs(columns - 15.5), abs(columns - 47.5)))
    assert len(rows) > 100 and border.max() <= 2


def test_edges_without_a_control_network_are_refused(checkpoints: Path) -> None:
    plain = DiffusionGenerator(f"hf:{checkpoints / 'sd'}")
    assert not plain.takes_edges
    with pytest.raises(ConfigError, match="no edge control"):
        draw(plain, edges=EDGES)
    with pytest.raises(ConfigError, match="no edge control"):
        plain.check(Request("a cat", edges=EDGES))


def test_captioner_writes_words_of_its_vocabulary(checkpoints: Path) -> None:
    captioner = HfCaptioner(f"hf:{checkpoints / 'blip'}", max_tokens=6)
    told = captioner.caption(PICTURE)
    assert told == captioner.caption(PICTURE)
    assert 0 < told.confidence <= 1
    assert set(told.text.split()) <= {"a", "red", "cat", "photo", "of", "[DEC]", "dec", "[UNK]"}


def only(scores: dict[str, float]) -> float:
    (value,) = scores.values()
    return value


def test_clip_scores_likeness(checkpoints: Path) -> None:
    judge = HfClip(f"hf:{checkpoints / 'clip'}")
    assert only(judge.compare(PICTURE, PICTURE)) == pytest.approx(1, abs=1e-5)
    assert 0 <= only(judge.compare(PICTURE, 255 - PICTURE)) < 1
    assert 0 <= judge.fits(PICTURE, "a red cat") <= 1
    assert judge.embed_texts(["a cat " * 50, "a"]).shape == (2, 16)


def test_dino_scores_likeness(checkpoints: Path) -> None:
    judge = HfDino(f"hf:{checkpoints / 'dino'}")
    assert only(judge.compare(PICTURE, PICTURE)) == pytest.approx(1, abs=1e-5)
    assert only(judge.compare(PICTURE, 255 - PICTURE)) < 1


def test_sentence_likeness_ignores_padding(checkpoints: Path) -> None:
    judge = HfSentences(f"hf:{checkpoints / 'bert'}")
    assert judge.similarity("a red cat", "a red cat") == pytest.approx(1, abs=1e-5)
    alone = judge.embed_texts(["a cat"])[0]
    padded = judge.embed_texts(["a cat", "a red photo of a red red cat"])[0]
    np.testing.assert_allclose(alone, padded, atol=1e-5)


@pytest.mark.parametrize("kind", ["kl", "taesd"])
def test_latents_have_the_autoencoders_geometry(checkpoints: Path, kind: str) -> None:
    codec = HfLatents(f"hf:{checkpoints / kind}")
    latents = codec.encode(PICTURE)
    assert latents.shape == (4, 64 // codec.factor, 48 // codec.factor)
    assert codec.decode(latents).shape == PICTURE.shape
    with pytest.raises(ConfigError, match="multiples of 8"):
        codec.encode(PICTURE[:63])


def test_spec_must_name_a_checkpoint() -> None:
    for spec in ("embedded", "hf:", "hf:a\0b", "sd"):
        with pytest.raises(ConfigError, match="permitted"):
            Checkpoint.parse(spec, "generator")


def test_checkpoint_of_the_wrong_kind_is_refused(checkpoints: Path) -> None:
    """The library itself would fill it with random weights and go on."""
    with pytest.raises(ModelError, match="is of kind dinov2, permitted: clip"):
        HfClip(f"hf:{checkpoints / 'dino'}")
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        DiffusionGenerator(f"hf:{checkpoints / 'clip'}")
    with pytest.raises(
        ModelError, match=r"edge control.*AutoencoderKL, permitted: ControlNetModel"
    ):
        DiffusionGenerator(f"hf:{checkpoints / 'sd'}", f"hf:{checkpoints / 'kl'}")
    with pytest.raises(ModelError, match="is of kind bert"):
        HfCaptioner(f"hf:{checkpoints / 'bert'}")


def test_uncached_model_without_network_is_one_line(monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="not in the local cache, and offline mode is on") as told:
        DiffusionGenerator("hf:nobody/nothing")
    assert "\n" not in str(told.value)


def test_path_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither a folder nor a hub id"):
        HfClip(f"hf:{tmp_path / 'absent'}")


@pytest.fixture
def clip_copy(checkpoints: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoints / "clip", tmp_path / "clip"))


def test_weights_that_lack_a_tensor_are_refused(clip_copy: Path) -> None:
    from safetensors.numpy import load_file, save_file

    file = clip_copy / "model.safetensors"
    tensors = load_file(file)
    tensors.pop("visual_projection.weight")
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 tensors, first 'visual_projection\.weight'"):
        HfClip(f"hf:{clip_copy}")


def test_truncated_weights_are_refused(clip_copy: Path) -> None:
    file = clip_copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match="picture judge"):
        HfClip(f"hf:{clip_copy}")


def test_pickled_weights_are_never_run(clip_copy: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (clip_copy / "model.safetensors").unlink()
    (clip_copy / "pytorch_model.bin").write_bytes(f"cos\nsystem\n(S'touch {canary}'\ntR.".encode())
    with pytest.raises(ModelError):
        HfClip(f"hf:{clip_copy}")
    assert not canary.exists()


def test_broken_configuration_is_named(clip_copy: Path) -> None:
    (clip_copy / "config.json").write_text(json.dumps(["clip"]))
    with pytest.raises(ModelError, match=r"config\.json is no JSON object"):
        HfClip(f"hf:{clip_copy}")


def test_placement_refuses_what_the_machine_lacks(monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="finds no GPU"):
        Placement(device="cuda")
    with pytest.raises(ConfigError, match="permitted on a processor: none"):
        Placement(offload="model")
    with pytest.raises(ConfigError, match="device"):
        Placement(device="tpu")


def test_out_of_memory_suggests_what_to_do(checkpoints: Path, monkeypatch) -> None:
    import torch

    codec = HfLatents(f"hf:{checkpoints / 'kl'}")

    def full(*_args):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr(codec._network, "encode", full)
    with pytest.raises(ModelError, match="out of memory; try half = true, offload"):
        codec.encode(PICTURE)
