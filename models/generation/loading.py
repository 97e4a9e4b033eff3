# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of the generator from their weights and card, checked."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from torch import nn

from models.weights_io import WEIGHTS_DIR, load_into, read_card
from semcom_blocks.errors import ConfigError, ModelError

M = TypeVar("M", bound=nn.Module)


def load_network(kind: type[M], config_kind: type, name: str, directory: Path | None = None) -> M:
    """The network ``kind(config_kind(**card's config))`` with the weights ``name``.

    Raises :class:`ModelError` where the files are missing, damaged or of another kind.
    """
    directory = directory or WEIGHTS_DIR
    card = read_card(name, directory)
    wanted = f"{kind.__module__}.{kind.__name__}"
    if card.get("architecture") != wanted:
        raise ModelError(
            f"{directory / name}.json: architecture is {card.get('architecture')!r}, "
            f"permitted: {wanted!r}"
        )
    try:
        network = kind(config_kind(**card["config"]))
    except (TypeError, ConfigError) as error:
        raise ModelError(f"{directory / name}.json: config does not fit ({error})") from None
    load_into(network, directory / f"{name}.safetensors", card["sha256"])
    return network.eval().requires_grad_(False)
