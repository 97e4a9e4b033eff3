# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged, foreign and hostile weights end in a ModelError that names the file."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch")
from models.image_codec import ImageCodec  # noqa: E402
from models.jscc import Jscc, JsccConfig  # noqa: E402
from models.weights_io import (  # noqa: E402
    WEIGHTS_DIR,
    load_state,
    read_card,
    save_weights,
    write_atomic,
)
from semcom_blocks.errors import ModelError  # noqa: E402

SMALL = {"latents": 8, "width": 8, "encoder_blocks": 1, "decoder_blocks": 1}
SHIPPED_LIMIT_BYTES = 8 * 2**20


def store(folder, state, config=SMALL, **card):
    """Weights and a card with the right hash for them."""
    sha256 = save_weights(folder / "m.safetensors", state, torch.float32)
    text = json.dumps({"sha256": sha256, "config": config} | card)
    (folder / "m.json").write_text(text, encoding="utf-8")


def fresh_state():
    torch.manual_seed(0)
    return Jscc(JsccConfig(**SMALL)).state_dict()


def refused(folder, match):
    with pytest.raises(ModelError, match=match) as caught:
        ImageCodec.load("m", directory=folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_round_trip(tmp_path):
    store(tmp_path, fresh_state())
    codec = ImageCodec.load("m", directory=tmp_path, bfloat16=False)
    for key, value in codec.model.state_dict().items():
        assert torch.equal(value, fresh_state()[key])
    assert codec.rates == ("1/24", "1/12")  # 8 latents carry no more
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.json", "m.safetensors"]


def test_shipped_weights_are_small_and_described():
    card = read_card("jscc-v3")
    path = WEIGHTS_DIR / "jscc-v3.safetensors"
    assert path.stat().st_size == card["bytes"] <= SHIPPED_LIMIT_BYTES
    state = load_state(path, card["sha256"])
    model = Jscc(JsccConfig(**card["config"]))
    assert state.keys() == model.state_dict().keys()
    assert sum(p.numel() for p in model.parameters()) == card["parameters"] <= 3_000_000
    assert card["curve"] and card["data"] and card["training"]["steps_done"] > 0
    text = (WEIGHTS_DIR / "jscc-v3.card.md").read_text(encoding="utf-8")
    assert card["sha256"] in text


@pytest.mark.parametrize("position", [0, 7, 200, -1])
def test_one_changed_byte_is_noticed(tmp_path, position):
    store(tmp_path, fresh_state())
    path = tmp_path / "m.safetensors"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    refused(tmp_path, "SHA-256")


def test_a_cut_file_is_noticed(tmp_path):
    store(tmp_path, fresh_state())
    path = tmp_path / "m.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    refused(tmp_path, "SHA-256")


def test_missing_files_are_named(tmp_path):
    refused(tmp_path, r"m\.json")
    store(tmp_path, fresh_state())
    (tmp_path / "m.safetensors").unlink()
    refused(tmp_path, r"m\.safetensors")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "null", '{"sha256": 1, "config": {}}', "[" * 10**5]
)
def test_a_card_that_is_none(tmp_path, text):
    store(tmp_path, fresh_state())
    (tmp_path / "m.json").write_text(text, encoding="utf-8")
    refused(tmp_path, r"m\.json")


@pytest.mark.parametrize(
    "config",
    [
        {"latents": 7},
        {"latents": "8"},
        {"width": -1},
        {"encoder_blocks": 1, "decoder_blocks": 10**9},
        {"depth": 3},
        {"width": 8.5},
    ],
)
def test_sizes_that_no_network_has(tmp_path, config):
    store(tmp_path, fresh_state(), SMALL | config)
    refused(tmp_path, r"m\.json")


def test_foreign_tensors_with_a_right_hash(tmp_path):
    state = fresh_state()
    store(tmp_path, state | {"extra": torch.zeros(1)})
    refused(tmp_path, "'extra'")
    first, *rest = state
    store(tmp_path, {k: state[k] for k in rest})
    refused(tmp_path, first.replace(".", r"\."))
    store(tmp_path, state | {first: state[first][:1]})
    refused(tmp_path, "shape")
    store(tmp_path, {k: v.flatten() for k, v in state.items()})
    refused(tmp_path, "shape")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(tmp_path, value):
    state = fresh_state()
    key = next(iter(state))
    state[key].view(-1)[0] = value
    store(tmp_path, state)
    refused(tmp_path, "not finite")


def test_a_pickle_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "boom"), "w"))

    torch.save({"weights": Bomb()}, tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"m\.pt.*safetensors"):
        load_state(tmp_path / "m.pt", "0" * 64)
    import hashlib

    shutil.copy(tmp_path / "m.pt", tmp_path / "m.safetensors")
    sha256 = hashlib.sha256((tmp_path / "m.safetensors").read_bytes()).hexdigest()
    card = json.dumps({"sha256": sha256, "config": SMALL})
    (tmp_path / "m.json").write_text(card, encoding="utf-8")
    refused(tmp_path, "not a safetensors file")
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("name", ["../jscc-v1", "/etc/passwd", "", "A", "a" * 65, "m\n"])
def test_a_model_name_is_no_path(name):
    with pytest.raises(ModelError, match="model name"):
        read_card(name)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "f"
    write_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_atomic(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def built_on(folder, changed, **base):
    """Weights ``fine`` that hold ``changed`` tensors of ``m``."""
    store(folder, fresh_state())
    sha256 = save_weights(folder / "fine.safetensors", changed)
    named = {"name": "m", "sha256": read_card("m", folder)["sha256"]} | base
    card = {"sha256": sha256, "config": SMALL, "base": named}
    (folder / "fine.json").write_text(json.dumps(card))


def test_weights_may_hold_only_what_differs_from_their_base(tmp_path):
    changed = {"decoder.mean": torch.tensor([0.25, 0.5, 0.75])}
    built_on(tmp_path, changed)
    whole = ImageCodec.load("m", directory=tmp_path, bfloat16=False).model.state_dict()
    fine = ImageCodec.load("fine", directory=tmp_path, bfloat16=False).model.state_dict()
    assert torch.equal(fine["decoder.mean"], changed["decoder.mean"])
    assert all(torch.equal(fine[k], v) for k, v in whole.items() if k != "decoder.mean")


@pytest.mark.parametrize(
    ("base", "match"),
    [
        ({"name": "n"}, "n.safetensors"),
        ({"name": "../m"}, "base is '../m'"),
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"sha256": 5}, "base is"),
    ],
)
def test_a_base_that_is_not_there_or_another_one(tmp_path, base, match):
    built_on(tmp_path, {"decoder.mean": torch.zeros(3)}, **base)
    with pytest.raises(ModelError, match=match):
        ImageCodec.load("fine", directory=tmp_path)


def test_what_neither_weights_nor_base_hold_is_named(tmp_path):
    built_on(tmp_path, {"decoder.trunk.extra": torch.zeros(3)})
    with pytest.raises(ModelError, match="extra"):
        ImageCodec.load("fine", directory=tmp_path)
