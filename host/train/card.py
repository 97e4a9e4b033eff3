# SPDX-License-Identifier: GPL-3.0-or-later
"""The trained weights with their model card, written by the training run itself."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from host.datasets import PictureSet
from host.train.checkpoint import Progress
from models.jscc import Jscc
from models.symbols import RATES
from models.weights_io import save_weights, write_atomic
from semcom_blocks.errors import ModelError

MAX_WEIGHTS_BYTES = 8 * 2**20  # what may ship
SHOWN_ROWS = 15  # of the curve in the readable card


def write_model(
    out: Path, name: str, model: Jscc, progress: Progress, sets: list[PictureSet]
) -> None:
    """Write ``NAME.safetensors`` (float16), ``NAME.json`` and ``NAME.card.md`` under ``out``."""
    path = out / f"{name}.safetensors"
    sha256 = save_weights(path, model.state_dict(), torch.float16)
    card = {
        "name": name,
        "architecture": "models.jscc.Jscc",
        "config": asdict(model.config),
        "rates": list(RATES),
        "sha256": sha256,
        "bytes": path.stat().st_size,
        "parameters": sum(p.numel() for p in model.parameters()),
        "data": [
            {
                "source": Path(s.source).name,
                "split": s.split,
                "pictures": len(s.pictures),
                "skipped": s.skipped,
            }
            for s in sets
        ],
        "training": progress.settings
        | {"data": [Path(p).name for p in progress.settings["data"]]}
        | {"steps_done": progress.step, "elapsed_s": round(progress.elapsed_s, 1)},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "curve": progress.curve,
    }
    write_atomic(out / f"{name}.json", (json.dumps(card, indent=1) + "\n").encode())
    write_atomic(out / f"{name}.card.md", card_text(card).encode())


def card_text(card: dict) -> str:
    """The card as Markdown."""
    rows = card["curve"]
    shown = rows[:: max(1, len(rows) // SHOWN_ROWS)]
    if rows and shown[-1] is not rows[-1]:
        shown.append(rows[-1])
    snrs = list(rows[-1]["val_psnr_db"]) if rows else []
    data = "\n".join(
        f"- `{d['source']}`, split `{d['split']}`: {d['pictures']} pictures, {d['skipped']} skipped"
        for d in card["data"]
    )
    told = {k: v for k, v in card["training"].items() if k != "data" and v is not None}
    settings = ", ".join(f"{k} {v}" for k, v in told.items())
    versions = ", ".join(f"{k} {v}" for k, v in card["versions"].items())
    curve = "\n".join(
        f"| {r['step']} | {r['elapsed_s']:.0f} | {r['loss']} | "
        + " | ".join(f"{r['val_psnr_db'][s]:.2f}" for s in snrs)
        + " |"
        for r in shown
    )
    head = "| step | seconds | loss | " + " | ".join(snrs) + " |\n" + "|---" * (3 + len(snrs)) + "|"
    notes = "".join(f"- {note}\n" for note in card.get("notes", []))
    notes = f"\n## Notes\n{notes}" if notes else ""
    return f"""# {card["name"]}

JSCC image codec, architecture `{card["architecture"]}` with {card["config"]}.
{card["parameters"]:,} parameters, {card["bytes"]:,} bytes (float16).
Rates {", ".join(card["rates"])} complex symbols per source value.
SHA-256 `{card["sha256"]}`.

## Data
{data}

## Training
{settings}.
Loss: mean of log(MSE + 1e-5); SNR uniform in -2…22 dB (Es/N0 per complex symbol). What is stored is
the moving average of the weights at the end. Versions: {versions}.
{notes}
## Curve
Mean PSNR in dB of held-out pictures of the first data source at rate 1/6 in AWGN, by SNR.

{head}
{curve}

## Limits
Trained on the pictures named above only: thumbnails and natural photos. Line art, text and screens
come out softer than a codec for them would make them. Below -2 dB or above 22 dB it was not
trained. Terms of the training data: see the sources of the data sets.
"""


@dataclass(frozen=True)
class About:
    """What a card says that the training loop does not know.

    architecture: dotted name of the class.  config: what builds it again.  summary: what the
    network does and how it was trained, in Markdown.  data: one line a source.  limits: where it
    fails.  max_bytes: what may ship.  part: name of the submodule that ships, None for all.
    """

    architecture: str
    config: dict
    summary: str
    data: tuple[str, ...] = ()
    limits: str = ""
    max_bytes: int = MAX_WEIGHTS_BYTES
    part: str | None = None


def write_network(out: Path, name: str, model: nn.Module, progress: Progress, about: About) -> None:
    """Write ``NAME.safetensors`` (float16), ``NAME.json`` and ``NAME.card.md`` under ``out``.

    Raises :class:`ModelError` where the file is larger than ``about.max_bytes``.
    """
    path = out / f"{name}.safetensors"
    model = model.get_submodule(about.part) if about.part else model
    sha256 = save_weights(path, model.state_dict(), torch.float16)
    size = path.stat().st_size
    if size > about.max_bytes:
        raise ModelError(f"{path}: {size} bytes, permitted: at most {about.max_bytes}")
    card = {
        "name": name,
        "architecture": about.architecture,
        "config": about.config,
        "sha256": sha256,
        "bytes": size,
        "parameters": sum(p.numel() for p in model.parameters()),
        "summary": about.summary,
        "data": list(about.data),
        "limits": about.limits,
        "training": progress.settings
        | {"steps_done": progress.step, "elapsed_s": round(progress.elapsed_s, 1)},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "curve": progress.curve,
    }
    write_atomic(out / f"{name}.json", (json.dumps(card, indent=1) + "\n").encode())
    write_atomic(out / f"{name}.card.md", network_card_text(card).encode())


def network_card_text(card: dict) -> str:
    """The card of :func:`write_network` as Markdown."""
    rows = card["curve"]
    shown = rows[:: max(1, len(rows) // SHOWN_ROWS)]
    if rows and shown[-1] is not rows[-1]:
        shown.append(rows[-1])
    keys = list(dict.fromkeys(k for row in rows for k in row))
    head = "| " + " | ".join(keys) + " |\n" + "|---" * len(keys) + "|"
    curve = "\n".join("| " + " | ".join(str(r.get(k, "")) for k in keys) + " |" for r in shown)
    told = {k: v for k, v in card["training"].items() if v is not None}
    settings = ", ".join(f"{k} {v}" for k, v in told.items())
    versions = ", ".join(f"{k} {v}" for k, v in card["versions"].items())
    data = "\n".join(f"- {line}" for line in card["data"])
    return f"""# {card["name"]}

{card["summary"]}

Architecture `{card["architecture"]}` with {card["config"]}.
{card["parameters"]:,} parameters, {card["bytes"]:,} bytes (float16).
SHA-256 `{card["sha256"]}`.

## Data
{data}

## Training
{settings}.
What is stored is the moving average of the weights. Versions: {versions}.

## Curve
{head}
{curve}

## Limits
{card["limits"]}
"""
