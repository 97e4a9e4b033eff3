# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages between radio and host: versioned, bounded, no pickle, no I/O.

A :class:`Message` is a kind, a small dictionary and some arrays.  On the wire it
is a multipart message of ``2 + n`` frames:

    frame 0   header, 12 bytes little-endian: magic "SEMC", version u16,
              array count u16, length of frame 1 u32
    frame 1   MessagePack map {"kind": str, "meta": map, "arrays": [[name, dtype, shape], ...]}
    frame 2…  one array body each, C order, little-endian, no padding

Every limit is checked on both sides, so that what :func:`encode` lets out
:func:`decode` lets in.  ``decode`` raises :class:`WireError` and nothing else,
whatever the bytes.  Decoded arrays are copies: writable, aligned, native byte
order, and independent of the frames they came from.

Source: MessagePack specification, https://github.com/msgpack/msgpack/blob/master/spec.md
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np

from semcom_blocks.errors import WireError

MAGIC = b"SEMC"
VERSION = 1
_HEADER = struct.Struct("<4sHHI")

# 16 megapixels at k/n = 1/6 are 8 million complex64 symbols = 64.0e6 bytes, and some padding.
MAX_ARRAY_BYTES = 64 << 20
# Such a stream together with its float32 noise variance (96 MB) and the measurements beside it.
MAX_MESSAGE_BYTES = 128 << 20
# A 64 KiB prompt, descriptors and counters fit many times; a decoder never parses more than this.
MAX_META_BYTES = 1 << 20
# A received message carries two arrays a stream and five measurements.
MAX_ARRAYS = 32
# image batch x height x width x channel.
MAX_NDIM = 4
# kind -> meta -> streams -> stream -> descriptor, and some to spare; keeps the walk below shallow.
MAX_NESTING = 8
# Bounds the Python objects that one small frame may turn into.
MAX_ITEMS = 4096
# No booleans (any byte but 0 and 1 is undefined) and no objects, strings or structures.
DTYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "c8", "c16")
# Names become keys, log lines and file names on the other side.
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)

_DTYPE_OF = {name: np.dtype(name).newbyteorder("<") for name in DTYPES}


@dataclass(frozen=True, eq=False)
class Message:
    """One message.

    kind    what it asks or tells, e.g. ``"encode"`` (:data:`NAME_PATTERN`)
    meta    str keys; None, bool, int (64 bit), float, str, bytes, list and dict values
    arrays  name → array of one of :data:`DTYPES`, up to :data:`MAX_NDIM` axes
    """

    kind: str
    meta: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def value(self, name: str, types: type | tuple[type, ...]) -> Any:
        """Return ``meta[name]`` if it is there and of ``types``; else raise :class:`WireError`.

        A bool passes only where ``bool`` is asked for by name.
        """
        if name not in self.meta:
            raise WireError(f"{self.kind}: {name} is missing")
        found = self.meta[name]
        asked = types if isinstance(types, tuple) else (types,)
        if not isinstance(found, asked) or (isinstance(found, bool) and bool not in asked):
            wanted = " or ".join(t.__name__ for t in asked)
            raise WireError(f"{self.kind}: {name} is {_kind_of(found)}, permitted: {wanted}")
        return found

    def array(self, name: str, dtype: Any, ndim: int | None = None) -> np.ndarray:
        """Return ``arrays[name]`` if it is of this dtype and ``ndim``; else :class:`WireError`."""
        if name not in self.arrays:
            raise WireError(f"{self.kind}: array {name} is missing")
        found = self.arrays[name]
        wanted = np.dtype(dtype)
        if found.dtype != wanted:
            raise WireError(f"{self.kind}: array {name} is {found.dtype}, permitted: {wanted}")
        if ndim is not None and found.ndim != ndim:
            raise WireError(f"{self.kind}: array {name} has {found.ndim} axes, permitted: {ndim}")
        return found


def encode(message: Message) -> list[bytes]:
    """Return the frames of ``message``; raise :class:`WireError` where it exceeds a limit.

    NumPy scalars in ``meta`` become Python numbers and tuples become lists.  Array
    bodies are copied, so the caller may reuse its buffers at once.
    """
    table, bodies = [], []
    _check_name("kind", message.kind)
    _check_count("arrays", len(message.arrays), MAX_ARRAYS)
    for name, value in message.arrays.items():
        array = np.asarray(value)
        code = f"{array.dtype.kind}{array.dtype.itemsize}"
        shape = list(array.shape)
        _check_array(name, code, shape)
        table.append([name, code, shape])
        bodies.append(array.astype(_DTYPE_OF[code], copy=False).tobytes(order="C"))
    document = {"kind": message.kind, "meta": _plain_map(message.meta), "arrays": table}
    try:
        meta = msgpack.packb(document, use_bin_type=True)
    except UnicodeEncodeError:
        raise WireError("meta holds text that is not valid Unicode (a lone surrogate)") from None
    except (OverflowError, ValueError, TypeError) as error:
        raise WireError(f"meta cannot be packed: {error}") from None
    _check_count("bytes of meta", len(meta), MAX_META_BYTES)
    frames = [_HEADER.pack(MAGIC, VERSION, len(table), len(meta)), meta, *bodies]
    _check_count("bytes in all", sum(map(len, frames)), MAX_MESSAGE_BYTES)
    return frames


def decode(frames: Sequence[bytes]) -> Message:
    """Return the message that ``frames`` (bytes or memoryviews) hold.

    Raises :class:`WireError` with a one-line reason for anything else.
    """
    if len(frames) < 2:
        raise WireError(f"message has {len(frames)} parts, permitted: 2 to {2 + MAX_ARRAYS}")
    if not all(isinstance(frame, (bytes, bytearray, memoryview)) for frame in frames):
        raise WireError("message parts are not all bytes")
    if not all(memoryview(frame).c_contiguous for frame in frames):
        raise WireError("message parts are not all contiguous")
    sizes = [memoryview(frame).nbytes for frame in frames]
    _check_count("bytes in all", sum(sizes), MAX_MESSAGE_BYTES)
    if sizes[0] != _HEADER.size:
        raise WireError(f"header has {sizes[0]} bytes, permitted: {_HEADER.size}")
    magic, version, count, meta_bytes = _HEADER.unpack(frames[0])
    if magic != MAGIC:
        raise WireError(f"magic is {magic!r}, permitted: {MAGIC!r}")
    if version != VERSION:
        raise WireError(f"wire version is {version}, permitted: {VERSION}")
    _check_count("arrays", count, MAX_ARRAYS)
    if len(frames) != 2 + count:
        raise WireError(f"message has {len(frames)} parts, its header declares {2 + count}")
    if meta_bytes != sizes[1]:
        raise WireError(f"meta has {sizes[1]} bytes, its header declares {meta_bytes}")
    _check_count("bytes of meta", meta_bytes, MAX_META_BYTES)
    kind, meta, table = _document(_unpack(frames[1]))
    if len(table) != count:
        raise WireError(f"array table has {len(table)} rows, the header declares {count}")
    arrays: dict[str, np.ndarray] = {}
    for row, body, size in zip(table, frames[2:], sizes[2:], strict=True):
        if type(row) is not list or len(row) != 3:
            raise WireError("array table: a row is not [name, dtype, shape]")
        name, code, shape = row
        if _check_array(name, code, shape) != size:
            raise WireError(f"array {name} of {code} and shape {shape} has {size} bytes")
        if name in arrays:
            raise WireError(f"array {name} appears twice")
        flat = np.frombuffer(body, dtype=_DTYPE_OF[code])
        arrays[name] = flat.astype(_DTYPE_OF[code].newbyteorder("=")).reshape(shape)
    return Message(kind, meta, arrays)


def _unpack(frame: bytes) -> Any:
    """MessagePack → Python objects, with every built-in limit of the parser set."""
    try:
        return msgpack.unpackb(
            frame,
            raw=False,
            strict_map_key=True,
            max_str_len=MAX_META_BYTES,
            max_bin_len=MAX_META_BYTES,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
            max_ext_len=0,
            ext_hook=_refuse_extension,
        )
    except UnicodeDecodeError:
        raise WireError("meta holds text that is not valid UTF-8") from None
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WireError(f"meta is not valid MessagePack: {reason[:120]}") from None


def _refuse_extension(code: int, _data: bytes) -> Any:
    raise WireError(f"meta holds MessagePack extension {code}, which no message carries")


def _document(document: Any) -> tuple[str, dict[str, Any], list[Any]]:
    """Split frame 1 into (kind, meta, table), each of the right type."""
    if type(document) is not dict or set(document) != {"kind", "meta", "arrays"}:
        raise WireError("meta is not a map of kind, meta and arrays")
    kind, table = document["kind"], document["arrays"]
    _check_name("kind", kind)
    if type(table) is not list:
        raise WireError(f"array table is {_kind_of(table)}, permitted: list")
    return kind, _plain_map(document["meta"]), table


def _plain_map(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise WireError(f"meta is {_kind_of(value)}, permitted: dict")
    return _plain(value, 1, [MAX_ITEMS])


def _plain(value: Any, depth: int, budget: list[int]) -> Any:
    """Return ``value`` as plain Python objects; ``budget[0]`` items may still follow."""
    budget[0] -= 1
    if budget[0] < 0:
        raise WireError(f"meta has more than {MAX_ITEMS} items")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    # An ExtType is a tuple by birth, and would go out as an innocent list.
    if isinstance(value, (Mapping, list, tuple)) and not isinstance(value, msgpack.ExtType):
        if depth > MAX_NESTING:
            raise WireError(f"meta is nested deeper than {MAX_NESTING} levels")
        if not isinstance(value, Mapping):
            return [_plain(item, depth + 1, budget) for item in value]
        if not all(isinstance(key, str) for key in value):
            raise WireError("meta has a key that is not str")
        return {str(key): _plain(item, depth + 1, budget) for key, item in value.items()}
    raise WireError(f"meta holds a value of type {_kind_of(value)}, which no message carries")


def _check_array(name: Any, code: Any, shape: Any) -> int:
    """Return the bytes of such an array, in Python integers, which do not overflow."""
    _check_name("array name", name)
    if not isinstance(code, str) or code not in _DTYPE_OF:
        shown = ascii(code)[:40]
        raise WireError(f"array {name} has dtype {shown}, permitted: {', '.join(DTYPES)}")
    if type(shape) is not list or not all(type(n) is int and n >= 0 for n in shape):
        raise WireError(f"array {name} has a shape that is not a list of natural numbers")
    if len(shape) > MAX_NDIM:
        raise WireError(f"array {name} has {len(shape)} axes, permitted: 0 to {MAX_NDIM}")
    itemsize = _DTYPE_OF[code].itemsize
    # An empty axis must not hide an absurd one, which NumPy cannot even describe.
    nominal = itemsize
    for length in shape:
        nominal *= max(length, 1)
    _check_count(f"bytes of array {name}", nominal, MAX_ARRAY_BYTES)
    return 0 if 0 in shape else nominal


def _check_name(what: str, name: Any) -> None:
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        shown = ascii(name)[:70]
        raise WireError(f"{what} is {shown}, permitted: {NAME_PATTERN.pattern}")


def _check_count(what: str, count: int, limit: int) -> None:
    if count > limit:
        shown = str(count) if count < 1 << 64 else "2^64 or more"
        raise WireError(f"message has {shown} {what}, permitted: up to {limit}")


def _kind_of(value: Any) -> str:
    return type(value).__name__
