# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of a picture and what the JSCC codec's decoder made of it behind a noisy channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.image_codec import ImageCodec

RATES = ("1/24", "1/12")
SNR_DB = (1.0, 15.0)
Pictures = list[NDArray[np.uint8]]


def coarse(
    codec: ImageCodec,
    picture: NDArray[np.uint8],
    rate: str,
    snr_db: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """``picture`` (H,W,3) sent at ``rate`` through white noise of ``snr_db``, received."""
    symbols, descriptor = codec.encode(picture, rate, snr_db)
    variance = 10 ** (-snr_db / 10)
    noise = rng.standard_normal((2, symbols.size)) * np.sqrt(variance / 2)
    heard = symbols + (noise[0] + 1j * noise[1]).astype(np.complex64)
    return codec.decode(heard, np.full(symbols.size, variance, np.float32), descriptor)


def drawn(codec: ImageCodec, pictures: Iterable[NDArray[np.uint8]], seed: int) -> Pictures:
    """Each picture's coarse one, at a rate and an SNR drawn from ``seed`` and its place."""
    found = []
    for number, picture in enumerate(pictures):
        rng = np.random.default_rng([seed, number])
        rate = RATES[rng.integers(len(RATES))]
        found.append(coarse(codec, picture, rate, float(rng.uniform(*SNR_DB)), rng))
    return found


def crops(photos: Pictures, number: int, side: int, seed: int) -> Pictures:
    """``number`` crops of side x side, the photos in turn; those too small are left out."""
    large = [p for p in photos if min(p.shape[:2]) >= side]
    found = []
    for i in range(number if large else 0):
        rng = np.random.default_rng([seed, i])
        photo = large[i % len(large)]
        top, left = (int(rng.integers(n - side + 1)) for n in photo.shape[:2])
        found.append(photo[top : top + side, left : left + side])
    return found
