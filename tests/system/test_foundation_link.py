# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole link on published checkpoint formats: tiny random ones, no network, real processes."""

import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("diffusers")

from tests.system.conftest import report_of

OFFLINE = {"HF_HUB_OFFLINE": "1"}
WIDTH, HEIGHT = 52, 44  # no multiple of eight: the picture must have this size all the same
PROMPT = "a red cat on a photo of a cat, exactly so: 75 % & é"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Checkpoints in folders, as a machine without network has them."""
    from tests.models.foundation.tiny import save_all

    return save_all(tmp_path_factory.mktemp("hub") / "checkpoints")


@pytest.fixture
def photo(tmp_path):
    small = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path)
    return path


def experiment(hub, **more):
    """An experiment file with every role on a checkpoint."""
    models = {
        "generator": f"hf:{hub / 'sd'}",
        "control": f"hf:{hub / 'control'}",
        "captioner": f"hf:{hub / 'blip'}",
        "edges": "canny",
        "judges": ["embedded", *(f"hf:{hub / name}" for name in ("clip", "dino", "alexnet"))],
        "similarity": f"hf:{hub / 'bert'}",
        **more,
    }
    generation = {"enabled": True, "edges": True, "coarse": True, "steps": 2}
    tables = {"generation": generation, "models": models}
    lines = ["seed = 4", f"prompt = {json.dumps(PROMPT, ensure_ascii=False)}"]
    for table, values in tables.items():
        # JSON's strings, numbers, booleans and lists are TOML's.
        lines += [f"[{table}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items())]
    return "\n".join(lines) + "\n"


def test_photo_to_picture_in_one_job(semcom, hub, photo, tmp_path):
    """Prompt, edges and a coarse picture, drawn by Stable Diffusion with its ControlNet."""
    file, out = tmp_path / "run.toml", tmp_path / "out"
    file.write_text(experiment(hub), encoding="utf-8")
    code, text, err = semcom(
        "demo", photo, "--config", file, "--snr-db", 25, "--edge-bits-per-symbol", 1,
        "--out", out, "--json", **OFFLINE,
    )  # fmt: skip
    assert code == 0, err
    report = report_of(out)
    assert report == json.loads(text)
    # the words arrive exactly, though the generator reads only the first of them and says so
    assert report["prompt"]["received"] == report["prompt"]["sent"] == PROMPT
    assert (out / "prompt.txt").read_text(encoding="utf-8") == PROMPT
    told = report["generation"]
    assert any("permitted: 16; the end is cut" in note for note in told["notes"])
    assert "the end is cut" in err
    with Image.open(out / "received.png") as picture:
        assert picture.size == (WIDTH, HEIGHT)
        assert np.asarray(picture).std() > 0
    # what drew it and what judged it, by the names that the user gave
    assert told["generator"] == f"hf:{hub / 'sd'}" and told["steps"] == 2
    assert report["config"]["models"]["control"] == f"hf:{hub / 'control'}"
    lpips = f"1-LPIPS hf:{hub / 'alexnet'}"
    judges = {"contrastive-v1", f"hf:{hub / 'clip'}", f"hf:{hub / 'dino'}", lpips}
    assert set(told["scores"]) == judges
    assert all(0 <= score <= 1 for score in told["scores"].values())
    streams = {row["name"]: row for row in report["streams"]}
    assert set(streams) == {"prompt", "coarse", "edges"}
    assert streams["edges"]["bit_errors"] == 0  # BPSK at 25 dB
    assert streams["edges"]["symbols"] == streams["edges"]["bits"]


@pytest.mark.slow
def test_checkpoint_of_another_kind_is_one_line(semcom, hub, photo, tmp_path):
    """A captioner where a generator should be: refused before anything is on the air."""
    out = tmp_path / "out"
    code, text, err = semcom(
        "demo", photo, "--prompt-only", "--generator", f"hf:{hub / 'blip'}", "--out", out,
        **OFFLINE,
    )  # fmt: skip
    assert (code, text) == (2, "")
    assert err.count("\n") == 1
    assert f"generator hf:{hub / 'blip'}: the folder holds no model_index.json" in err
    assert not out.exists()


@pytest.mark.slow
def test_model_that_is_not_there_is_one_line(semcom, photo, tmp_path):
    code, text, err = semcom(
        "demo", photo, "--prompt-only", "--generator", "hf:nobody/nothing",
        "--out", tmp_path / "out", **OFFLINE,
    )  # fmt: skip
    assert (code, text) == (2, "")
    assert err.count("\n") == 1
    assert "hf:nobody/nothing: not in the local cache, and offline mode is on" in err


@pytest.mark.slow
def test_words_of_a_captioner_make_a_picture(semcom, hub, photo, tmp_path):
    """Prompt alone, read by BLIP, without an experiment file."""
    out = tmp_path / "out"
    code, text, err = semcom(
        "demo", photo, "--prompt-only", "--generator", f"hf:{hub / 'sd'}", "--steps", 1,
        "--captioner", f"hf:{hub / 'blip'}", "--out", out, **OFFLINE,
    )  # fmt: skip
    assert code == 0, err
    report = report_of(out)
    assert report["prompt"]["received"] == report["prompt"]["sent"]
    assert set(report["prompt"]["sent"].split()) <= {"a", "red", "cat", "photo", "of", "[DEC]"}
    assert [row["name"] for row in report["streams"]] == ["prompt"]
    assert report["generation"]["generator"] == f"hf:{hub / 'sd'}"
    assert "1 step" in text
    with Image.open(out / "received.png") as picture:
        assert picture.size == (WIDTH, HEIGHT)


@pytest.mark.slow
def test_edges_need_a_control_network(semcom, hub, photo, tmp_path):
    code, text, err = semcom(
        "demo", photo, "--edges", "--generator", f"hf:{hub / 'sd'}", "--out", tmp_path / "out",
        **OFFLINE,
    )  # fmt: skip
    assert code != 0 and text == ""
    assert "edge control" in err and err.count("\n") == 1
