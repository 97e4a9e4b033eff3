# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture as JPEG, WebP or AVIF of at most so many bits: what the digital baseline sends.

What sender and receiver can agree on beforehand is not sent: containers, what only repeats the
picture's size, and JPEG's tables where they are the standard's (ITU-T T.81, B.5). Sent are
``SIDE_BITS``, which say what was chosen and where the file ends, and the file's body. The size of
the picture is taken as known, as it is for the JSCC codec. Of all that fits, the sender takes the
largest quality for each scale and mode, and of those the one of highest PSNR.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from host.metrics import psnr_db
from semcom_blocks.errors import ConfigError, require_choice, require_range

Picture = NDArray[np.uint8]

SCALES = (1, 2, 4, 8)  # a picture may be sent smaller
GREY = 128  # of the picture shown where nothing was received
SIDE_BITS = 12  # scale 2, mode 2, quality 7, and a stop bit behind the last byte of the body
WEBP_HEADER = 20  # bytes: RIFF, size, WEBP, "VP8 ", size
WEBP_TAG, WEBP_KNOWN = 3, 7  # bytes: VP8's frame tag, then start code and size (RFC 6386, 9.1)
AVIF_SEQUENCE, AVIF_FRAME = 1, 6  # types of AV1's units (AV1 specification, 6.2.2)
START_OF_SCAN, HUFFMAN_TABLE, END_OF_IMAGE = b"\xff\xda", b"\xff\xc4", b"\xff\xd9"
CHROMA = ("4:2:0", "4:4:4")

#: Ways to write each format; quality goes on top.
MODES: dict[str, tuple[dict, ...]] = {
    "jpeg": tuple(
        {"subsampling": chroma, "optimize": own, "progressive": own}
        for chroma in CHROMA
        for own in (False, True)
    ),
    "webp": ({"method": 6},),
    "avif": tuple({"subsampling": chroma, "speed": 6} for chroma in CHROMA),
}
FORMATS = tuple(MODES)
#: libavif has 64 quantisers for its qualities of 0 to 100.
QUALITIES: dict[str, tuple[int, ...]] = {
    "jpeg": tuple(range(1, 101)),
    "webp": tuple(range(101)),
    "avif": tuple(round(100 * step / 63) for step in range(64)),
}


@dataclass(frozen=True)
class Coded:
    """``body``: the bytes sent beside SIDE_BITS; all other bytes are agreed on.

    The file is header, ``split`` bytes of the body, middle, the rest of the body, trailer.
    """

    kind: str
    header: bytes
    body: bytes
    trailer: bytes
    width: int
    height: int
    middle: bytes = b""
    split: int = 0

    @property
    def bits(self) -> int:
        """What is sent."""
        return SIDE_BITS + 8 * len(self.body)

    def decode(self) -> Picture:
        """The picture at its full size."""
        first, rest = self.body[: self.split], self.body[self.split :]
        data = self.header + first + self.middle + rest + self.trailer
        with Image.open(io.BytesIO(data), formats=[self.kind]) as image:
            small = image.convert("RGB")
        if small.size == (self.width, self.height):
            return np.asarray(small)
        size = (self.width, self.height)
        return np.asarray(small.resize(size, Image.Resampling.BICUBIC))


def encode(picture: Picture, kind: str, mode: int, scale: int, quality: int) -> Coded:
    """``picture`` at 1/``scale`` of its size, written in one of the MODES."""
    require_choice("format", kind, FORMATS)
    require_range("mode", mode, 0, len(MODES[kind]) - 1)
    if scale not in SCALES:
        raise ConfigError(f"scale is {scale}, permitted: {SCALES}")
    require_range("quality", quality, QUALITIES[kind][0], QUALITIES[kind][-1])
    height, width = picture.shape[:2]
    image = Image.fromarray(picture)
    if scale > 1:
        size = (max(1, -(-width // scale)), max(1, -(-height // scale)))
        image = image.resize(size, Image.Resampling.BOX)
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, quality=quality, **MODES[kind][mode])
    except KeyError:
        raise ConfigError(f"format is {kind!r}, permitted: what this Pillow writes") from None
    data = buffer.getvalue()
    size = (width, height)
    if kind == "webp":
        tag, at = WEBP_HEADER + WEBP_TAG, WEBP_HEADER + WEBP_TAG + WEBP_KNOWN
        body = data[WEBP_HEADER:tag] + data[at:]
        return Coded(kind, data[:WEBP_HEADER], body, b"", *size, data[tag:at], WEBP_TAG)
    if kind == "avif":
        start, end = _frame(data), len(data)
    else:
        end = len(data) - len(END_OF_IMAGE)
        start = _scan(data, bool(MODES[kind][mode]["optimize"]))
    return Coded(kind, data[:start], data[start:end], data[end:], *size)


def _scan(data: bytes, own_tables: bool) -> int:
    """Where a JPEG file's own Huffman tables start, or behind the standard ones its scan."""
    if own_tables:
        return data.index(HUFFMAN_TABLE)
    start = data.index(START_OF_SCAN)
    return start + 2 + struct.unpack(">H", data[start + 2 : start + 4])[0]


def _frame(data: bytes) -> int:
    """Where an AVIF file's frame starts, behind the sequence header: that is of size and mode."""
    at = data.index(b"mdat") + 4
    while (kind := data[at] >> 3 & 15) != AVIF_FRAME:
        if kind > AVIF_SEQUENCE + 1 or data[at + 1] > 127:  # headers are short; units in order
            break
        at += 2 + data[at + 1]
    return at


@dataclass
class Ladder:
    """One picture in one format: remembers what it has tried, so that many budgets are cheap."""

    picture: Picture
    kind: str
    sizes: dict[tuple[int, int, int], int] = field(default_factory=dict)
    scores: dict[tuple[int, int, int], float] = field(default_factory=dict)

    def fit(self, budget_bits: int) -> Coded | None:
        """The coding of highest PSNR within ``budget_bits``; None where nothing fits."""
        best, best_db = None, -math.inf
        for scale in SCALES:
            steps = [(mode, self._largest(mode, scale, budget_bits)) for mode in self._modes(scale)]
            fitting = [(mode, scale, step) for mode, step in steps if step is not None]
            if not fitting:
                continue
            found = max(fitting, key=self._score)
            if self._score(found) <= best_db:
                break  # still fewer pixels are worse still
            best, best_db = found, self._score(found)
        return None if best is None else self._encode(*best)

    def _modes(self, scale: int) -> range:
        """Full colour resolution is for pictures of full size."""
        count = len(MODES[self.kind])
        return range(count if scale == 1 else -(-count // 2))

    def _largest(self, mode: int, scale: int, budget_bits: int) -> int | None:
        """Index of the largest quality that fits, by bisection: sizes rise with quality."""
        low, high = -1, len(QUALITIES[self.kind]) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._size(mode, scale, middle) <= budget_bits:
                low = middle
            else:
                high = middle - 1
        return None if low < 0 else low

    def _size(self, *at: int) -> int:
        if at not in self.sizes:
            self.sizes[at] = self._encode(*at).bits
        return self.sizes[at]

    def _score(self, at: tuple[int, int, int]) -> float:
        if at not in self.scores:
            self.scores[at] = psnr_db(self.picture, self._encode(*at).decode())
        return self.scores[at]

    def _encode(self, mode: int, scale: int, step: int) -> Coded:
        return encode(self.picture, self.kind, mode, scale, QUALITIES[self.kind][step])


def pack(coded: Coded | None, budget_bits: int) -> NDArray[np.uint8]:
    """The body and a stop bit in exactly the bits of the budget beside the other side bits."""
    body = np.unpackbits(np.frombuffer(coded.body if coded else b"", np.uint8))
    room = budget_bits - (SIDE_BITS - 1)
    if body.size + 1 > room:
        raise ConfigError(f"budget is {budget_bits} bits, permitted: at least {body.size + 12}")
    return np.concatenate([body, [1], np.zeros(room - body.size - 1)]).astype(np.uint8)


def unpack(bits: NDArray[np.uint8]) -> bytes:
    """Inverse of :func:`pack`: what stands before the last 1."""
    ends = np.flatnonzero(bits)
    if not ends.size:
        raise ConfigError("bits hold no stop bit, permitted: what pack made")
    return np.packbits(bits[: ends[-1]]).tobytes()


def grey(picture: Picture) -> Picture:
    """What is shown of a picture that did not arrive."""
    return np.full_like(picture, GREY)
