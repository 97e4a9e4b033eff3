# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights that a training begins with: ``--start NAME`` or ``--start FILE.safetensors``."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from pathlib import Path

from torch import nn

from host.train.card import About
from models.weights_io import WEIGHTS_DIR, base_state, fill, load_into, load_state, read_card
from semcom_blocks.errors import ModelError

log = logging.getLogger(__name__)


def find(start: str, folder: str | None = None) -> tuple[str, Path]:
    """Name and folder of a file with its card beside it, or of a name in ``folder``.

    ``folder``: where names are looked for, None for the shipped weights.
    """
    if start.endswith(".safetensors"):
        path = Path(start)
        return path.stem, path.parent
    return start, Path(folder) if folder else WEIGHTS_DIR


def load_start(
    module: nn.Module,
    start: str,
    about: About,
    folder: str | None = None,
    free: Collection[str] = (),
) -> dict[str, str]:
    """Fill ``module`` with the weights ``start``; what settings and card say of them.

    Architecture and configuration must be those of ``about``, entries named in ``free`` aside;
    :class:`ModelError` names the card and what differs.
    """
    name, directory = find(start, folder)
    card, path = read_card(name, directory), directory / f"{name}.json"
    if card.get("architecture") != about.architecture:
        raise ModelError(
            f"{path}: architecture is {card.get('architecture')!r}, permitted to start from: "
            f"{about.architecture!r}"
        )
    given, wanted = card["config"], json.loads(json.dumps(about.config))  # tuples become lists
    differ = [k for k in sorted(given.keys() | wanted.keys()) if given.get(k) != wanted.get(k)]
    if differ := [key for key in differ if key not in free]:
        told = [", ".join(f"{k} {c.get(k)}" for k in differ) for c in (given, wanted)]
        raise ModelError(f"{path}: config is {told[0]}, permitted to start from: {told[1]}")
    path = directory / f"{name}.safetensors"
    load_into(module, path, card["sha256"], base_state(card, directory))
    log.info("started from %s", name)
    return {"start": name, "start_sha256": card["sha256"]}


def load_part(module: nn.Module, start: str, parts: Collection[str]) -> None:
    """Fill the submodules ``parts`` of ``module`` with those of the weights ``start``."""
    name, directory = find(start)
    card, path = read_card(name, directory), directory / f"{name}.safetensors"
    state = base_state(card, directory) | load_state(path, card["sha256"])
    for part in parts:
        own, prefix = module.get_submodule(part), f"{part}."
        given = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        fill(own, given, path)
    log.info("%s from %s", ", ".join(parts), name)
