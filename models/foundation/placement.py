# SPDX-License-Identifier: GPL-3.0-or-later
"""On which device, in which precision, and with what kept out of the GPU's memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from semcom_blocks.errors import ConfigError, require_choice

DEVICES = ("auto", "cpu", "cuda")
OFFLOADS = ("none", "model", "sequential")


@dataclass(frozen=True)
class Placement:
    """``device``: auto takes a GPU where there is one.  ``half``: float16 on a GPU; a processor
    computes in float32, where half precision is slower and less exact.  ``offload``: keep
    networks ("model") or single layers ("sequential") in main memory until they are needed.
    """

    device: str = "auto"
    half: bool = True
    offload: str = "none"

    def __post_init__(self) -> None:
        require_choice("device", self.device, DEVICES)
        require_choice("offload", self.offload, OFFLOADS)
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("device is 'cuda', permitted here: cpu (torch finds no GPU)")
        if self.offload != "none" and self.target.type == "cpu":
            raise ConfigError(f"offload is {self.offload!r}, permitted on a processor: none")

    @property
    def target(self) -> torch.device:
        """The device to compute on."""
        on_gpu = self.device == "cuda" or (self.device == "auto" and torch.cuda.is_available())
        return torch.device("cuda" if on_gpu else "cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The precision to compute in."""
        return torch.float16 if self.half and self.target.type == "cuda" else torch.float32

    def place(self, pipeline: Any) -> Any:
        """Move a diffusers pipeline to its device, or set up its offloading."""
        if self.offload == "model":
            pipeline.enable_model_cpu_offload()
        elif self.offload == "sequential":
            pipeline.enable_sequential_cpu_offload()
        else:
            pipeline.to(self.target)
        return pipeline
