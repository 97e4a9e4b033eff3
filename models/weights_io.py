# SPDX-License-Identifier: GPL-3.0-or-later
"""Checked loading and atomic saving of weights: safetensors only, nothing is ever unpickled.

Weights ``NAME.safetensors`` come with a card ``NAME.json`` (sizes, training, SHA-256) beside them.
A card with a ``base`` (name, SHA-256) is of weights that hold only what differs from the base's.
Every failure is a :class:`semcom_blocks.errors.ModelError` that names the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from semcom_blocks.errors import ModelError

WEIGHTS_DIR = Path(__file__).parent / "weights"
MAX_WEIGHTS_BYTES = 40 * 2**20  # all embedded weights together stay below; larger is not ours
MAX_CARD_BYTES = 2**20  # curves included, cards are some tens of kB
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # a file name, never a path


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` holds all of the old or all of the new, even after a kill."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_weights(path: Path, state: dict[str, Tensor], dtype: torch.dtype = torch.float16) -> str:
    """Store ``state`` as safetensors in ``dtype`` and return the SHA-256 of the file (hex)."""
    tensors = {k: v.detach().to(dtype).contiguous().clone() for k, v in state.items()}
    data = save_bytes(tensors)
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()


def _read(path: Path, limit: int) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > limit:
        raise ModelError(f"{path}: larger than the permitted {limit} bytes")
    return data


def read_card(name: str, directory: Path = WEIGHTS_DIR) -> dict:
    """The card of ``name``: a dict with at least ``sha256`` (str) and ``config`` (dict)."""
    if not NAME_PATTERN.fullmatch(name):
        raise ModelError(f"model name is {name!r}, permitted: {NAME_PATTERN.pattern}")
    path = directory / f"{name}.json"
    try:
        card = json.loads(_read(path, MAX_CARD_BYTES))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a model card ({error})") from None
    if not (
        isinstance(card, dict)
        and isinstance(card.get("sha256"), str)
        and isinstance(card.get("config"), dict)
    ):
        raise ModelError(f"{path}: a model card needs 'sha256' (text) and 'config' (object)")
    return card


def load_state(path: Path, sha256: str) -> dict[str, Tensor]:
    """Read a safetensors file whose SHA-256 must be ``sha256``; float32 tensors, all finite."""
    if path.suffix != ".safetensors":
        raise ModelError(f"{path}: weights are read from .safetensors files only")
    data = _read(path, MAX_WEIGHTS_BYTES)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelError(f"{path}: SHA-256 is {found[:16]}…, its model card says {sha256[:16]}…")
    try:
        tensors = load_bytes(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: not a safetensors file ({error})") from None
    for key, value in tensors.items():
        if not value.is_floating_point() or not torch.isfinite(value).all():
            raise ModelError(f"{path}: tensor {key!r} is not finite floating point")
    return {key: value.float() for key, value in tensors.items()}


def base_state(card: dict, directory: Path = WEIGHTS_DIR) -> dict[str, Tensor]:
    """The tensors of the weights that ``card`` builds on; none where it names no base.

    They lie in ``directory``, or else among the shipped ones.
    """
    base = card.get("base")
    if base is None:
        return {}
    named = isinstance(base, dict) and {k: base.get(k) for k in ("name", "sha256")}
    if not named or not all(isinstance(value, str) for value in named.values()):
        raise ModelError(f"base is {base!r}, permitted: an object with name and sha256")
    if not NAME_PATTERN.fullmatch(named["name"]):
        raise ModelError(f"base is {named['name']!r}, permitted: {NAME_PATTERN.pattern}")
    file = f"{named['name']}.safetensors"
    beside = directory / file
    return load_state(beside if beside.exists() else WEIGHTS_DIR / file, named["sha256"])


def load_into(
    module: nn.Module, path: Path, sha256: str, base: dict[str, Tensor] | None = None
) -> None:
    """Fill ``module`` from ``path``: every tensor present, none left over, every shape equal.

    ``base``: tensors for what the file does not hold (:func:`base_state`).
    """
    fill(module, (base or {}) | load_state(path, sha256), path)


def fill(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Fill ``module`` with exactly these tensors; ``path`` is where they came from."""
    own = module.state_dict()
    if odd := sorted(set(own) ^ set(state)):
        raise ModelError(f"{path}: {len(odd)} tensors missing or foreign, first {odd[0]!r}")
    for key, value in own.items():
        if value.shape != state[key].shape:
            raise ModelError(
                f"{path}: tensor {key!r} has shape {tuple(state[key].shape)}, "
                f"permitted: {tuple(value.shape)}"
            )
    module.load_state_dict(state)
