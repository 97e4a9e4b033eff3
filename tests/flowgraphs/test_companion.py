# SPDX-License-Identifier: GPL-3.0-or-later
"""Our blocks in Companion: they load, and what they promise is what the classes have."""

import ast
import inspect
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pmt
import pytest
import yaml

from semcom_blocks.channel import ChannelConfig
from semcom_blocks.channel.config import CHANNEL_MODELS
from semcom_blocks.phy import equalizer, estimators, qam
from semcom_blocks.phy.numerology import FFT_SIZES, Numerology
from tests.flowgraphs.conftest import FLOWGRAPHS, ROOT
from tests.flowgraphs.job import free_endpoint

DESCRIPTIONS = {
    path.name.removesuffix(".block.yml"): yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "semcom_blocks" / "grc").glob("*.block.yml"))
}
NUMEROLOGY = "variable_semcom_numerology"
CHANNEL = "semcom_software_channel"
BLOCKS = [key for key in DESCRIPTIONS if key != NUMEROLOGY]

# These show an error until a file is chosen, as Companion's own file blocks do.
FILES = {"semcom_sigmf_sink", "semcom_sigmf_source"}
# Ports that every block of GNU Radio has, or that none but the block itself uses.
INTERNAL_PORTS = {"system", "tick"}


def parameters(key):
    entries = DESCRIPTIONS[key].get("parameters", [])
    return [entry["id"] for entry in entries if entry["dtype"] != "gui_hint"]


def place(platform, key, **values):
    """A block on an empty canvas, and its errors except that nothing is connected to it."""
    graph = platform.make_flow_graph()
    block = graph.new_block(key)
    block.params["id"].set_value("block")
    for name, value in values.items():
        block.params[name].set_value(value)
    graph.rewrite()
    graph.validate()
    texts = [text for _, text in block.iter_error_messages()]
    return block, [text for text in texts if text != "Port is not connected."]


def construct(block):
    """The call that the generated program makes for a block: its node and the names it needs.

    Behind the call a widget is placed.
    """
    names: dict = {}
    exec(block.templates.render("imports"), names)
    return ast.parse(block.templates.render("make")).body[0].value, names


@pytest.fixture
def free(tmp_path):
    """Values of parameters that must not be in use already."""
    recording = tmp_path / "recording"
    recording.with_suffix(".sigmf-data").write_bytes(np.zeros(8, np.complex64).tobytes())
    about = '{"global": {"core:datatype": "cf32_le", "core:sample_rate": 1e6}}'
    recording.with_suffix(".sigmf-meta").write_text(about, encoding="utf-8")

    def values(key):
        own = {"endpoint": free_endpoint(), "path": str(recording)}
        return {name: own[name] for name in parameters(key) if name in own}

    return values


class TestEveryBlock:
    @pytest.mark.parametrize("key", DESCRIPTIONS)
    def test_fits_the_schema(self, key):
        from gnuradio.grc.core import schema_checker

        checker = schema_checker.Validator(schema_checker.BLOCK_SCHEME)
        assert checker.run(DESCRIPTIONS[key])
        assert not checker.messages

    @pytest.mark.parametrize("key", DESCRIPTIONS)
    def test_stands_in_the_tree(self, platform, key):
        assert platform.blocks[key].category == ["Semantic Communication"]

    @pytest.mark.parametrize("key", DESCRIPTIONS)
    def test_is_right_as_placed(self, platform, key):
        _, errors = place(platform, key)
        assert bool(errors) == (key in FILES)
        assert not [text for text in errors if "path" not in text]

    @pytest.mark.parametrize("key", BLOCKS)
    def test_parameters_are_those_of_the_constructor(self, platform, key):
        call, names = construct(place(platform, key)[0])
        signature = inspect.signature(names[call.func.id])
        assert not call.args
        assert [keyword.arg for keyword in call.keywords] == [
            name for name in signature.parameters if key != CHANNEL or name != "numerology"
        ]
        if key != CHANNEL:
            assert parameters(key) == list(signature.parameters)

    @pytest.mark.parametrize("key", sorted({*BLOCKS} - {CHANNEL} - FILES))
    def test_defaults_are_those_of_the_constructor(self, platform, key):
        call, names = construct(place(platform, key)[0])
        signature = inspect.signature(names[call.func.id])
        written = {k.arg: eval(ast.unparse(k.value), names) for k in call.keywords}
        assert written == {name: p.default for name, p in signature.parameters.items()}

    @pytest.mark.parametrize("key", BLOCKS)
    def test_ports_are_those_of_the_block(self, platform, free, key):
        placed, errors = place(platform, key, **free(key))
        assert not errors
        call, names = construct(placed)
        live = eval(ast.unparse(call), names)
        try:
            for described, ports, signature in (
                (placed.sinks, live.message_ports_in(), live.input_signature()),
                (placed.sources, live.message_ports_out(), live.output_signature()),
            ):
                messages = {port.key for port in described if port.domain == "message"}
                assert messages == set(pmt.to_python(ports)) - INTERNAL_PORTS
                streams = [port for port in described if port.domain == "stream"]
                assert len(streams) == signature.max_streams()
                assert all(port.dtype == "complex" for port in streams)
        finally:
            live.start()  # a thread that was never started cannot be joined
            live.stop()


class TestSoftwareChannel:
    def test_sets_every_field_of_the_configuration(self, platform):
        call, names = construct(place(platform, CHANNEL)[0])
        written = eval(ast.unparse(call.keywords[0].value), names)
        assert set(written) == {field.name for field in fields(ChannelConfig)}
        assert ChannelConfig.from_dict(written) == ChannelConfig(snr_db=15.0)

    def test_callback_gives_the_same_configuration(self, platform):
        values = {"model": "multipath", "snr_db": "7", "cfo_hz": "-3e3", "seed": "5"}
        block, errors = place(platform, CHANNEL, **values)
        assert not errors
        call, names = construct(block)
        (callback,) = block.templates.render("callbacks")
        changed = eval(callback.removeprefix("set_config"), names)
        assert changed == eval(ast.unparse(call.keywords[0].value), names)
        assert (changed["model"], changed["snr_db"], changed["cfo_hz"]) == ("multipath", 7, -3e3)


class TestNumerology:
    def test_is_the_default_as_placed(self, platform):
        block, _ = place(platform, NUMEROLOGY)
        scope = {"self": SimpleNamespace()}
        exec(block.templates.render("imports"), scope)
        exec(block.templates.render("var_make"), scope)
        assert scope["block"] == scope["self"].block == Numerology()
        assert parameters(NUMEROLOGY) == [field.name for field in fields(Numerology)]

    def test_other_blocks_take_it_by_its_id(self, platform):
        graph = platform.make_flow_graph()
        variable = graph.new_block(NUMEROLOGY)
        for name, value in {"id": "wide", "fft_size": "256", "n_used": "200"}.items():
            variable.params[name].set_value(value)
        block = graph.new_block("semcom_frame_sync")
        block.params["numerology"].set_value("wide")
        graph.rewrite()
        assert block.params["numerology"].get_evaluated() == Numerology(256, n_used=200)


@pytest.mark.parametrize(
    ("key", "name", "choices"),
    [
        ("semcom_channel_estimator", "method", estimators.CHOICES),
        ("semcom_equalizer", "method", equalizer.METHODS),
        ("semcom_pilot_inserter", "bits_per_symbol", qam.BITS_PER_SYMBOL),
        (CHANNEL, "model", CHANNEL_MODELS),
        (NUMEROLOGY, "fft_size", FFT_SIZES),
    ],
)
def test_lists_offer_what_there_is(platform, key, name, choices):
    (entry,) = [entry for entry in DESCRIPTIONS[key]["parameters"] if entry["id"] == name]
    assert set(entry["options"]) == set(map(str, choices))
    assert len(entry.get("option_labels", entry["options"])) == len(choices)
    for value in map(str, choices):
        _, errors = place(platform, key, **{name: value})
        assert not errors


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("semcom_channel_estimator", "method", "mmse"),
        ("semcom_equalizer", "method", "lmmse"),
        ("semcom_ofdm_modulator", "papr_limit_db", "1.0"),
        ("semcom_pilot_inserter", "bits_per_symbol", "3"),
        ("semcom_prompt_arq_sender", "repeats", "0"),
        ("semcom_semantic_source", "endpoint", "127.0.0.1:5560"),
        (CHANNEL, "model", "rician"),
        (CHANNEL, "snr_db", "100"),
        (CHANNEL, "cfo_hz", "600e3"),
        (NUMEROLOGY, "n_used", "53"),
        (NUMEROLOGY, "cp_len", "2"),
    ],
)
def test_a_value_out_of_range_shows_in_companion(platform, key, name, value):
    _, errors = place(platform, key, **{name: value})
    assert any("Assertion" in text and name in text for text in errors), errors


@pytest.mark.parametrize("path", FLOWGRAPHS, ids=lambda path: path.stem)
class TestFlowgraph:
    def test_is_valid(self, platform, path):
        graph = platform.make_flow_graph()
        graph.import_data(platform.parse_flow_graph(str(path)))
        graph.rewrite()
        graph.validate()
        assert [(str(where), text) for where, text in graph.iter_error_messages()] == []

    def test_is_in_companions_own_format(self, platform, path):
        """What Companion would save is what is there: nothing unknown, nothing left out."""
        data = platform.parse_flow_graph(str(path))
        graph = platform.make_flow_graph()
        graph.import_data(data)
        graph.rewrite()
        saved = graph.export_data()
        # The version is the one of whoever saved; versions may add parameters with defaults.
        assert [list(ends) for ends in saved["connections"]] == data["connections"]
        before = {block["name"]: block for block in data["blocks"]}
        for block in saved["blocks"]:
            assert block["states"] == before[block["name"]]["states"]
            stored = before[block["name"]]["parameters"]
            assert stored.items() <= block["parameters"].items()
