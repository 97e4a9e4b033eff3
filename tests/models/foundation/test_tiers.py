# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role in both tiers, by the names that an experiment file gives them."""

from pathlib import Path

import pytest

from models.receivers.loading import KINDS
from models.roles import (
    Captioner,
    EdgeCodec,
    EdgeExtractor,
    Generator,
    LatentCodec,
    PictureJudge,
    SceneReader,
    TextEncoder,
    TextSimilarity,
)
from models.tiers import RECEIVERS, ROLES, Models, TierChoice, check_spec
from semcom_blocks.errors import ConfigError, ModelError

PROTOCOLS = {
    "captioner": Captioner,
    "edges": EdgeExtractor,
    "edge_codec": EdgeCodec,
    "text_encoder": TextEncoder,
    "latents": LatentCodec,
    "generator": Generator,
    "reader": SceneReader,
    "judges": PictureJudge,
    "similarity": TextSimilarity,
}
FOLDERS = {
    "captioner": "blip",
    "text_encoder": "clip",
    "latents": "taesd",
    "generator": "sd",
    "similarity": "bert",
}


def filled(role: str, models: Models) -> bool:
    found = getattr(models, role)()
    first = found[0] if role == "judges" else found
    return isinstance(first, PROTOCOLS[role])


def test_every_role_has_a_protocol() -> None:
    assert set(PROTOCOLS) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_the_embedded_tier_fills_every_role(role: str) -> None:
    assert filled(role, Models())


@pytest.mark.parametrize("spec", RECEIVERS)
def test_every_receiver_is_a_generator(spec: str) -> None:
    models = Models(TierChoice.from_dict({"generator": spec}))
    assert filled("generator", models)
    assert models.load(["generator"]) == {"generator": f"receiver {spec.partition(':')[2]}"}


def test_receivers_are_those_that_there_are() -> None:
    assert {spec.partition(":")[2] for spec in RECEIVERS} == {*KINDS, "plain"}


@pytest.mark.parametrize("role", FOLDERS)
def test_the_foundation_tier_fills_a_role(role: str, checkpoints: Path) -> None:
    spec = f"hf:{checkpoints / FOLDERS[role]}"
    models = Models(TierChoice.from_dict({role: spec}))
    assert filled(role, models)
    assert models.load([role]) == {role: spec}
    assert getattr(models, role)() is getattr(models, role)()  # loaded once


def test_judges_are_as_many_as_are_named(checkpoints: Path) -> None:
    named = ["embedded", f"hf:{checkpoints / 'clip'}", f"hf:{checkpoints / 'dino'}"]
    found = Models(TierChoice.from_dict({"judges": named})).judges()
    assert [judge.name for judge in found][1:] == named[1:]


@pytest.mark.parametrize("role", [r for r in ROLES if r != "reader"])
@pytest.mark.parametrize("spec", ["", "hf:", "embeded", "embedded:", 3])
def test_what_names_no_model_is_refused(role: str, spec: object) -> None:
    given = [spec] if role == "judges" else spec
    with pytest.raises(ConfigError, match=r"permitted: .*embedded|permitted: a list"):
        TierChoice.from_dict({role: given})


def test_a_receiver_is_no_captioner_and_edges_are_ours() -> None:
    with pytest.raises(ConfigError, match="permitted: embedded, hf:ORG/NAME, hf:PATH"):
        check_spec("captioner", "embedded:vae")
    for role in ("edges", "edge_codec"):
        with pytest.raises(ConfigError, match="permitted: embedded"):
            check_spec(role, "hf:some/edges")
    assert check_spec("edges", "canny") == "canny"
    with pytest.raises(ConfigError, match="hf: generator only"):
        TierChoice.from_dict({"generator": "embedded:vae", "control": "hf:a/b"})
    with pytest.raises(ConfigError, match="unknown key"):
        TierChoice.from_dict({"painter": "embedded"})


def test_a_checkpoint_of_another_role_is_named(checkpoints: Path) -> None:
    models = Models(TierChoice(text_encoder=f"hf:{checkpoints / 'bert'}"))
    with pytest.raises(ModelError, match=r"text encoder .* is of kind bert, permitted: clip"):
        models.text_encoder()
