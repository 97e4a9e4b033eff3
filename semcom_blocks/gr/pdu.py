# SPDX-License-Identifier: GPL-3.0-or-later
"""PDUs between our blocks: a dictionary of what was measured, and one vector.

PMT's own array conversions go element by element (100 ns each); its serialised
form is a big-endian array behind an 8-byte head, which NumPy writes and reads in
one piece, five times faster.
"""

import struct
from typing import Any

import numpy as np
import pmt

from semcom_blocks.errors import ConfigError

_HEAD = struct.Struct(">BBIBB")
_UNIFORM_VECTOR = 10
#: PMT subtype and big-endian wire dtype of each vector kind that our blocks use.
_SUBTYPES = {np.dtype(np.uint8): (0, ">u1"), np.dtype(np.float32): (8, ">f4")}
_SUBTYPES[np.dtype(np.complex64)] = (10, ">c8")
_DTYPES = {code: (np.dtype(wire), native) for native, (code, wire) in _SUBTYPES.items()}


def vector_to_pmt(vector: np.ndarray) -> Any:
    """uint8, float32 or complex64 (n,) → PMT uniform vector."""
    if vector.dtype not in _SUBTYPES or vector.ndim != 1:
        found = f"{vector.dtype} {vector.shape}"
        raise ConfigError(f"PDU vector is {found}, permitted: uint8, float32, complex64 (n,)")
    code, wire = _SUBTYPES[vector.dtype]
    head = _HEAD.pack(_UNIFORM_VECTOR, code, len(vector), 1, 0)
    return pmt.deserialize_str(head + vector.astype(wire).tobytes())


def vector_from_pmt(vector: Any) -> np.ndarray:
    """PMT uniform vector → uint8, float32 or complex64 (n,)."""
    data = pmt.serialize_str(vector)
    kind, code, length, pad, _ = _HEAD.unpack(data[: _HEAD.size])
    if kind != _UNIFORM_VECTOR or code not in _DTYPES:
        raise ConfigError(f"PDU vector has type {kind}/{code}, permitted: u8, f32, c32")
    wire, native = _DTYPES[code]
    offset = _HEAD.size - 1 + pad
    return np.frombuffer(data, wire, count=length, offset=offset).astype(native)


def to_pmt(value: Any) -> Any:
    """A number, text, bytes (as u8) or an array (n,) → PMT."""
    if isinstance(value, np.ndarray):
        return vector_to_pmt(value)
    if isinstance(value, bytes):
        return vector_to_pmt(np.frombuffer(value, np.uint8))
    if isinstance(value, np.generic):
        value = value.item()
    try:
        return pmt.to_pmt(value)
    except (TypeError, ValueError, OverflowError):
        allowed = "64-bit numbers, Unicode text, bytes, arrays and lists of these"
        raise ConfigError(f"PDU value is {ascii(value)[:80]}, permitted: {allowed}") from None


def from_pmt(value: Any) -> Any:
    """Inverse of :func:`to_pmt`."""
    return vector_from_pmt(value) if pmt.is_uniform_vector(value) else pmt.to_python(value)


def make(meta: dict[str, Any], vector: np.ndarray | bytes = b"") -> Any:
    """Build a PDU; ``meta`` may hold numbers, text, bytes and one-dimensional arrays.

    Bytes come out as uint8 arrays.  Raises :class:`ConfigError` for what a PMT cannot hold.
    """
    dictionary = pmt.make_dict()
    for key, value in meta.items():
        dictionary = pmt.dict_add(dictionary, pmt.intern(key), to_pmt(value))
    return pmt.cons(dictionary, to_pmt(vector))


def parse(pdu: Any) -> tuple[dict[str, Any], np.ndarray]:
    """Split a PDU into its dictionary and its vector, empty uint8 where there is none.

    Raises :class:`ConfigError` for anything else.
    """
    try:
        return _parse(pdu)
    # PMT's own type errors come as RuntimeError, ValueError or TypeError.
    except (RuntimeError, ValueError, TypeError, IndexError, struct.error) as error:
        if isinstance(error, ConfigError):
            raise
        text = " ".join(str(error).split())
        raise ConfigError(f"message is not a PDU of plain values: {text[:120]}") from None


def _parse(pdu: Any) -> tuple[dict[str, Any], np.ndarray]:
    if not (pmt.is_pair(pdu) and pmt.is_dict(pmt.car(pdu))):
        raise ConfigError("message is not a PDU, permitted: (dictionary . vector)")
    items = pmt.dict_items(pmt.car(pdu))
    meta = {
        pmt.symbol_to_string(pmt.car(pair)): from_pmt(pmt.cdr(pair))
        for pair in (pmt.nth(i, items) for i in range(pmt.length(items)))
    }
    body = pmt.cdr(pdu)
    if pmt.is_uniform_vector(body):
        return meta, vector_from_pmt(body)
    if not pmt.is_null(body):
        raise ConfigError("PDU body is no vector, permitted: u8, f32, c32 or nothing")
    return meta, np.zeros(0, np.uint8)
