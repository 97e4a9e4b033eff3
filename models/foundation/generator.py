# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator role by Stable Diffusion: text, edge map (ControlNet) and coarse picture in.

    prompt                  StableDiffusionPipeline
    prompt, edges           StableDiffusionControlNetPipeline
    prompt, coarse          StableDiffusionImg2ImgPipeline
    prompt, edges, coarse   StableDiffusionControlNetImg2ImgPipeline

All four share one set of networks in memory.  ControlNet: Zhang et al., "Adding conditional
control to text-to-image diffusion models", 2023; coarse pictures start the diffusion at a noise
level given by ``strength`` (SDEdit: Meng et al., 2022).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.foundation.checkpoint import PIPELINE_INDEX, Checkpoint, quiet_libraries
from models.foundation.placement import Placement
from semcom_blocks.errors import ConfigError, require_range

logger = logging.getLogger(__name__)

KINDS = (
    "StableDiffusionPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionControlNetPipeline",
    "LatentConsistencyModelPipeline",
)
MULTIPLE = 8  # pixels per latent of every Stable Diffusion autoencoder
DEFAULT_STEPS = 20
DEFAULT_GUIDANCE = 7.5
DEFAULT_STRENGTH = 0.6  # share of the diffusion that a coarse picture still goes through
MIN_STRENGTH = 0.05  # below it, the steps asked for would not fit into the diffusion's thousand
MAX_STEPS = 50


class DiffusionGenerator:
    """Text, edge map, coarse picture → picture. Equal seeds give equal pictures on one device."""

    def __init__(
        self, spec: str, control: str | None = None, placement: Placement | None = None
    ) -> None:
        from diffusers import DiffusionPipeline, StableDiffusionPipeline

        self._checkpoint = Checkpoint.parse(spec, "generator")
        self._control_checkpoint = Checkpoint.parse(control, "edge control") if control else None
        self._placement = placement or Placement()
        self._checkpoint.require("_class_name", KINDS, PIPELINE_INDEX)
        if self._control_checkpoint is not None:  # refuse it before gigabytes are loaded
            self._control_checkpoint.require("_class_name", ("ControlNetModel",))
        base = self._checkpoint.load(
            DiffusionPipeline.from_pretrained,
            dtype=self._placement.dtype,
            use_safetensors=True,
            safety_checker=None,
        )
        with quiet_libraries(), self._checkpoint.named_errors():
            if type(base).__name__ != StableDiffusionPipeline.__name__:
                base = StableDiffusionPipeline.from_pipe(base)
            base.set_progress_bar_config(disable=True)
        self._control = self._load_control()
        self._pipelines = {"text": self._placement.place(base)}
        self.name = spec

    def _load_control(self) -> Any:
        if self._control_checkpoint is None:
            return None
        from diffusers import ControlNetModel

        network = self._control_checkpoint.load(
            ControlNetModel.from_pretrained, dtype=self._placement.dtype, use_safetensors=True
        )
        return network.to(self._placement.target)

    @property
    def takes_edges(self) -> bool:
        """Whether a ControlNet was given."""
        return self._control is not None

    def cut(self, prompt: str) -> str:
        """``prompt`` cut to the text encoder's token limit, with a warning where it was longer."""
        tokenizer = self._pipelines["text"].tokenizer
        limit = tokenizer.model_max_length
        tokens = tokenizer(prompt, truncation=False, verbose=False).input_ids
        if len(tokens) <= limit:
            return prompt
        logger.warning("prompt has %d tokens, permitted: %d; the end is cut", len(tokens), limit)
        return tokenizer.decode(tokens[1 : limit - 1], skip_special_tokens=True)

    def generate(
        self,
        prompt: str,
        *,
        size: tuple[int, int],
        edges: NDArray[np.uint8] | None = None,
        coarse: NDArray[np.uint8] | None = None,
        steps: int = DEFAULT_STEPS,
        guidance: float = DEFAULT_GUIDANCE,
        strength: float = DEFAULT_STRENGTH,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.uint8]:
        """A picture uint8 (H,W,3) of ``size`` = (height, width).

        ``edges`` uint8 (H,W), ``coarse`` uint8 (H,W,3); both are scaled to ``size``.
        ``progress(step, steps)`` is called after each step.
        """
        require_range("steps", steps, 1, MAX_STEPS)
        require_range("guidance", guidance, 0.0, 50.0)
        require_range("strength", strength, MIN_STRENGTH, 1.0)
        height, width = size
        inner = tuple(max(1, round(side / MULTIPLE)) * MULTIPLE for side in size)
        options: dict[str, Any] = {
            "prompt": self.cut(prompt),
            "guidance_scale": guidance,
            "num_inference_steps": steps,
            "generator": torch.Generator().manual_seed(seed),
        }
        if coarse is not None:
            # The library runs int(steps · strength) of the steps; the caller asked for ``steps``.
            options |= {"image": _scaled(coarse, inner), "strength": strength}
            options["num_inference_steps"] = math.ceil(steps / strength)
        else:
            options |= {"height": inner[0], "width": inner[1]}
        if edges is not None:
            key = "image" if coarse is None else "control_image"
            options[key] = _scaled(np.repeat(edges[..., None], 3, axis=2), inner)
        if progress is not None:
            options["callback_on_step_end"] = _stepping(progress, steps)
        with quiet_libraries(), self._checkpoint.named_errors():
            picture = self._pipeline(edges is not None, coarse is not None)(**options).images[0]
        return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS).convert("RGB"))

    def _pipeline(self, edges: bool, coarse: bool) -> Any:
        import diffusers

        if edges and self._control is None:
            raise ConfigError(
                "generator has no edge control, permitted with edges: a ControlNet as 'control'"
            )
        kind = {
            (False, False): "StableDiffusionPipeline",
            (False, True): "StableDiffusionImg2ImgPipeline",
            (True, False): "StableDiffusionControlNetPipeline",
            (True, True): "StableDiffusionControlNetImg2ImgPipeline",
        }[edges, coarse]
        key = "text" if kind == "StableDiffusionPipeline" else kind
        if key not in self._pipelines:
            parts = dict(self._pipelines["text"].components)
            if edges:
                parts["controlnet"] = self._control
            made = getattr(diffusers, kind)(**parts, requires_safety_checker=False)
            made.set_progress_bar_config(disable=True)
            self._pipelines[key] = self._placement.place(made)
        return self._pipelines[key]


def _scaled(picture: NDArray[np.uint8], size: tuple[int, ...]) -> Image.Image:
    return Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.BICUBIC)


def _stepping(progress: Callable[[int, int], None], steps: int) -> Callable[..., dict]:
    def on_step(pipeline: Any, step: int, timestep: Any, kwargs: dict) -> dict:
        progress(min(step + 1, steps), steps)
        return kwargs

    return on_step
