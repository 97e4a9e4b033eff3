# SPDX-License-Identifier: GPL-3.0-or-later
"""Meaning from one command to another, where a picture is drawn from it."""

import json

import numpy as np
from PIL import Image

from host.metrics import psnr_db
from host.scenes import make_scene
from tests.system.conftest import report_of

SCENE = make_scene(7, 64)


def test_two_commands_do_what_the_demo_does(start, semcom, service, ports, tmp_path):
    out = tmp_path / "rx"
    rx = start(
        "rx", "--generate", "--strength", 0.3, *ports["rx"], "--out", out, "--host", service
    )  # fmt: skip
    code, text, err = semcom(
        "tx", "scene", "--seed", 7, "--latents", "--edges", "--pack-caption", *ports["tx"],
        "--host", service, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    spent = {row["name"]: row for row in json.loads(text)["streams"]}
    assert set(spent) == {"prompt", "edges", "latents"}
    assert spent["prompt"]["bits"] <= 72
    assert spent["prompt"]["bits_as_text"] == 8 * len(SCENE.caption)
    code, _, err = rx.end()
    assert (code, err) == (0, "")
    assert (out / "prompt.txt").read_text(encoding="utf-8") == SCENE.caption
    assert {row["name"] for row in report_of(out)["streams"]} == {"edges", "latents"}
    assert (out / "latents.png").exists()
    assert (out / "edges.png").exists()
    with Image.open(out / "received.png") as picture:
        assert psnr_db(SCENE.pixels, np.array(picture)) > 25
