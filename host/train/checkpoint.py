# SPDX-License-Identifier: GPL-3.0-or-later
"""One-file training checkpoints in safetensors: model, EMA, AdamW moments, generators, counters.

Written atomically, so that a kill at any time leaves the previous checkpoint whole. Processes that
train together share one file: weights are equal, and each has its own generator in it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from models.weights_io import write_atomic
from semcom_blocks.errors import ModelError

META_KEY = "training"  # key of the JSON text in the safetensors header


@dataclass
class Progress:
    """What a run has done so far; ``settings`` must match on resuming."""

    settings: dict
    step: int = 0
    elapsed_s: float = 0.0
    curve: list[dict] = field(default_factory=list)


def _generator(rank: int) -> str:
    return f"generator.{rank}" if rank else "generator"


def save_checkpoint(
    path: Path,
    model: nn.Module,
    ema: nn.Module,
    optimiser: torch.optim.AdamW,
    generators: Sequence[Tensor],
    progress: Progress,
) -> None:
    """Write everything that the next step depends on; ``generators``: the state of each process."""
    tensors = {_generator(rank): state for rank, state in enumerate(generators)}
    for prefix, module in (("model", model), ("ema", ema)):
        tensors |= {f"{prefix}.{k}": v for k, v in module.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"adam.{key}.{name}"] = value
    tensors = {k: v.detach().contiguous().clone() for k, v in tensors.items()}
    write_atomic(path, save_bytes(tensors, {META_KEY: json.dumps(asdict(progress))}))


def load_checkpoint(
    path: Path,
    model: nn.Module,
    ema: nn.Module,
    optimiser: torch.optim.AdamW,
    generator: torch.Generator,
    settings: dict,
    free: Collection[str] = (),
    rank: int = 0,
) -> Progress:
    """Restore what :func:`save_checkpoint` wrote, for process ``rank``.

    ``settings`` must equal the saved ones, those named in ``free`` aside.
    """
    try:
        data = path.read_bytes()
        tensors = load_bytes(data)
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        progress = Progress(**json.loads(header["__metadata__"][META_KEY]))
        both = settings.keys() | progress.settings.keys()
        differ = [k for k in both if settings.get(k) != progress.settings.get(k)]
        if differ := sorted(set(differ) - set(free)):
            raise ModelError(f"{path}: begun with other settings ({', '.join(differ)})")
        for prefix, module in (("model", model), ("ema", ema)):
            cut = len(prefix) + 1
            module.load_state_dict(
                {k[cut:]: v for k, v in tensors.items() if k.startswith(prefix + ".")}
            )
        for name, parameter in model.named_parameters():
            if f"adam.step.{name}" in tensors:  # not where no gradient has reached yet
                # Same memory layout as the parameter: the fused AdamW walks both by raw address.
                moments = {
                    key: torch.empty_like(parameter).copy_(tensors[f"adam.{key}.{name}"])
                    for key in ("exp_avg", "exp_avg_sq")
                }
                optimiser.state[parameter] = moments | {
                    "step": tensors[f"adam.step.{name}"].clone()
                }
        generator.set_state(tensors[_generator(rank)])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(f"{path}: not a checkpoint of this training ({error})") from None
    return progress
