# SPDX-License-Identifier: GPL-3.0-or-later
"""The trained weights with their model card, written by the training run itself."""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from host.train.checkpoint import Progress
from models.weights_io import save_weights, write_atomic
from semcom_blocks.errors import ModelError

MAX_WEIGHTS_BYTES = 8 * 2**20  # what may ship
SHOWN_ROWS = 15  # of the curve in the readable card


def _store(out: Path, name: str, model: nn.Module, fixed: Collection[str]) -> dict[str, Any]:
    """Write ``NAME.safetensors`` (float16) without ``fixed``; what its card says of the file."""
    path = out / f"{name}.safetensors"
    state = {key: value for key, value in model.state_dict().items() if key not in fixed}
    sha256 = save_weights(path, state, torch.float16)
    return {
        "sha256": sha256,
        "bytes": path.stat().st_size,
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def _history(progress: Progress) -> dict[str, Any]:
    """What a card says of the run."""
    return {
        "training": progress.settings
        | {"steps_done": progress.step, "elapsed_s": round(progress.elapsed_s, 1)},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "curve": progress.curve,
    }


def _write(out: Path, card: dict[str, Any], text: str) -> None:
    """The card for programs, and for people."""
    write_atomic(out / f"{card['name']}.json", (json.dumps(card, indent=1) + "\n").encode())
    write_atomic(out / f"{card['name']}.card.md", text.encode())


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """About SHOWN_ROWS of the curve, the last among them."""
    shown = rows[:: max(1, len(rows) // SHOWN_ROWS)]
    return shown if not rows or shown[-1] is rows[-1] else [*shown, rows[-1]]


def _listed(values: Mapping[str, Any]) -> str:
    """``a 1, b 2``, what is None left out."""
    return ", ".join(f"{k} {v}" for k, v in values.items() if v is not None)


@dataclass(frozen=True)
class About:
    """What a card says that the training loop does not know.

    architecture: dotted name of the class.  config: what builds it again.  summary: what the
    network does and how it was trained, in Markdown.  data: one line a source.  limits: where it
    fails.  max_bytes: what may ship.  part: name of the submodule that ships, None for all.
    more: further entries of the card for programs.  base: name and sha256 of weights whose tensors
    named in ``fixed`` are not stored again (:func:`models.weights_io.base_state`).
    """

    architecture: str
    config: dict
    summary: str
    data: tuple[str, ...] = ()
    limits: str = ""
    max_bytes: int = MAX_WEIGHTS_BYTES
    part: str | None = None
    more: dict = field(default_factory=dict)
    base: dict[str, str] | None = None
    fixed: frozenset[str] = frozenset()


def write_network(out: Path, name: str, model: nn.Module, progress: Progress, about: About) -> None:
    """Write ``NAME.safetensors`` (float16), ``NAME.json`` and ``NAME.card.md`` under ``out``.

    Raises :class:`ModelError` where the file is larger than ``about.max_bytes``.
    """
    shipped = model.get_submodule(about.part) if about.part else model
    stored = _store(out, name, shipped, about.fixed)
    if stored["bytes"] > about.max_bytes:
        path, size = out / f"{name}.safetensors", stored["bytes"]
        raise ModelError(f"{path}: {size} bytes, permitted: at most {about.max_bytes}")
    card = {
        "name": name,
        "architecture": about.architecture,
        "config": about.config,
        **about.more,
        **({"base": about.base} if about.base else {}),
        **stored,
        "summary": about.summary,
        "data": list(about.data),
        "limits": about.limits,
        **_history(progress),
    }
    _write(out, card, network_card_text(card))


def network_card_text(card: dict) -> str:
    """The card of :func:`write_network` as Markdown, with ``notes`` that somebody added to it."""
    rows = card["curve"]
    keys = list(dict.fromkeys(k for row in rows for k in row))
    head = "| " + " | ".join(keys) + " |\n" + "|---" * len(keys) + "|"
    curve = "\n".join(
        "| " + " | ".join(str(r.get(k, "")) for k in keys) + " |" for r in _shown(rows)
    )
    data = "\n".join(f"- {line}" for line in card["data"])
    notes = "".join(f"\n{line}" for line in card.get("notes", ()))
    return f"""# {card["name"]}

{card["summary"]}

Architecture `{card["architecture"]}` with {card["config"]}.
{card["parameters"]:,} parameters, {card["bytes"]:,} bytes (float16).
SHA-256 `{card["sha256"]}`.

## Data
{data}

## Training
{_listed(card["training"])}.
What is stored is the moving average of the weights. Versions: {_listed(card["versions"])}.{notes}

## Curve
{head}
{curve}

## Limits
{card["limits"]}
"""
