# SPDX-License-Identifier: GPL-3.0-or-later
"""Grid to samples: batched inverse FFT, cyclic prefix, level and peak control."""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from semcom_blocks.errors import require_range
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import preamble_samples, symbol_samples

#: Clipping passes: each filters the clipping noise off and clips the peaks that regrew.
CLIP_PASSES = 3


@dataclass(frozen=True)
class TransmitLevel:
    """Level of the transmit signal.

    ``power`` is the mean power of the time signal (1.0 = unit).  With
    ``papr_limit_db`` set, peaks above that ratio to the mean power are clipped
    and the clipping noise outside the used carriers is filtered off (Armstrong
    2002), at the price of in-band error.
    """

    power: float = 1.0
    papr_limit_db: float | None = None

    def __post_init__(self) -> None:
        require_range("power", self.power, 1e-6, 1e3)
        if self.papr_limit_db is not None:
            require_range("papr_limit_db", self.papr_limit_db, 3.0, 20.0)


def _clip_and_filter(bodies: np.ndarray, numerology: Numerology, limit_db: float) -> np.ndarray:
    """Limit the peaks of symbol bodies, complex64 (n, fft_size), to about ``limit_db``.

    The power that the peaks held is given back, so that the level against the
    preamble, which a receiver measures the channel with, stays.
    """
    limit = np.float32(10.0 ** (limit_db / 20.0))
    power = np.mean(bodies.real**2 + bodies.imag**2)
    bins = numerology.carriers % numerology.fft_size
    for _ in range(CLIP_PASSES):
        magnitude = np.maximum(np.abs(bodies), np.float32(1e-12))
        clipped = bodies * np.minimum(limit / magnitude, np.float32(1.0))
        spectrum = np.zeros_like(bodies)
        spectrum[:, bins] = scipy.fft.fft(clipped, axis=1)[:, bins]
        bodies = scipy.fft.ifft(spectrum, axis=1)
    return bodies * np.sqrt(power / np.mean(bodies.real**2 + bodies.imag**2))


def modulate(
    grid: np.ndarray, numerology: Numerology, level: TransmitLevel | None = None
) -> np.ndarray:
    """Samples of a frame from its grid, (n_symbols, n_used) → complex64 (n_samples,).

    Unit-power cells give a unit-power signal; ``level`` scales it.
    """
    level = level or TransmitLevel()
    bodies = symbol_samples(numerology, grid)
    if level.papr_limit_db is not None:
        bodies = _clip_and_filter(bodies, numerology, level.papr_limit_db)
    head = preamble_samples(numerology)
    out = np.empty(len(head) + grid.shape[0] * numerology.symbol_len, np.complex64)
    out[: len(head)] = head
    symbols = out[len(head) :].reshape(-1, numerology.symbol_len)
    symbols[:, numerology.cp_len :] = bodies
    symbols[:, : numerology.cp_len] = bodies[:, -numerology.cp_len :]
    if level.power != 1.0:
        out *= np.float32(np.sqrt(level.power))
    return out
