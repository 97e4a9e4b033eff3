# SPDX-License-Identifier: GPL-3.0-or-later
"""What must arrive exactly: the prompt and the descriptors of the analog streams.

    byte 0    version (high nibble) and flags (low nibble; bit 0: body is deflated)
    byte 1 …  body: msgpack [prompt, [[stream_id, {key: value, …}], …]]

The body is raw deflate (RFC 1951) where that is shorter; there is no checksum here,
because the link delivers only what passed two CRC-32.
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from semcom_blocks.errors import LinkError, SourceError

VERSION = 1
_DEFLATED = 0x01

#: Longest prompt in UTF-8.  Far above any text encoder's context (77 to 512 tokens);
#: at 0.5 Mbit/s it takes one second.
MAX_PROMPT_BYTES = 64 * 1024
#: Most analog streams of a message: latents, edges, masks and a few more.
MAX_STREAMS = 16
#: Most msgpack bytes of one descriptor; it rides on the air in every message.
MAX_DESCRIPTOR_BYTES = 512
#: Most keys of one descriptor.
MAX_DESCRIPTOR_KEYS = 32
#: Most bytes of a body once inflated; the bound that stops a deflate bomb.
MAX_BODY_BYTES = MAX_PROMPT_BYTES + MAX_STREAMS * (MAX_DESCRIPTOR_BYTES + 8) + 16
#: Most bytes of a message as it is sent.
MAX_MESSAGE_BYTES = 1 + MAX_BODY_BYTES

#: Descriptor values: what msgpack carries exactly and JSON can show.
Scalar = str | int | float | bool | None
_INT_LIMIT = 2**63


@dataclass(frozen=True)
class SemanticMessage:
    """A prompt and ``(stream_id, descriptor)`` pairs, checked when made.

    ``prompt``: text, at most 64 KiB in UTF-8.  ``streams``: at most 16 pairs, distinct
    stream ids 0 … 255, descriptors flat dictionaries of str to scalars.
    Raises :class:`SourceError` otherwise; lone surrogates have no UTF-8 and are refused.
    """

    prompt: str
    streams: tuple[tuple[int, Mapping[str, Scalar]], ...] = ()

    def __post_init__(self) -> None:
        size = len(_utf8("prompt", self.prompt))
        if size > MAX_PROMPT_BYTES:
            raise SourceError(f"prompt has {size} bytes, permitted: 0 to {MAX_PROMPT_BYTES}")
        if len(self.streams) > MAX_STREAMS:
            raise SourceError(f"{len(self.streams)} streams, permitted: 0 to {MAX_STREAMS}")
        seen = set()
        for stream_id, descriptor in self.streams:
            if type(stream_id) is not int or not 0 <= stream_id <= 255:
                raise SourceError(f"stream id is {stream_id!r}, permitted: 0 to 255")
            if stream_id in seen:
                raise SourceError(f"stream id {stream_id} is there twice, permitted: once")
            seen.add(stream_id)
            _check_descriptor(stream_id, descriptor)

    def to_bytes(self) -> bytes:
        """The message as bytes; equal messages give equal bytes."""
        pairs = [[stream_id, dict(descriptor)] for stream_id, descriptor in self.streams]
        body = msgpack.packb([self.prompt, pairs])
        packer = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
        deflated = packer.compress(body) + packer.flush()
        if len(deflated) < len(body):
            return bytes([VERSION << 4 | _DEFLATED]) + deflated
        return bytes([VERSION << 4]) + body

    @classmethod
    def from_bytes(cls, data: bytes) -> "SemanticMessage":
        """Inverse of :meth:`to_bytes`; :class:`LinkError` on anything else."""
        if not 1 < len(data) <= MAX_MESSAGE_BYTES:
            raise LinkError(f"message of {len(data)} bytes, permitted: 2 to {MAX_MESSAGE_BYTES}")
        if data[0] >> 4 != VERSION or data[0] & 0x0F not in (0, _DEFLATED):
            raise LinkError(f"message starts with {data[0]:#04x}, permitted: version {VERSION}")
        body = _inflate(data[1:]) if data[0] & _DEFLATED else data[1:]
        try:
            fields = msgpack.unpackb(body, raw=False, strict_map_key=True)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise LinkError(f"message body is not msgpack: {error}") from error
        try:
            prompt, pairs = fields
            return cls(prompt, tuple((stream_id, descriptor) for stream_id, descriptor in pairs))
        except (ValueError, TypeError, SourceError) as error:
            raise LinkError(f"message body is malformed: {error}") from error


def _inflate(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        body = unpacker.decompress(data, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise LinkError(f"message body does not inflate: {error}") from error
    if len(body) > MAX_BODY_BYTES:
        raise LinkError(f"message body inflates beyond {MAX_BODY_BYTES} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise LinkError("message body is cut short or followed by something else")
    return body


def _utf8(name: str, text: Any) -> bytes:
    if not isinstance(text, str):
        raise SourceError(f"{name} is {type(text).__name__}, permitted: text")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SourceError(
            f"{name} has U+{ord(text[error.start]):04X} at {error.start}, permitted: valid Unicode"
        ) from error


def _check_descriptor(stream_id: int, descriptor: Any) -> None:
    where = f"descriptor of stream {stream_id}"
    if not isinstance(descriptor, Mapping) or len(descriptor) > MAX_DESCRIPTOR_KEYS:
        raise SourceError(f"{where} is no mapping of at most {MAX_DESCRIPTOR_KEYS} keys")
    for key, value in descriptor.items():
        _utf8(f"key in the {where}", key)
        if isinstance(value, str):
            _utf8(f"{where}[{key!r}]", value)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise SourceError(f"{where}[{key!r}] is {value}, permitted: finite numbers")
        elif isinstance(value, int):  # bool too
            if not -_INT_LIMIT <= value < _INT_LIMIT:
                raise SourceError(f"{where}[{key!r}] is beyond 64 bits")
        elif value is not None:
            raise SourceError(f"{where}[{key!r}] is {type(value).__name__}, permitted: a scalar")
    size = len(msgpack.packb(dict(descriptor)))
    if size > MAX_DESCRIPTOR_BYTES:
        raise SourceError(f"{where} has {size} bytes, permitted: 0 to {MAX_DESCRIPTOR_BYTES}")
