# SPDX-License-Identifier: GPL-3.0-or-later
"""What an estimator sees of frames, as two-channel images over the delay.

The pilots that a frame's known cells make, divided by what was sent, are one value for each
carrier, the LS estimate. Its Fourier transform is an image over the delay, in samples, in which
noise is white and a path is a peak, whatever the numerology: that is where the networks look.

Everything is in units of the standard deviation of the LS error, σ = sqrt(mean noise/weight), so
that noise has the same height at every SNR and for every frame length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from semcom_blocks.phy import estimators
from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.numerology import Numerology

CONDITION_CHANNELS = 11
LIMIT = 8.0  # a gate moves the start by this many standard deviations at the most


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


def delay_image(carriers: Tensor, numerology: Numerology) -> Tensor:
    """Values of the used carriers, complex64 (B,n) → over the delay, complex64 (B,N); unitary."""
    places = torch.from_numpy(numerology.carriers % numerology.fft_size)
    spectrum = carriers.new_zeros(len(carriers), numerology.fft_size)
    spectrum[:, places] = carriers
    return torch.fft.ifft(spectrum, norm="ortho")


def carrier_values(image: Tensor, numerology: Numerology) -> Tensor:
    """The adjoint of :func:`delay_image`: complex64 (B,N) → (B,n)."""
    places = torch.from_numpy(numerology.carriers % numerology.fft_size)
    return torch.fft.fft(image, norm="ortho")[:, places]


def planes(image: Tensor) -> Tensor:
    """Complex (B,N) → two channels (B,2,N), large values compressed: asinh of the magnitude."""
    magnitude = image.abs().clamp_min(1e-9)
    image = image * (torch.asinh(magnitude) / magnitude)
    return torch.stack((image.real, image.imag), dim=1)


@dataclass(frozen=True)
class Images:
    """``start``, ``innovation`` and ``weighted`` complex64 (B,N) over the delay, in σ, and what a
    network is given of them, ``condition`` float32 (B,CONDITION_CHANNELS,N)."""

    start: Tensor
    innovation: Tensor
    weighted: Tensor
    condition: Tensor


def images(observed: Observed) -> Images:
    """Innovation is LS − start, once as it is, once with the carriers by their weight."""
    num, sigma = observed.numerology, observed.sigma[:, None].astype(np.float32)
    scaled = np.stack((observed.start, observed.ls - observed.start)) / np.maximum(sigma, 1e-12)
    start, left = torch.from_numpy(scaled.astype(np.complex64))
    share = observed.weight * np.mean(1 / observed.weight, axis=1, keepdims=True)
    share /= np.mean(share, axis=1, keepdims=True)
    weighted = left * torch.from_numpy(share.astype(np.float32))
    over = [delay_image(x, num) for x in (start, left, weighted)]
    size = num.fft_size
    delay = torch.arange(size, dtype=torch.float32) - backoff(num)
    delay = torch.where(delay > size / 2, delay - size, delay)
    power = torch.from_numpy(np.log1p(np.mean(np.abs(scaled[0]) ** 2, axis=1)).astype(np.float32))
    maps = (
        (delay / num.cp_len).clamp(-2, 4).expand(len(start), size),
        torch.tanh(delay / 2).expand(len(start), size),
        (power / 4)[:, None].expand(-1, size),
        *(torch.log1p(x.abs().square()) for x in over[:2]),
    )
    condition = torch.cat((*map(planes, over), torch.stack(maps, dim=1)), dim=1)
    return Images(*over, condition.float())
