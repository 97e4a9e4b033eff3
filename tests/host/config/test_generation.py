# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables generation and models: who fills each role, and what is sent together."""

import argparse

import pytest

from host.cli import options
from host.cli.checks import check_run
from host.config import load_run
from semcom_blocks.errors import ConfigError

NAMED = {
    "captioner": "hf:a/b",
    "edges": "canny",
    "text_encoder": "hf:a/b",
    "latents": "hf:c/d",
    "generator": "embedded:gan",
    "similarity": "hf:e/f",
}


def test_the_experiment_file_chooses_each_role(tmp_path):
    file = tmp_path / "run.toml"
    table = "\n".join(f'{role} = "{spec}"' for role, spec in NAMED.items())
    file.write_text(f'[models]\n{table}\njudges = "hf:g/h"\n')
    found = load_run(file).models
    assert {role: getattr(found, role) for role in NAMED} == NAMED
    assert found.judges == ("hf:g/h",)


@pytest.mark.parametrize("role", NAMED)
def test_a_role_that_is_filled_by_nothing_known_is_refused(tmp_path, role):
    (tmp_path / "run.toml").write_text(f'[models]\n{role} = "fancy"\n')
    with pytest.raises(ConfigError, match=rf"^models: {role} is 'fancy', permitted: embedded"):
        load_run(tmp_path / "run.toml")


def parse(*argv, sides=("tx", "rx"), image="scene"):
    parser = argparse.ArgumentParser()
    options.add_generation(parser, *sides)
    args = parser.parse_args(argv)
    args.config, args.image = None, image
    given = options.overrides(args) | options.generation_overrides(args)
    return load_run(None, given)


@pytest.mark.parametrize(
    ("argv", "streams"),
    [
        (["--generate"], ["edges"]),
        (["--prompt-only"], []),
        (["--coarse"], ["coarse"]),
        (["--coarse", "--edges"], ["edges", "coarse"]),
        (["--latents"], ["latents"]),
        (["--generate", "--generator", "embedded:vae"], ["latents"]),
        (["--generate", "--generator", "hf:a/b"], ["edges"]),
        (["--prompt-only", "--generator", "embedded:vae"], []),
    ],
)
def test_flags_ask_for_streams(argv, streams):
    wanted = check_run(parse(*argv), demo=True, radios=False).generation
    assert wanted.enabled
    assert [n for n in ("edges", "coarse", "latents") if getattr(wanted, n)] == streams
    assert not wanted.pack_caption


def test_of_a_photo_the_embedded_generator_gets_a_coarse_picture():
    assert parse("--generate", image="chelsea").generation.coarse
    found = parse("--generate", "--generator", "hf:a/b", image="chelsea").generation
    assert found.edges and not found.coarse
    assert parse("--generate", "--generator", "embedded:vae", image="chelsea").generation.latents


def test_a_coarse_picture_is_cheap_unless_a_rate_is_asked_for():
    assert parse("--coarse").codec.rate == "1/24"
    assert parse().codec.rate == parse("--generate").codec.rate == "1/6"
    asked = {"generation.enabled": True, "generation.coarse": True, "codec.rate": "1/3"}
    assert load_run(None, asked).codec.rate == "1/3"


def test_without_flags_the_picture_itself_is_sent():
    assert not parse().generation.enabled
    assert not parse("--generator", "embedded:vae").generation.enabled


def test_who_only_receives_draws_from_what_comes():
    wanted = parse("--generate", "--generator", "embedded:nflow", sides=("rx",))
    assert wanted.generation.enabled
    assert not (wanted.generation.edges or wanted.generation.latents)
    assert wanted.models.generator == "embedded:nflow"


def test_values_of_options():
    argv = ["--pack-caption", "--scene-size", "128", "--edge-bits-per-symbol", "4"]
    found = parse("--latents", "--latent-share", "0.3", *argv).generation
    assert found.pack_caption
    assert (found.scene_size, found.edge_bits_per_symbol, found.latent_share) == (128, 4, 0.3)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--coarse", "--latents"], "coarse with generation.latents, permitted: one"),
        (["--edges", "--generator", "embedded:vae"], "edges with generator 'embedded:vae'"),
        (["--coarse", "--generator", "embedded:gan"], "coarse with generator 'embedded:gan'"),
        (["--prompt-only", "--latents"], "--prompt-only with"),
    ],
)
def test_what_does_not_go_together_is_named(argv, words):
    with pytest.raises(ConfigError) as caught:
        check_run(parse(*argv), demo=True, radios=False)
    assert words in str(caught.value)
    assert "permitted" in str(caught.value)
