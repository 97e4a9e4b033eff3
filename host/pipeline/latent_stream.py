# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents of a picture on complex symbols, analog: what is lost, a receiver completes.

Two channels of a place make one symbol, (l₀ + j·l₁)/g, with g the root mean square of the symbols
sent. Places go out in packets of PACKET neighbours, the packets in an order that spreads: whatever
stretch of symbols is lost, or left out on purpose (``share``), is scattered over the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host.images import PIXELS_MAX
from semcom_blocks.errors import ConfigError, require_range

PACKET = 8  # places; the receivers were trained with losses of this size
GOLDEN = 0.381966  # of all packets from one to the next: the most even spread for any number sent
CHANNELS_MAX = 64
LATENTS_MAX = PIXELS_MAX // 4
SMALLEST_GAIN = 1e-6  # a picture without any latents must not divide by zero


def order(places: int) -> NDArray[np.intp]:
    """Places 0…places-1 in the order in which they are sent."""
    packets = -(-places // PACKET)
    step = next(
        s for s in range(max(1, round(GOLDEN * packets)), packets + 2) if gcd(s, packets) == 1
    )
    first = np.arange(packets) * step % packets * PACKET
    found = (first[:, None] + np.arange(PACKET)).ravel()
    return found[found < places]


def to_symbols(
    latents: NDArray[np.float32], share: float = 1.0
) -> tuple[NDArray[np.complex64], dict[str, Any]]:
    """Latents (C,h,w), C even, → unit-power symbols complex64 (n,), and what describes them.

    ``share``: of the packets that is sent, at least one.
    """
    channels, rows, columns = latents.shape
    require_range("share", share, 0, 1)
    if channels % 2:
        raise ConfigError(f"latents have {channels} channels, permitted: an even number")
    packets = max(1, round(share * -(-rows * columns // PACKET)))
    by_place = latents.reshape(channels, -1).T[order(rows * columns)][: packets * PACKET]
    symbols = (by_place[:, ::2] + 1j * by_place[:, 1::2]).ravel()
    gain = max(float(np.sqrt(np.mean(np.abs(symbols) ** 2))), SMALLEST_GAIN)
    about = {"k": channels, "y": rows, "x": columns, "g": gain, "n": len(symbols)}
    return (symbols / gain).astype(np.complex64), about


def shape_of(about: Mapping[str, Any]) -> tuple[int, int, int]:
    """(C,h,w) as a descriptor from the air says; raises :class:`ConfigError`."""
    shape = tuple(about.get(key) for key in ("k", "y", "x"))
    whole = all(type(value) is int and value > 0 for value in shape)
    if not whole or shape[0] % 2 or shape[0] > CHANNELS_MAX or np.prod(shape) > LATENTS_MAX:
        raise ConfigError(f"latents are described as {shape}, permitted: (C, h, w), C even")
    return shape  # type: ignore[return-value]


def from_symbols(
    symbols: NDArray[np.complex64], noise_var: NDArray[np.float32], about: Mapping[str, Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Received symbols (n,), erased ones 0 of infinite variance → latents (C,h,w) and variances.

    What was not sent, or did not arrive, is 0 with a variance of infinity.
    """
    channels, rows, columns = shape_of(about)
    gain = about.get("g")
    if not isinstance(gain, float) or not 0 < gain < np.inf:
        raise ConfigError(f"gain of the latents is {gain!r}, permitted: above 0")
    places, pairs = rows * columns, channels // 2
    have = min(len(symbols), places * pairs)
    values = np.zeros(places * pairs, np.complex64)
    variances = np.full(places * pairs, np.inf, np.float32)
    values[:have] = gain * symbols[:have]
    variances[:have] = gain**2 / 2 * noise_var[:have]  # of each of two real parts
    latents = np.zeros((places, channels), np.float32)
    spread = np.full((places, channels), np.inf, np.float32)
    at = order(places)
    latents[at, 0::2] = values.real.reshape(places, pairs)
    latents[at, 1::2] = values.imag.reshape(places, pairs)
    spread[at] = np.repeat(variances.reshape(places, pairs), 2, axis=1)
    shape = (channels, rows, columns)
    return (
        np.ascontiguousarray(latents.T).reshape(shape),
        np.ascontiguousarray(spread.T).reshape(shape),
    )
