# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded generator: caption, edges, coarse picture or latents in, picture of a scene out.

::

    text -> grammar -> tokens --------------+
    edges -> control branch -> residuals ---+-> flow, a few guided steps -> decoder -> picture
    coarse picture -> encoder -+            |
    received latents ----------+-> z at t0 -+   (t0 = strength; without them noise at t0 = 1)

Where a prompt comes alone, what it leaves open is chosen first, by the seed
(:mod:`models.scenes.plan`); edges and coarse pictures say themselves where things are.
A coarse picture is refined by starting the flow from (1-t0)·z + t0·noise, as in C. Meng et al.,
"SDEdit", ICLR 2022, arXiv:2108.01073. The same request gives the same picture.

A coarse picture whose text is no scene caption is a photo: the refiner (:mod:`models.refiner`) puts
texture back into it, ``strength`` says how much, at any size; words and edges are not used then.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.generation.control import Control, ControlConfig
from models.generation.flow import Flow, FlowConfig
from models.generation.loading import load_network
from models.generation.sampler import follow, guided, times
from models.generation.text import MAX_TOKENS, batch_tokens, tokenise
from models.generation.vae import STRIDE, Vae, VaeConfig
from models.pictures import edge_tensor, picture_tensor, to_bytes
from models.refiner import WEIGHTS as REFINER
from models.refiner import PhotoRefiner
from models.roles import Generated, Request, StepDone
from models.scenes.grammar import parse, write
from models.scenes.plan import complete
from models.weights_io import WEIGHTS_DIR, read_card
from semcom_blocks.errors import ConfigError, ModelError, require_range

STEPS = 8
GUIDANCE = 2.0
MAX_STEPS = 64  # more changes nothing that can be seen
MAX_GUIDANCE = 10.0  # beyond, colours only saturate
SIDE, LARGE_SIDE = 64, 128  # pixels


class EmbeddedGenerator:
    """Generator of scenes on the shipped weights; fills :class:`models.roles.Generator`."""

    name = "embedded"

    def __init__(
        self,
        vae: Vae,
        flow: Flow,
        control: Control | None = None,
        plan: bool = True,
        sides: tuple[int, ...] = (SIDE,),
        refiner: PhotoRefiner | None = None,
    ) -> None:
        """``plan``: choose in words what a prompt alone leaves open; else the network has to.

        sides: of pictures in pixels, as trained.  refiner: of photos, None refuses them.
        """
        self.refiner = refiner
        self.plan = plan
        self.sides = sides
        self.vae = vae
        self.flow = flow
        self.control = control

    @classmethod
    def load(
        cls,
        directory: Path | None = None,
        vae: str = "vae-v1",
        flow: str = "flow-v1",
        control: str | None = "control-v1",
    ) -> EmbeddedGenerator:
        """From weights and cards; where those of ``control`` are missing, edges are refused."""
        directory = directory or WEIGHTS_DIR
        branch = None
        if control and (directory / f"{control}.json").exists():
            branch = load_network(Control, ControlConfig, control, directory)
        large = read_card(flow, directory).get("training", {}).get("large_share", 0) > 0
        return cls(
            load_network(Vae, VaeConfig, vae, directory),
            load_network(Flow, FlowConfig, flow, directory),
            branch,
            sides=(SIDE, LARGE_SIDE) if large else (SIDE,),
            refiner=PhotoRefiner.load(REFINER, directory)
            if (directory / f"{REFINER}.json").exists()
            else None,
        )

    def check(self, request: Request) -> None:
        """Raises ConfigError (caption, size, latents), ModelError (weights of edges or photos)."""
        steps, guidance = _sampling(request)
        require_range("steps", steps, 1, MAX_STEPS)
        require_range("guidance", guidance, 0, MAX_GUIDANCE)
        if (why := self._photo_since(request)) is not None:
            if self.refiner is None:
                raise ModelError(
                    f"{why}, and a photo is refined with the weights {REFINER!r}, which are not "
                    "there; try: semcom train refiner, or an hf: generator"
                )
            return
        self._text(request)
        if request.width != request.height or request.width not in self.sides:
            raise ConfigError(
                f"size is {request.width}x{request.height}, permitted for the embedded generator: "
                + ", ".join(f"{side}x{side}" for side in self.sides)
            )
        if request.edges is not None and self.control is None:
            raise ModelError("edges are given, permitted with the weights 'control-v1' only")
        self._latents(request)

    def generate(self, request: Request, progress: StepDone | None = None) -> Generated:
        """Draw the picture. Raises as :meth:`check`."""
        self.check(request)
        steps, guidance = _sampling(request)
        if self.refiner is not None and (why := self._photo_since(request)) is not None:
            return self._photo(request, self.refiner, why, progress)
        text, notes = self._text(request)
        edges = None if request.edges is None else self._edges(request)
        start = self._start(request)
        noise = self.noise(1, request.width, request.seed)
        with torch.no_grad():
            picture = self.draw(
                text, noise, steps, guidance,
                edges=edges, edge_scale=request.edge_scale,
                start=start, strength=request.strength, done=progress,
            )  # fmt: skip
        pixels = to_bytes(picture[0].permute(1, 2, 0))
        return Generated(np.ascontiguousarray(pixels), steps, guidance, notes)

    def _photo_since(self, request: Request) -> str | None:
        """Why a coarse picture shows no scene, as far as text and size tell; ``None`` if it may."""
        if request.coarse is None:
            return None
        if not request.text.strip():
            fits = request.width == request.height and request.width in self.sides
            return None if fits else f"no scene is {request.width}x{request.height}"
        try:
            parse(request.text)
        except ConfigError as error:
            return f"the prompt is no scene's ({str(error).partition(', permitted')[0]})"
        return None

    def _photo(
        self, request: Request, refiner: PhotoRefiner, why: str, progress: StepDone | None
    ) -> Generated:
        """The coarse picture at the size asked for, refined in one step."""
        coarse = request.coarse
        size = (request.height, request.width)
        if coarse.shape[:2] != size:
            tensor = F.interpolate(picture_tensor(coarse), size, mode="bilinear", antialias=True)
            coarse = to_bytes(tensor[0].permute(1, 2, 0))
        refined = refiner.refine(coarse, request.strength)
        if progress:
            progress(1, 1)
        notes = [f"{why}: the coarse picture was refined as a photo"]
        if request.edges is not None:
            notes.append("the edge map was not used: photos are refined from the coarse picture")
        return Generated(refined, 1, 1.0, tuple(notes))

    def noise(self, number: int, side: int, seed: int) -> Tensor:
        """Noise for pictures of ``side`` pixels (N,C,side/4,side/4)."""
        generator = torch.Generator().manual_seed(seed)
        shape = (number, self.flow.config.channels, side // STRIDE, side // STRIDE)
        return torch.randn(shape, generator=generator)

    def draw(
        self,
        text: Tensor,
        noise: Tensor,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
        *,
        edges: Tensor | None = None,
        edge_scale: float = 1.0,
        start: Tensor | None = None,
        strength: float = 1.0,
        done: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Pictures (B,3,H,W) in [0,1] for token batches (B,3,T) and noise (B,C,H/4,W/4).

        edges (B,1,H,W) in [0,1]; start: latents to refine, from t = ``strength`` on.
        """
        z, t0 = noise, 1.0
        if start is not None:
            z, t0 = torch.lerp(start, noise, strength), strength
        if t0 > 0:
            model = self._model(edges, edge_scale)
            z = follow(guided(model, text, guidance), z, times(steps, t0), done)
        return self.vae.decode(z)

    def _model(
        self, edges: Tensor | None, scale: float
    ) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """The velocity field, with the control branch where there are edges."""
        control = self.control
        if edges is None or control is None:
            return self.flow

        def controlled(z: Tensor, t: Tensor, text: Tensor) -> Tensor:
            tiled = edges.repeat(len(z) // len(edges), 1, 1, 1)
            residuals = control(self.flow, z, t, text, tiled)
            return self.flow(z, t, text, [scale * r for r in residuals])

        return controlled

    def _text(self, request: Request) -> tuple[Tensor, tuple[str, ...]]:
        """Tokens (1,3,T) of the caption in the grammar's own words, and notes."""
        if not request.text.strip():
            return batch_tokens([""]), ()
        scene = parse(request.text)
        alone = request.edges is None and request.coarse is None and request.latents is None
        if self.plan and alone:
            scene = complete(scene, random.Random(request.seed))
        canonical = write(scene)
        dropped = tokenise(canonical).dropped
        notes = ()
        if dropped:
            notes = (
                f"the prompt has {MAX_TOKENS + len(dropped)} tokens, cut to {MAX_TOKENS}: "
                f"from {dropped[0]!r} on it has no effect",
            )
        return batch_tokens([canonical]), notes

    def _edges(self, request: Request) -> Tensor:
        edges = edge_tensor(request.edges)
        size = (request.height, request.width)
        if edges.shape[-2:] != size:
            edges = F.interpolate(edges, size, mode="bilinear", antialias=True).clamp(0, 1)
        return edges

    def _start(self, request: Request) -> Tensor | None:
        """Latents (1,C,h,w) of the coarse picture, or those received, or None."""
        size = (request.height, request.width)
        if request.coarse is not None:
            coarse = picture_tensor(request.coarse)
            if coarse.shape[-2:] != size:
                coarse = F.interpolate(coarse, size, mode="bilinear", antialias=True).clamp(0, 1)
            with torch.no_grad():
                return self.vae.encode(coarse)
        return self._latents(request)

    def _latents(self, request: Request) -> Tensor | None:
        """Latents (1,C,h,w) that were received, checked, or None."""
        if request.latents is None:
            return None
        size = (request.height, request.width)
        latents = torch.from_numpy(np.array(request.latents, dtype=np.float32))
        wanted = (self.flow.config.channels, size[0] // STRIDE, size[1] // STRIDE)
        if tuple(latents.shape) != wanted or not torch.isfinite(latents).all():
            raise ConfigError(
                f"latents is {tuple(latents.shape)}, permitted: {wanted}, all of them finite"
            )
        return latents[None]


def _sampling(request: Request) -> tuple[int, float]:
    """Steps and guidance, as asked for or our own."""
    return (
        STEPS if request.steps is None else request.steps,
        GUIDANCE if request.guidance is None else request.guidance,
    )
