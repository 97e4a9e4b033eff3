# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles that networks fill around the generator, and the records that pass between them.

Each role is a Protocol with one or two methods; each is filled by a small network of ours
(``embedded``) or by a Hugging Face model (``hf:<id or path>``). At these borders pictures are uint8
(H,W,3) RGB, edge maps are uint8 (H,W) with 255 on a boundary, and text is plain ``str``. Failures
are :class:`semcom_blocks.errors.SemcomError`; a model that is not there is a ``ModelError``, an
argument outside its range a ``ConfigError``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.scenes.scene import Scene
from semcom_blocks.errors import ConfigError, require_range

Picture = NDArray[np.uint8]  # (H,W,3) RGB
EdgeMap = NDArray[np.uint8]  # (H,W), 0 to 255
Latents = NDArray[np.float32]  # (C,h,w), about zero mean and unit variance
StepDone = Callable[[int, int], None]  # (steps done, steps in all)

MAX_STEPS = 1000  # diffusion schedules of the foundation tier end there
MAX_GUIDANCE = 50.0
MAX_SEED = 2**63 - 1
MAX_PICTURE_SIDE = 2048  # pixels; a generator's memory grows with the square of the tokens
MAX_REFINED_SIDE = 16_384  # of a coarse picture, which may be refined part by part


@dataclass(frozen=True)
class Caption:
    """What a captioner says: ``text``, and its own ``confidence`` 0…1 in all of it."""

    text: str
    confidence: float


@dataclass(frozen=True)
class EdgeCode:
    """An edge map as bits: ``bits`` uint8 of 0 and 1 (n,), and the picture's size in pixels."""

    bits: NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True)
class TextTokens:
    """A prompt as a network reads it.

    embeddings: float32 (T,D).  mask: bool (T,), False where there is no token.  dropped: words
    behind the token limit, which the network will not see.
    """

    embeddings: NDArray[np.float32]
    mask: NDArray[np.bool_]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What a generator is asked for.

    text: the prompt, may be empty.  width, height: of the picture in pixels.
    edges: EdgeMap or None.  coarse: a picture to refine, of any size, or None.  latents: float32
    (C,h,w), received latents to decode or to refine, or None; noise_var: as they, the variance of
    the noise on each, inf where lost, or None; for receivers (:mod:`models.receivers`).
    strength: how much of the coarse picture or latents is drawn anew, 0 (none) to 1 (all).
    edge_scale: weight of the edge condition.  steps, guidance: of the sampler, None for the
    generator's own choice.  seed: the same request gives the same picture.
    """

    text: str
    width: int = 64
    height: int = 64
    edges: EdgeMap | None = None
    coarse: Picture | None = None
    latents: NDArray[np.float32] | None = None
    noise_var: NDArray[np.float32] | None = None
    strength: float = 0.6
    edge_scale: float = 1.0
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        longest = MAX_PICTURE_SIDE if self.coarse is None else MAX_REFINED_SIDE
        require_range("width", self.width, 16, longest)
        require_range("height", self.height, 16, longest)
        require_range("strength", self.strength, 0, 1)
        require_range("edge_scale", self.edge_scale, 0, 10)
        require_range("seed", self.seed, 0, MAX_SEED)
        if self.steps is not None:
            require_range("steps", self.steps, 1, MAX_STEPS)
        if self.guidance is not None:
            require_range("guidance", self.guidance, 0, MAX_GUIDANCE)
        if self.coarse is not None and self.latents is not None:
            raise ConfigError("coarse and latents are both given, permitted: one of them")
        for name, value, axes in (("edges", self.edges, 2), ("coarse", self.coarse, 3)):
            if value is not None and (value.dtype != np.uint8 or value.ndim != axes):
                raise ConfigError(
                    f"{name} is {value.dtype} {value.shape}, permitted: uint8 of {axes} axes"
                )


@dataclass(frozen=True)
class Generated:
    """A picture uint8 (H,W,3), and what the user should know: ``notes``, one line each."""

    picture: Picture
    steps: int
    guidance: float
    notes: tuple[str, ...] = ()


@runtime_checkable
class Captioner(Protocol):
    """Picture → words."""

    name: str

    def caption(self, picture: Picture) -> Caption: ...


@runtime_checkable
class EdgeExtractor(Protocol):
    """Picture (H,W,3) → soft edge map (H,W)."""

    name: str

    def edges(self, picture: Picture) -> EdgeMap: ...


@runtime_checkable
class EdgeCodec(Protocol):
    """Edge map → few bits → edge map; wrong bits make it worse, never fail."""

    name: str

    def encode(self, edges: EdgeMap) -> EdgeCode: ...

    def decode(self, code: EdgeCode) -> EdgeMap: ...


@runtime_checkable
class TextEncoder(Protocol):
    """Prompt → token embeddings."""

    name: str

    def encode(self, text: str) -> TextTokens: ...


@runtime_checkable
class LatentCodec(Protocol):
    """Picture ↔ the latents that a generator refines or completes.

    The picture's sides are multiples of 8 pixels; C is even.
    """

    name: str

    def encode(self, picture: Picture) -> Latents: ...

    def decode(self, latents: Latents) -> Picture: ...


@runtime_checkable
class Generator(Protocol):
    """Text, edge map, coarse picture or latents → picture; deterministic given the seed.

    ``check`` raises what ``generate`` would raise for the request, and computes nothing.
    """

    name: str

    def check(self, request: Request) -> None: ...

    def generate(self, request: Request, progress: StepDone | None = None) -> Generated: ...


@runtime_checkable
class SceneReader(Protocol):
    """Pictures of the scene world → what is in them, so that fidelity is counted."""

    name: str

    def read(self, pictures: Sequence[Picture]) -> list[Scene]: ...


@runtime_checkable
class PictureJudge(Protocol):
    """How alike two pictures are in meaning: scores by name, each 0…1, 1 the best."""

    name: str

    def compare(self, reference: Picture, picture: Picture) -> dict[str, float]: ...


@runtime_checkable
class EmbeddingJudge(PictureJudge, Protocol):
    """A judge by embeddings float32 (B,D): sets of pictures can be compared by them too."""

    def embed_pictures(self, pictures: Sequence[Picture]) -> Any: ...


@runtime_checkable
class TextJudge(EmbeddingJudge, Protocol):
    """One that reads text as well: how well a picture and a text fit, 0…1."""

    def embed_texts(self, texts: Sequence[str]) -> Any: ...

    def fits(self, picture: Picture, text: str) -> float: ...


@runtime_checkable
class TextSimilarity(Protocol):
    """How alike two texts are in meaning, −1…1."""

    name: str

    def similarity(self, first: str, second: str) -> float: ...
