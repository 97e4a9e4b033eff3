# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service does for each kind of request: a message in, a message out.

    encode  {rate, snr_db} [image u8 (H, W, 3)]
            → encoded {descriptor} [symbols c64 (k,)]
    decode  {descriptor} [symbols c64 (k,), noise_var f32 (k,)]
            → decoded {} [image u8 (H, W, 3)]
    quality {} [reference u8 (H, W, 3), image u8 (H, W, 3)]
            → quality {psnr_db, ms_ssim, ms_ssim_scales}

An erased symbol is 0 with a noise variance of infinity. ``psnr_db`` of equal
pictures and ``ms_ssim`` of tiny ones are ``None``. What is around the generator:
:mod:`host.service.generation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from host import metrics
from host.images import PIXELS_MAX
from host.service.generation import GenerationHandlers, Tell, picture
from models.tiers import Models
from semcom_blocks.errors import ConfigError, WireError
from semcom_blocks.wire import Message


class ImageCodec(Protocol):
    """What the service needs of a codec (``models.image_codec`` has the real one)."""

    def encode(
        self, image: np.ndarray, rate: str, snr_db: float
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """uint8 (H, W, 3) → complex64 (k,) of unit mean power, and the descriptor."""

    def decode(
        self, symbols: np.ndarray, noise_var: np.ndarray, descriptor: dict[str, Any]
    ) -> np.ndarray:
        """complex64 (k,), float32 (k,) and the descriptor → uint8 (H, W, 3)."""


CodecLoader = Callable[[], ImageCodec]


def load_shipped_codec() -> ImageCodec:
    """The codec whose weights come with the repository; ``ModelError`` if they do not."""
    from models.image_codec import ImageCodec as Shipped

    return Shipped.load()


class Handlers:
    """The requests by kind. The codec is loaded on first need and kept."""

    def __init__(
        self, load_codec: CodecLoader = load_shipped_codec, models: Models | None = None
    ) -> None:
        self._load_codec = load_codec
        self._codec: ImageCodec | None = None
        self._by_kind: dict[str, Callable[[Message, Tell], Message]] = {
            "encode": self._encode,
            "decode": self._decode,
            "quality": self._quality,
            **GenerationHandlers(models or Models()).by_kind,
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of request that :meth:`handle` knows."""
        return tuple(self._by_kind)

    def codec(self) -> ImageCodec:
        """The codec, loaded now if it is not yet."""
        if self._codec is None:
            self._codec = self._load_codec()
        return self._codec

    def warm_up(self) -> None:
        """Load the codec and the metric, and run both once: first calls are slow."""
        codec = self.codec()
        grey = np.full((64, 64, 3), 128, np.uint8)
        symbols, descriptor = codec.encode(grey, "1/6", 10.0)
        noise_var = np.full(symbols.shape, 0.1, np.float32)
        metrics.quality(grey, codec.decode(symbols, noise_var, descriptor))

    def handle(self, request: Message, tell: Tell = lambda message: None) -> Message:
        """Answer one request; raises a ``SemcomError`` for one that cannot be met.

        ``tell`` takes what a long request says on its way.
        """
        handler = self._by_kind.get(request.kind)
        if handler is None:
            known = ", ".join((*self.kinds, "ping"))
            raise WireError(f"unknown request {request.kind!a}, permitted: {known}")
        return handler(request, tell)

    def _encode(self, request: Message, tell: Tell) -> Message:
        image = picture(request, "image")
        snr_db = float(request.value("snr_db", (int, float)))
        if not math.isfinite(snr_db):
            raise ConfigError(f"snr_db {snr_db} is refused, permitted: a finite number")
        fading = "fading" in request.meta and request.value("fading", bool)
        rate = request.value("rate", str)
        symbols, descriptor = self.codec().encode(image, rate, snr_db, fading)
        return Message("encoded", {"descriptor": descriptor}, {"symbols": symbols})

    def _decode(self, request: Message, tell: Tell) -> Message:
        symbols = request.array("symbols", np.complex64, 1)
        noise_var = request.array("noise_var", np.float32, 1)
        descriptor = request.value("descriptor", dict)
        _check_descriptor(descriptor, symbols, noise_var)
        image = self.codec().decode(symbols, noise_var, descriptor)
        return Message("decoded", {}, {"image": image})

    def _quality(self, request: Message, tell: Tell) -> Message:
        found = metrics.quality(picture(request, "reference"), picture(request, "image"))
        return Message(
            "quality",
            {
                "psnr_db": found.psnr_db if math.isfinite(found.psnr_db) else None,
                "ms_ssim": found.ms_ssim,
                "ms_ssim_scales": found.ms_ssim_scales,
            },
        )


def _check_descriptor(
    descriptor: dict[str, Any], symbols: np.ndarray, noise_var: np.ndarray
) -> None:
    """A descriptor came over the air: it must not make the decoder allocate at will."""
    sizes = [descriptor.get(key) for key in ("w", "h", "n")]
    if not all(type(size) is int and size > 0 for size in sizes):
        raise ConfigError(f"descriptor w, h, n are {sizes}, permitted: whole numbers above 0")
    width, height, count = sizes
    if width * height > PIXELS_MAX:
        raise ConfigError(f"descriptor is {width}x{height}, permitted: up to {PIXELS_MAX} pixels")
    if not len(symbols) == len(noise_var) == count:
        raise ConfigError(
            f"{len(symbols)} symbols, {len(noise_var)} variances, permitted: {count} as described"
        )
    if not np.isfinite(symbols).all():
        raise ConfigError("symbols hold NaN or infinity, permitted: finite numbers, 0 if erased")
    if not (noise_var >= 0).all():
        raise ConfigError("noise_var holds NaN or a negative, permitted: 0 to infinity")
