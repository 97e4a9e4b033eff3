# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender's half of generation: a picture taken apart into semantic streams.

    prompt   words, exact                              captioner, or the user's own
    edges    bits on M-QAM symbols, may be damaged     edge extractor and edge codec
    coarse   JSCC symbols at a low rate, may be noisy  image codec
    latents  analog symbols, some may be left out      latent codec

Without generation the one stream is the picture itself, by JSCC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from host.client import HostClient
from host.config import RunConfig
from host.images import LoadedImage
from host.pipeline import latent_stream
from host.pipeline.bit_stream import to_symbols
from host.pipeline.prompt_code import to_air
from host.pipeline.records import STREAM_EDGES, STREAM_LATENTS, STREAM_PICTURE
from models.tiers import EMBEDDED


@dataclass(frozen=True)
class SentStream:
    """One stream as it goes out: ``bits`` is ``None`` for an analog one."""

    name: str
    symbols: np.ndarray
    descriptor: dict[str, Any]
    bits: np.ndarray | None = None


@dataclass(frozen=True)
class Semantics:
    """What is sent of a picture, by stream id; ``edges`` uint8 (H, W) as the sender has them.

    ``packed``: the prompt goes as a packed caption if it is one.
    """

    prompt: str
    streams: dict[int, SentStream] = field(default_factory=dict)
    edges: np.ndarray | None = None
    latents: np.ndarray | None = None
    packed: bool = False

    @property
    def prompt_on_air(self) -> str:
        """The prompt as the radio takes it."""
        return to_air(self.prompt, self.packed)

    def for_radio(self) -> dict[int, tuple[np.ndarray, dict[str, Any]]]:
        """Symbols and descriptors as the radio takes them."""
        return {key: (stream.symbols, stream.descriptor) for key, stream in self.streams.items()}

    @property
    def symbols(self) -> int:
        """Complex symbols of all analog and bit streams."""
        return sum(len(stream.symbols) for stream in self.streams.values())


def roles_of(run: RunConfig, *, sends: bool, draws: bool, judges: bool) -> list[str]:
    """The models that a run needs at its ends, so that they are loaded before the air."""
    wanted = run.generation
    if not wanted.enabled:
        return []
    roles = []
    if sends and run.prompt is None:
        roles.append("captioner")
    if sends and wanted.edges:
        roles.append("edges")
    if wanted.edges or not sends:  # who only receives does not know what will come
        roles.append("edge_codec")
    if wanted.latents:
        roles.append("latents")
    if draws:
        roles.append("generator")
    return [*roles, "judges", "reader"] if judges else roles


def prompt_of(host: HostClient, run: RunConfig, original: LoadedImage, given: str) -> str:
    """The words to send: the user's, else the captioner's, else ``given``.

    The embedded captioner knows the scene world only, so a photo keeps its own caption.
    """
    knows = run.models.captioner != EMBEDDED or original.caption is not None
    if not run.generation.enabled or run.prompt is not None or not knows:
        return given
    return host.caption(original.pixels)


def decompose(host: HostClient, run: RunConfig, original: LoadedImage, given: str) -> Semantics:
    """Take ``original`` apart as ``run.generation`` says; ``given``: the prompt if none is read."""
    wanted = run.generation
    prompt = prompt_of(host, run, original, given)
    streams: dict[int, SentStream] = {}
    edges = None
    if not wanted.enabled or wanted.coarse:
        symbols, descriptor = host.encode(
            original.pixels, run.codec.rate, run.channel.snr_db, run.fades
        )
        name = "coarse" if wanted.enabled else "picture"
        streams[STREAM_PICTURE] = SentStream(name, symbols, descriptor)
    if wanted.enabled and wanted.edges:
        bits, edges, about = host.edge_encode(original.pixels)
        if len(bits):
            symbols = to_symbols(bits, wanted.edge_bits_per_symbol)
            descriptor = {
                "c": about["codec"],
                "w": about["width"],
                "h": about["height"],
                "m": wanted.edge_bits_per_symbol,
                "b": len(bits),
                "n": len(symbols),
            }
            streams[STREAM_EDGES] = SentStream("edges", symbols, descriptor, bits)
    latents = None
    if wanted.enabled and wanted.latents:
        latents, codec = host.latent_encode(original.pixels)
        symbols, about = latent_stream.to_symbols(latents, wanted.latent_share)
        height, width = original.pixels.shape[:2]
        descriptor = {"c": codec, "w": width, "h": height, **about}
        streams[STREAM_LATENTS] = SentStream("latents", symbols, descriptor)
    packed = wanted.enabled and wanted.pack_caption
    return Semantics(prompt, streams, edges, latents, packed)
