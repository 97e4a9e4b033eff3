# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver's half of generation: a picture drawn from the streams that arrived.

Whatever is missing is left out of the conditions: without edges the generator has the prompt,
without a prompt the coarse picture stands as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from host.client import HostClient
from host.config import RunConfig
from host.pipeline.bit_stream import from_symbols
from host.pipeline.reconstruct import received_picture
from host.pipeline.records import STREAM_EDGES, Reception
from host.pipeline.semantics import Semantics
from host.prompts import for_display
from semcom_blocks.errors import ConfigError, SemcomError

BITS_PER_SYMBOL = (1, 2, 4, 6, 8)


@dataclass
class Synthesis:
    """What the receiver made: pictures uint8 (H, W, 3), the edge map uint8 (H, W), counts.

    ``generated`` is ``None`` where nothing could be drawn; ``notes`` say why, one line each.
    ``edge_bit_errors``: wrong bits, where the sender's are known.
    """

    edges: np.ndarray | None = None
    edge_bits: np.ndarray | None = None
    edge_bit_errors: int | None = None
    coarse: np.ndarray | None = None
    coarse_quality: dict[str, Any] | None = None
    generated: np.ndarray | None = None
    steps: int | None = None
    guidance: float | None = None
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    fidelity: dict[str, Any] | None = None

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
    streams = reception.streams if reception is not None else ()
    stream = next((s for s in streams if s.stream_id == STREAM_EDGES), None)
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
    prompt = reception.prompt if reception is not None else None
    if prompt is None:
        made.notes.append("no prompt arrived, so nothing was drawn")
        return made
    width, height = _size(made, size, run.generation.scene_size)
    wanted = run.generation
    meta = {
        "text": prompt,
        "width": width,
        "height": height,
        "strength": wanted.strength,
        "edge_scale": wanted.edge_scale,
        "seed": run.seed,
        "steps": wanted.steps,
        "guidance": wanted.guidance,
    }
    began = time.monotonic()
    made.generated, about = host.generate(meta, made.edges, made.coarse, on_step)
    made.seconds = time.monotonic() - began
    made.steps, made.guidance = about["steps"], about["guidance"]
    made.notes.extend(for_display(str(note)) for note in about["notes"] or ())
    return made


def _size(made: Synthesis, given: tuple[int, int] | None, side: int) -> tuple[int, int]:
    """(width, height) of the picture to draw."""
    for known in (made.coarse, made.edges):
        if known is not None:
            return known.shape[1], known.shape[0]
    return given or (side, side)
