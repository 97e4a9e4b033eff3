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

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.foundation.checkpoint import PIPELINE_INDEX, Checkpoint, quiet_libraries
from models.foundation.placement import Placement
from models.roles import MAX_PICTURE_SIDE, Generated, Request, StepDone
from semcom_blocks.errors import ConfigError, require_range

KINDS = (
    "StableDiffusionPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionControlNetPipeline",
    "LatentConsistencyModelPipeline",
)
MULTIPLE = 8  # pixels per latent of every Stable Diffusion autoencoder
DEFAULT_STEPS = 20
DEFAULT_GUIDANCE = 7.5
SCHEDULE_STEPS = 1000  # of the diffusion as it was trained
MIN_STRENGTH = 0.02  # below it less than one step in fifty is left to do


class DiffusionGenerator:
    """Text, edge map, coarse picture → picture. Equal seeds give equal pictures on one device."""

    def __init__(
        self, spec: str, control: str | None = None, placement: Placement | None = None
    ) -> None:
        with quiet_libraries():
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

    def cut(self, prompt: str) -> tuple[str, tuple[str, ...]]:
        """``prompt`` cut to the text encoder's token limit, and a note where it was longer."""
        tokenizer = self._pipelines["text"].tokenizer
        limit = tokenizer.model_max_length
        tokens = tokenizer(prompt, truncation=False, verbose=False).input_ids
        if len(tokens) <= limit:
            return prompt, ()
        note = f"prompt has {len(tokens)} tokens, permitted: {limit}; the end is cut"
        return tokenizer.decode(tokens[1 : limit - 1], skip_special_tokens=True), (note,)

    def check(self, request: Request) -> None:
        """Raises ConfigError for edges without a ControlNet, latents of another shape, a size."""
        for name in ("width", "height"):
            require_range(name, getattr(request, name), MULTIPLE, MAX_PICTURE_SIDE)
        if request.edges is not None and self._control is None:
            raise ConfigError(
                "generator has no edge control, permitted with edges: a ControlNet as 'control'"
            )
        if request.latents is not None:
            self._start(request, _inner(request))

    def generate(self, request: Request, progress: StepDone | None = None) -> Generated:
        """See :class:`models.roles.Generator`; edge map and coarse picture are scaled to fit."""
        self.check(request)
        steps = DEFAULT_STEPS if request.steps is None else request.steps
        guidance = DEFAULT_GUIDANCE if request.guidance is None else request.guidance
        size = (request.width, request.height)
        inner = _inner(request)
        prompt, notes = self.cut(request.text)
        options: dict[str, Any] = {
            "prompt": prompt,
            "guidance_scale": guidance,
            "num_inference_steps": steps,
            "generator": torch.Generator().manual_seed(request.seed),
        }
        start = self._start(request, inner)
        if start is not None:
            # The library runs int(steps · strength) of the steps; the caller asked for ``steps``.
            strength = max(request.strength, MIN_STRENGTH)
            whole = min(math.ceil(steps / strength), SCHEDULE_STEPS)
            steps = max(1, min(steps, int(whole * strength)))
            options |= {"image": start, "strength": strength, "num_inference_steps": whole}
        else:
            options |= {"width": inner[0], "height": inner[1]}
        if request.edges is not None:
            key = "image" if start is None else "control_image"
            options[key] = _scaled(np.repeat(request.edges[..., None], 3, axis=2), inner)
            options["controlnet_conditioning_scale"] = float(request.edge_scale)
        if progress is not None:
            options["callback_on_step_end"] = _stepping(progress, steps)
        pipeline = self._pipeline(request.edges is not None, start is not None)
        with quiet_libraries(), self._checkpoint.named_errors():
            picture = pipeline(**options).images[0]
        picture = picture.resize(size, Image.Resampling.LANCZOS).convert("RGB")
        return Generated(np.asarray(picture), steps, guidance, notes)

    def _start(self, request: Request, inner: tuple[int, ...]) -> Image.Image | Tensor | None:
        """What the diffusion starts from, if not from noise."""
        if request.latents is not None:
            shape = (4, inner[1] // MULTIPLE, inner[0] // MULTIPLE)
            if request.latents.shape != shape:
                raise ConfigError(f"latents are {request.latents.shape}, permitted: {shape}")
            return torch.from_numpy(np.ascontiguousarray(request.latents, np.float32))[None]
        return None if request.coarse is None else _scaled(request.coarse, inner)

    def _pipeline(self, edges: bool, coarse: bool) -> Any:
        import diffusers

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


def _inner(request: Request) -> tuple[int, ...]:
    """(width, height) that the network draws: the nearest multiples of MULTIPLE."""
    return tuple(max(1, round(n / MULTIPLE)) * MULTIPLE for n in (request.width, request.height))


def _scaled(picture: NDArray[np.uint8], size: tuple[int, ...]) -> Image.Image:
    return Image.fromarray(picture).resize((size[0], size[1]), Image.Resampling.BICUBIC)


def _stepping(progress: StepDone, steps: int) -> Any:
    def on_step(pipeline: Any, step: int, timestep: Any, kwargs: dict) -> dict:
        progress(min(step + 1, steps), steps)
        return kwargs

    return on_step
