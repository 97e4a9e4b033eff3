# SPDX-License-Identifier: GPL-3.0-or-later
"""The classic chain: a picture as JPEG or WebP of at most so many bits, and over a coded channel.

At a few hundred bits a picture's file is mostly headers, so they are taken off: sender and receiver
agree on tables and container beforehand, and one byte says size and quality (JPEG's "abbreviated
format", ITU-T T.81, B.5). That is the kindest count; ``whole`` counts the file as it is.

The channel is QPSK with the link's rate-1/2 convolutional code, one symbol a bit, and no
retransmission.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from host.metrics import psnr_db
from semcom_blocks.errors import ConfigError, require_choice
from semcom_blocks.phy import coding, qam

Picture = NDArray[np.uint8]
Bits = NDArray[np.uint8]

FORMATS = ("jpeg", "webp")
SCALES = (1, 2, 4, 8)  # a picture may be sent smaller
QUALITIES = (1, 2, 3, 5, 8, 12, 18, 25, 35, 50, 65, 80, 90)
SIDE_BITS = 8  # which scale and quality: 52 pairs
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
WEBP_CONTAINER = 20  # bytes: RIFF, size, WEBP, "VP8 ", size
QPSK = 2  # bits a symbol


@dataclass(frozen=True)
class Coded:
    """``body``: the bits that are sent beside SIDE_BITS; ``header`` is agreed on beforehand."""

    kind: str
    header: bytes
    body: bytes
    width: int
    height: int

    def bits(self, whole: bool = False) -> int:
        """Cost, with the whole file or without what is agreed on."""
        return 8 * (len(self.header) + len(self.body)) if whole else SIDE_BITS + 8 * len(self.body)


def encode(picture: Picture, kind: str, scale: int, quality: int) -> Coded:
    """``picture`` at 1/``scale`` of its size."""
    require_choice("format", kind, FORMATS)
    height, width = picture.shape[:2]
    image = Image.fromarray(picture)
    if scale > 1:
        image = image.resize(
            (max(1, width // scale), max(1, height // scale)), Image.Resampling.BOX
        )
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    data = buffer.getvalue()
    if kind == "webp":
        return Coded(kind, data[:WEBP_CONTAINER], data[WEBP_CONTAINER:], width, height)
    at = data.index(START_OF_SCAN)
    at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return Coded(kind, data[:at], data[at:].removesuffix(END_OF_IMAGE), width, height)


def decode(coded: Coded, body: bytes | None = None) -> tuple[Picture, bool]:
    """The picture at its full size from ``body`` as received (None: as sent), and whether it was
    one: what no decoder reads is a grey picture."""
    body = coded.body if body is None else body
    data = coded.header + body + (END_OF_IMAGE if coded.kind == "jpeg" else b"")
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # show what there is of a damaged file
    try:
        # A damaged header may claim any size: such a file is as lost as one without a header.
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            image = Image.open(io.BytesIO(data), formats=[coded.kind])
        with image:
            small = image.convert("RGB")
        size = (coded.width, coded.height)
        return np.asarray(small.resize(size, Image.Resampling.BICUBIC)), True
    except Exception:  # a decoder may raise anything on a damaged file
        return np.full((coded.height, coded.width, 3), 128, np.uint8), False
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def fit(picture: Picture, kind: str, budget_bits: int, whole: bool = False) -> Coded | None:
    """The coding of highest PSNR within ``budget_bits``; None where not even the smallest fits."""
    best, best_db = None, -np.inf
    for scale in SCALES:
        for quality in QUALITIES:
            coded = encode(picture, kind, scale, quality)
            if coded.bits(whole) > budget_bits:
                break  # higher qualities are larger still
            found = psnr_db(picture, decode(coded)[0])
            if found > best_db:
                best, best_db = coded, found
    return best


def symbols_coded(bits: int) -> int:
    """QPSK symbols of ``bits`` behind the rate-1/2 code."""
    return coding.coded_length(bits) // QPSK


def send_coded(bits: Bits, snr_db: float, rng: np.random.Generator) -> Bits:
    """Bits through code, QPSK and white noise of ``snr_db`` a symbol."""
    if not len(bits):
        return bits
    symbols, variance = _noisy(qam.modulate(coding.encode(bits), QPSK), snr_db, rng)
    return coding.decode(qam.demodulate(symbols, variance, QPSK))


def send_bare(bits: Bits, snr_db: float, rng: np.random.Generator) -> Bits:
    """The same without a code; an odd last bit takes a symbol of its own."""
    padded = np.append(bits, np.zeros(len(bits) % QPSK, np.uint8))
    symbols, variance = _noisy(qam.modulate(padded, QPSK), snr_db, rng)
    return (qam.demodulate(symbols, variance, QPSK) < 0).astype(np.uint8)[: len(bits)]


def _noisy(symbols, snr_db: float, rng: np.random.Generator):
    if not np.isfinite(snr_db):
        raise ConfigError(f"snr_db is {snr_db}, permitted: a finite number")
    variance = 10 ** (-snr_db / 10)
    noise = rng.standard_normal((2, symbols.size)) * np.sqrt(variance / 2)
    return symbols + noise[0] + 1j * noise[1], np.full(symbols.size, variance)
