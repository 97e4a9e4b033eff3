# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver's half of generation: a picture drawn from the streams that arrived.

Whatever is missing is left out of the conditions: without edges the generator has the prompt,
without a prompt the coarse picture, or the latents as they arrived, stand as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from host.client import HostClient
from host.config import RunConfig
from host.images import LoadedImage
from host.pipeline import latent_stream
from host.pipeline.bit_stream import from_symbols
from host.pipeline.reconstruct import received_picture
from host.pipeline.records import STREAM_EDGES, STREAM_LATENTS, STREAM_PICTURE, Reception
from host.pipeline.semantics import Semantics
from host.prompts import for_display
from models.tiers import EMBEDDED, RECEIVERS
from semcom_blocks.errors import ConfigError, ModelError, SemcomError

BITS_PER_SYMBOL = (1, 2, 4, 6, 8)
LATENTS_HINT = "a photo takes --latents with this generator"
PHOTO_HINT = "a photo takes --coarse, --generator embedded:vae, or --generator hf:ORG/NAME"


@dataclass(frozen=True)
class ReceivedLatents:
    """``values`` float32 (C, h, w), 0 where lost; ``noise_var`` as they, infinite where lost.

    ``about``: the codec, and the picture's width and height.
    """

    values: np.ndarray
    noise_var: np.ndarray
    about: dict[str, Any]

    @property
    def lost(self) -> float:
        """The share that was not sent or did not arrive."""
        return float(np.mean(np.isinf(self.noise_var)))


@dataclass
class Synthesis:
    """What the receiver made: pictures uint8 (H, W, 3), the edge map uint8 (H, W), counts.

    ``generated`` is ``None`` where nothing could be drawn; ``notes`` say why, one line each, and
    ``error`` is what the generator refused.  ``edge_bit_errors``: wrong bits, where the sender's
    are known.  ``heard``: the picture of the latents that arrived, without any inference.
    """

    edges: np.ndarray | None = None
    edge_bits: np.ndarray | None = None
    edge_bit_errors: int | None = None
    coarse: np.ndarray | None = None
    coarse_quality: dict[str, Any] | None = None
    latents: ReceivedLatents | None = None
    heard: np.ndarray | None = None
    heard_quality: dict[str, Any] | None = None
    generated: np.ndarray | None = None
    error: SemcomError | None = None
    steps: int | None = None
    guidance: float | None = None
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    fidelity: dict[str, Any] | None = None

    @property
    def best(self) -> np.ndarray | None:
        """The picture to show."""
        found = (self.generated, self.coarse, self.heard)
        return next((picture for picture in found if picture is not None), None)

    def conditions(self) -> dict[str, np.ndarray]:
        """What the generator is given beside the prompt."""
        found = {"edges": self.edges, "coarse": self.coarse}
        if self.latents is not None:
            found |= {"latents": self.latents.values, "noise_var": self.latents.noise_var}
        return {name: array for name, array in found.items() if array is not None}

    def judge(self, host: HostClient, reference: np.ndarray, sent: Semantics) -> None:
        """Compare with what the sender had."""
        stream = sent.streams.get(STREAM_EDGES)
        if stream is not None and stream.bits is not None and self.edge_bits is not None:
            self.edge_bit_errors = int(np.count_nonzero(stream.bits != self.edge_bits))
        if self.generated is not None:
            found = host.judge(reference, self.generated, sent.prompt)
            self.scores, self.fidelity = found["scores"] or {}, found["fidelity"]


def received_edge_bits(reception: Reception | None) -> tuple[np.ndarray, dict[str, Any]] | None:
    """Bits uint8 (n,) of the edge stream and what its decoder needs; ``None`` if it is not there.

    Raises :class:`ConfigError` for a descriptor that makes no sense.
    """
    stream = reception.stream(STREAM_EDGES) if reception is not None else None
    if stream is None or stream.descriptor is None:
        return None
    described = stream.descriptor
    per_symbol, n_bits, count = (described.get(key) for key in ("m", "b", "n"))
    if per_symbol not in BITS_PER_SYMBOL or not all(type(v) is int for v in (n_bits, count)):
        raise ConfigError(f"edge stream is described as {described}, permitted: m, b and n")
    if not 0 < n_bits <= per_symbol * count:
        raise ConfigError(f"edge stream has {n_bits} bits, permitted: up to {per_symbol * count}")
    filled = stream.filled(count)
    bits = from_symbols(filled.symbols, filled.noise_var, per_symbol, n_bits)
    about = {"codec": described.get("c"), "width": described.get("w"), "height": described.get("h")}
    return bits, about


def received_latents(reception: Reception | None) -> ReceivedLatents | None:
    """The latents that arrived; ``None`` if there is no such stream.

    Raises :class:`ConfigError` for a descriptor that makes no sense.
    """
    stream = reception.stream(STREAM_LATENTS) if reception is not None else None
    if stream is None or stream.descriptor is None:
        return None
    described = stream.descriptor
    channels, rows, columns = latent_stream.shape_of(described)
    filled = stream.filled(min(len(stream.symbols), channels * rows * columns))
    values, noise_var = latent_stream.from_symbols(filled.symbols, filled.noise_var, described)
    about = {"codec": described.get("c"), "width": described.get("w"), "height": described.get("h")}
    return ReceivedLatents(values, noise_var, about)


def request_meta(
    run: RunConfig, prompt: str, size: tuple[int, int], codec: str | None
) -> dict[str, Any]:
    """What ``host.generate`` is asked for; ``codec``: of the latents, if there are any."""
    wanted = run.generation
    return {
        "text": prompt,
        "width": size[0],
        "height": size[1],
        "strength": wanted.strength,
        "edge_scale": wanted.edge_scale,
        "seed": run.seed,
        "steps": wanted.steps,
        "guidance": wanted.guidance,
        "codec": codec,
    }


def check_drawable(
    host: HostClient, run: RunConfig, sent: Semantics, original: LoadedImage
) -> None:
    """Refuse now what the generator would refuse once all has been on the air."""
    if not run.generation.enabled:
        return
    height, width = original.pixels.shape[:2]
    stand_in: dict[str, np.ndarray] = {}  # what is in the pictures is not looked at
    codec = None
    if STREAM_EDGES in sent.streams:
        stand_in["edges"] = np.zeros((1, 1), np.uint8)
    if STREAM_PICTURE in sent.streams:
        stand_in["coarse"] = np.zeros((1, 1, 3), np.uint8)
    if sent.latents is not None:
        stand_in |= {"latents": sent.latents, "noise_var": np.zeros_like(sent.latents)}
        codec = sent.streams[STREAM_LATENTS].descriptor["c"]
    try:
        host.check(request_meta(run, sent.prompt, (width, height), codec), stand_in)
    except ConfigError as error:
        hint = LATENTS_HINT if run.models.generator in RECEIVERS else PHOTO_HINT
        drawn_from_words = not {"coarse", "latents"} & set(stand_in) and original.caption is None
        if run.models.generator.startswith(EMBEDDED) and drawn_from_words:
            raise ConfigError(f"{error}; {hint}") from None
        raise


def synthesise(
    host: HostClient,
    run: RunConfig,
    reception: Reception | None,
    size: tuple[int, int] | None,
    on_step: Callable[[int, int], None],
) -> Synthesis:
    """Draw from what arrived. ``size``: (width, height) where no stream tells it.

    A stream that cannot be used costs its condition, not the picture.
    """
    made = Synthesis()
    made.coarse = received_picture(host, reception)
    try:
        found = received_edge_bits(reception)
        if found is not None:
            made.edge_bits = found[0]
            made.edges = host.edge_decode(*found)
    except SemcomError as error:
        made.notes.append(f"edge map left out: {error}")
    _hear(host, reception, made)
    prompt = reception.prompt if reception is not None else None
    if prompt is None:
        made.notes.append("no prompt arrived, so nothing was drawn")
        return made
    codec = made.latents.about["codec"] if made.latents is not None else None
    meta = request_meta(run, prompt, _size(made, size, run.generation.scene_size), codec)
    began = time.monotonic()
    try:
        made.generated, about = host.generate(meta, made.conditions(), on_step)
    except (ConfigError, ModelError) as error:  # what did arrive is worth a report
        made.error = error
        made.notes.append(f"nothing was drawn: {error}")
        return made
    made.seconds = time.monotonic() - began
    made.steps, made.guidance = about["steps"], about["guidance"]
    made.notes.extend(for_display(str(note)) for note in about["notes"] or ())
    return made


def _hear(host: HostClient, reception: Reception | None, made: Synthesis) -> None:
    """Take in the latents that arrived."""
    try:
        latents = received_latents(reception)
        if latents is None:
            return
        if made.coarse is not None:
            made.notes.append("latents left out: there is a coarse picture")
            return
        made.heard = host.latent_decode(latents.values, latents.noise_var, latents.about)
        made.latents = latents
    except SemcomError as error:
        made.notes.append(f"latents left out: {error}")


def _size(made: Synthesis, given: tuple[int, int] | None, side: int) -> tuple[int, int]:
    """(width, height) of the picture to draw."""
    for known in (made.coarse, made.edges, made.heard):
        if known is not None:
            return known.shape[1], known.shape[0]
    return given or (side, side)
