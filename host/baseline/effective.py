# SPDX-License-Identifier: GPL-3.0-or-later
"""The SNR in white noise that equals a code word's unequal symbols: mutual-information mapping.

Bit-interleaved coded modulation (Caire, Taricco and Biglieri 1998) of M-QAM carries

    I(γ) = m - sum over bits b of E[log₂(1 + exp(-(1 - 2b)·L_b))],   L_b the bit's exact LLR

bits a symbol. A word whose symbols have SNRs γ_k decodes like one in white noise of

    γ_eff = I⁻¹(mean over k of I(γ_k))

(Brueninghaus et al., "Link performance models for system level simulations", PIMRC 2005).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from semcom_blocks.channel.config import ChannelConfig
from semcom_blocks.channel.fading import BlockFading
from semcom_blocks.errors import require_choice
from semcom_blocks.phy import qam
from semcom_blocks.phy.numerology import Numerology

CHANNELS = ("awgn", "rayleigh", "multipath")
GRID_DB = np.linspace(-30.0, 45.0, 301)  # a quarter of a dB; beyond, I is flat
NODES = 48  # of the Gauss-Hermite quadrature: I to 1e-4 bits
FLOOR = 1e-6  # power of a carrier: -60 dB, a symbol that carries nothing


@cache
def _information(bits_per_symbol: int) -> NDArray[np.float64]:
    """I at GRID_DB in bits a symbol, strictly rising."""
    axis_bits = max(bits_per_symbol // 2, 1)
    axes = 1 if bits_per_symbol == 1 else 2
    labels = (np.arange(1 << axis_bits)[:, None] >> np.arange(axis_bits - 1, -1, -1)) & 1
    padded = np.concatenate([labels, np.zeros_like(labels)], 1) if axes == 2 else labels
    levels = qam.modulate(padded.reshape(-1).astype(np.uint8), bits_per_symbol).real
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights /= weights.sum()
    found = np.empty(GRID_DB.size)
    for at, snr in enumerate(10 ** (GRID_DB / 10)):
        sigma = np.sqrt(1 / (2 * snr))
        received = levels[:, None] + sigma * nodes  # (level sent, noise)
        metric = -((received[..., None] - levels) ** 2) / (2 * sigma**2)  # (sent, noise, level)
        total = np.logaddexp.reduce(metric, axis=2)
        lost = 0.0
        for bit in labels.T:
            same = np.where(bit[:, None, None] == bit, metric, -np.inf)
            lost += np.mean((total - np.logaddexp.reduce(same, axis=2)) @ weights) / np.log(2)
        found[at] = axes * (axis_bits - lost)
    return np.maximum.accumulate(found) + 1e-12 * np.arange(found.size)


def information(snr_db: NDArray[np.float64], bits_per_symbol: int) -> NDArray[np.float64]:
    """I in bits a symbol, any shape."""
    return np.interp(snr_db, GRID_DB, _information(bits_per_symbol))


def required_snr_db(bits: NDArray[np.float64], bits_per_symbol: int) -> NDArray[np.float64]:
    """The SNR in dB at which a symbol carries ``bits``; within GRID_DB."""
    return np.interp(bits, _information(bits_per_symbol), GRID_DB)


def effective_snr_db(snr_db: float, powers: NDArray, bits_per_symbol: int) -> NDArray[np.float64]:
    """γ_eff in dB of words whose symbols see |h|² ``powers`` (..., K), at mean SNR ``snr_db``."""
    each = snr_db + 10 * np.log10(np.maximum(powers, FLOOR))
    if powers.shape[-1] == 1:
        return each[..., 0]
    return required_snr_db(information(each, bits_per_symbol).mean(-1), bits_per_symbol)


class Fading:
    """|h|² ``powers`` (blocks of fading, K); γ_eff of each block, remembered."""

    def __init__(self, powers: NDArray[np.float64]) -> None:
        self.powers = powers
        self._known: dict[tuple[float, int], NDArray[np.float64]] = {}

    def effective_snr_db(self, snr_db: float, bits_per_symbol: int) -> NDArray[np.float64]:
        """(blocks,) in dB at mean SNR ``snr_db``."""
        key = (snr_db, bits_per_symbol)
        if key not in self._known:
            self._known[key] = effective_snr_db(snr_db, self.powers, bits_per_symbol)
        return self._known[key]


def powers_of(channel: str, count: int, seed: int) -> NDArray[np.float64]:
    """|h|² of ``count`` fading blocks as the software channel has them: (count, K), mean 1.

    "awgn" one block of 1. "rayleigh" K = 1: not drawn, but the middles of ``count`` equally
    likely intervals of the exponential distribution. "multipath" K data carriers, drawn.
    """
    require_choice("channel", channel, CHANNELS)
    if channel == "awgn":
        return np.ones((1, 1))
    if channel == "rayleigh":
        return -np.log1p(-(np.arange(count) + 0.5) / count)[:, None]
    fading = BlockFading(ChannelConfig(model=channel), np.random.default_rng(seed))
    taps = np.stack([fading.draw() for _ in range(count)])
    numerology = Numerology()
    bins = numerology.carriers[numerology.data_index]  # negative ones count from the end
    spectrum = np.fft.fft(taps, numerology.fft_size)[:, bins]
    return np.abs(spectrum) ** 2
