# SPDX-License-Identifier: GPL-3.0-or-later
"""What an estimator sees of frames, as two-channel images over the delay.

The pilots that a frame's known cells make, divided by what was sent, are one value for each
carrier, the LS estimate. Correlated with paths of every delay, half a sample apart, it is an image
in which noise is level and a path is a peak, whatever the numerology: that is where the networks
look. Delays count from the channel's onset (:mod:`models.channel.onset`).

Everything is in units of the standard deviation of the LS error, σ = sqrt(mean noise/weight), so
that noise has the same height at every SNR and for every frame length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from models.channel.onset import SPREADS, exponential, onset
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import estimators
from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.numerology import Numerology

STEP = 0.5  # of the grid, in samples; the band resolves about 1.2
MARGIN = 4  # samples that images go on beyond half a prefix before the onset, 1.5 behind
CONDITION_CHANNELS = 16
SEEN_POWER = 10  # channel of the condition: log(1 + power) of LS under the window
#: One frame's filter takes time with their cube: 10 ms are over beyond.
MAX_CARRIERS = 256


@lru_cache(maxsize=16)
def grid(numerology: Numerology) -> np.ndarray:
    """Delays of the images in samples, float (D,), D a multiple of 8, one of them 0."""
    if numerology.n_used > MAX_CARRIERS:
        raise ConfigError(f"cgan: n_used is {numerology.n_used}, permitted: up to {MAX_CARRIERS}")
    before = int((numerology.cp_len / 2 + MARGIN) / STEP)
    count = 8 * -(-int((2 * numerology.cp_len + 2 * MARGIN) / STEP) // 8)
    count = min(count, int(numerology.fft_size / STEP))  # beyond, delays repeat
    return STEP * np.arange(-before, count - before)


@lru_cache(maxsize=16)
def likely_profiles(numerology: Numerology) -> np.ndarray:
    """The exponential profiles of :data:`models.channel.onset.SPREADS` on the grid, of unit sum,
    float (profiles,D)."""
    powers = np.zeros((len(SPREADS), len(grid(numerology))))
    taps = powers[:, np.flatnonzero(grid(numerology) == 0)[0] :: round(1 / STEP)]
    taps[:] = [exponential(spread, taps.shape[1]) for spread in SPREADS]
    return powers


@lru_cache(maxsize=16)
def correlator(numerology: Numerology) -> tuple[Tensor, Tensor]:
    """exp(j 2π k d / N) / sqrt(n), complex64 (n,D), plain and with a Hann window over the band."""
    k = numerology.carriers
    turn = np.outer(k, grid(numerology)) / numerology.fft_size
    plain = np.exp(2j * np.pi * turn) / np.sqrt(len(k))
    taper = np.cos(np.pi * k / (numerology.n_used + 4)) ** 2
    taper *= np.sqrt(len(k) / np.sum(taper**2))
    both = np.stack((plain, plain * taper[:, None])).astype(np.complex64)
    return tuple(torch.from_numpy(both))


@dataclass(frozen=True)
class Observed:
    """LS estimates ``ls`` complex64 (B,n), their ``weight`` Σ|X|² float32 (B,n) and the estimated
    ``noise_var`` of a cell float (B,); ``start`` complex64 (B,n) is the robust LMMSE."""

    numerology: Numerology
    ls: np.ndarray
    weight: np.ndarray
    noise_var: np.ndarray
    start: np.ndarray

    @classmethod
    def of(
        cls, ls: np.ndarray, weight: np.ndarray, noise_var: np.ndarray, numerology: Numerology
    ) -> Observed:
        """From LS fits, as :func:`semcom_blocks.phy.estimators.fit_known` gives them."""
        weight = np.maximum(weight, np.float32(1e-12))
        noise_var = np.asarray(noise_var, float)
        error = np.mean(noise_var[:, None] / weight, axis=1)
        return cls(numerology, ls, weight, noise_var, estimators.lmmse_many(ls, error, numerology))

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviation of the LS error, float (B,)."""
        return np.sqrt(np.mean(self.noise_var[:, None] / self.weight, axis=1))

    def mean_delay(self) -> np.ndarray:
        """Samples after the window's begin, float (B,): the common slope over the carriers."""
        half = self.numerology.n_used // 2
        sides = self.start[:, :half], self.start[:, half:]
        lag = sum(np.sum(np.conj(x[:, :-1]) * x[:, 1:], axis=1) for x in sides)
        return -np.angle(lag) * self.numerology.fft_size / (2 * np.pi)


@dataclass(frozen=True)
class Images:
    """What a network is given, ``condition`` float32 (B,CONDITION_CHANNELS,D), and what its filter
    needs besides, in σ and with the onset taken off: the ``likely`` profile float32 (B,D), ``ls``
    and ``start`` complex64 (B,n), the error variances of LS ``error`` float32 (B,n) of mean 1, and
    ``turn`` complex64 (B,n), which puts the delay on again."""

    numerology: Numerology
    condition: Tensor
    likely: Tensor
    ls: Tensor
    start: Tensor
    error: Tensor
    turn: Tensor


def planes(image: Tensor) -> Tensor:
    """Complex (B,D) → two channels (B,2,D), large values compressed: asinh of the magnitude."""
    magnitude = image.abs().clamp_min(1e-9)
    image = image * (torch.asinh(magnitude) / magnitude)
    return torch.stack((image.real, image.imag), dim=1)


def images(observed: Observed) -> Images:
    """Four two-channel images: the start, LS − start, the same with the carriers by their weight,
    and LS under a window that has no side lobes; their powers, and the likely one; delay, and SNR.
    """
    num = observed.numerology
    plain, tapered = correlator(num)
    begin = onset(observed.ls, observed.sigma**2, observed.mean_delay(), num)
    turn = np.exp(-2j * np.pi / num.fft_size * begin.delay[:, None] * num.carriers)
    scale = np.conj(turn) / np.maximum(observed.sigma, 1e-12)[:, None]
    ls, start = (
        torch.from_numpy((x * scale).astype(np.complex64)) for x in (observed.ls, observed.start)
    )
    error = 1 / observed.weight
    error = torch.from_numpy(error / np.mean(error, axis=1, keepdims=True))
    share = 1 / error
    share = share / share.mean(dim=1, keepdim=True)
    left = ls - start
    over = (start @ plain, left @ plain, (share * left) @ plain, ls @ tapered)
    likely = likely_profiles(num)[begin.profile] * (begin.signal / observed.sigma**2)[:, None]
    likely = torch.from_numpy(likely.astype(np.float32))
    delay = torch.from_numpy(grid(num)).float()
    place = torch.from_numpy((begin.delay - backoff(num)) / num.cp_len).float().clamp(-2, 4)
    snr = torch.log1p(start.abs().square().mean(dim=1)) / 4
    size = (len(ls), len(delay))
    maps = (
        *(torch.log1p(over[i].abs().square()) for i in (0, 1, 3)),
        torch.log1p(likely),
        (delay / num.cp_len).expand(size),
        torch.tanh(delay / 2).expand(size),
        place[:, None].expand(size),
        snr[:, None].expand(size),
    )
    condition = torch.cat((*map(planes, over), torch.stack(maps, dim=1)), dim=1).float()
    turn = torch.from_numpy(turn.astype(np.complex64))
    return Images(num, condition, likely, ls, start, error.float(), turn)
