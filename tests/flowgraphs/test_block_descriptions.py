# SPDX-License-Identifier: GPL-3.0-or-later
"""Every ``.block.yml`` is one that Companion can load, and fits the class that it describes."""

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

GRC = Path(__file__).resolve().parents[2] / "semcom_blocks" / "grc"
DESCRIPTIONS = sorted(GRC.glob("*.block.yml"))
CATEGORY = "[Semantic Communication]"

# The blocks that a flowgraph of the link is made of, as the design names them.
LABELS = {
    *("Semantic Source", "Semantic Sink", "Prompt ARQ Sender", "Prompt ARQ Receiver"),
    *("Pilot Inserter", "OFDM Modulator", "Frame Sync", "OFDM Demodulator"),
    *("Channel Estimator", "Equalizer", "Finite Guard", "Software Channel"),
}


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def calls(description: dict) -> list[tuple[Callable, set[str]]]:
    """Every call that the generated program makes for the block: what, and with which keywords."""
    templates = description["templates"]
    names: dict = {}
    exec(templates["imports"], names)
    source = templates.get("make") or templates["var_make"]
    # The line by which Companion places a widget is no expression before it is rendered.
    source = re.sub(r"^.*gui_hint.*$", "", source, flags=re.MULTILINE)
    tree = ast.parse(re.sub(r"\$\{\s*(\w+)\s*\}", r"\1", source))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        (eval(ast.unparse(node.func), names), {str(keyword.arg) for keyword in node.keywords})
        for node in found
    ]


def test_every_block_of_the_link_is_described():
    assert {load(path)["label"] for path in DESCRIPTIONS} >= LABELS


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.name.split(".")[0])
class TestDescription:
    def test_stands_in_the_category_under_its_own_name(self, path):
        description = load(path)
        assert description["id"] == path.name.removesuffix(".block.yml")
        assert description["category"] == CATEGORY
        assert description["documentation"].strip()

    def test_calls_fit_what_they_call(self, path):
        for called, keywords in calls(load(path)):
            signature = inspect.signature(called)
            # TypeError names a keyword that nobody takes, or one that is missing.
            signature.bind(**dict.fromkeys(keywords))

    def test_every_parameter_is_used(self, path):
        description = load(path)
        templates = " ".join(map(str, description["templates"].values()))
        ports = str(description.get("inputs")) + str(description.get("outputs"))
        for parameter in description.get("parameters", []):
            assert re.search(rf"\b{parameter['id']}\b", templates + ports), parameter["id"]

    def test_callbacks_are_methods(self, path):
        description = load(path)
        for callback in description["templates"].get("callbacks", []):
            block, _ = calls(description)[0]  # the outermost call comes first
            assert callable(getattr(block, callback.split("(")[0]))
