# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a channel begins, by evidence: the grid of the images is laid there.

Against each exponential profile of taps a sample apart, from a delay τ on, the LS estimate h has
the Gaussian evidence −log det C − hᴴ C⁻¹ h with C = P R + e I. τ is looked for in steps of an
eighth of a sample around the mean delay, and then of ever smaller ones around the best: taps that
do stand a sample apart, like those of a sampled channel, and single paths, come to stand on the
grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import unit_phasor

SPREADS = (0.0, 0.25, 0.5, 0.8, 1.2, 2.0, 3.5, 6.0)  # samples
FLOOR = 1e-4  # share of power that lies anywhere
MODES = 20  # of a profile that are told from its floor
EARLIEST, LATEST, STEP = -7.0, 1.0, 0.125  # samples from the mean delay
FINER = (1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256)


@lru_cache(maxsize=16)
def _modes(numerology: Numerology) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues float32 (profiles,MODES) and conjugate eigenvectors complex64
    (n,profiles·MODES) of each profile's R."""
    values, vectors = [], []
    delays = np.arange(2 * numerology.cp_len)
    steering = np.exp(-2j * np.pi * np.outer(numerology.carriers, delays) / numerology.fft_size)
    for spread in SPREADS:
        powers = exponential(spread, len(delays))
        value, vector = np.linalg.eigh((steering * powers) @ steering.conj().T)
        kept = min(MODES, numerology.n_used)
        values.append(np.pad(value[: -kept - 1 : -1], (0, MODES - kept)))
        vectors.append(np.pad(vector[:, : -kept - 1 : -1], ((0, 0), (0, MODES - kept))))
    return (
        np.maximum(values, 0).astype(np.float32),
        np.conj(np.concatenate(vectors, axis=1)).astype(np.complex64),
    )


def exponential(spread: float, count: int) -> np.ndarray:
    """Powers of unit sum of ``count`` taps a sample apart, float (count,)."""
    ratio = 2 * spread / (1 + np.sqrt(1 + 4 * spread**2))
    powers = (ratio**2) ** np.arange(count)
    return powers / powers.sum()


@dataclass(frozen=True)
class Begin:
    """``delay`` in samples after the window's begin, float (B,); the exponential profile that fits
    best there has the RMS delay ``SPREADS[profile]``, int (B,), and the power ``signal`` (B,)."""

    delay: np.ndarray
    profile: np.ndarray
    signal: np.ndarray


def onset(
    ls: np.ndarray, error_var: np.ndarray, mean_delay: np.ndarray, numerology: Numerology
) -> Begin:
    """Of LS estimates complex64 (B,n) with error variances (B,) and mean delays (B,)."""
    power = np.mean(np.abs(ls) ** 2, axis=1)
    signal = np.maximum(power - error_var, 1e-3 * power + 1e-30)
    energy = power * ls.shape[1]
    offsets = np.arange(EARLIEST, LATEST + STEP / 2, STEP)
    given = ls, signal, error_var, energy
    best, profile, height = _best(*given, mean_delay[:, None] + offsets, numerology)
    for step in FINER:
        sides = best[:, None] + np.array([-step, step])
        found, spread, value = _best(*given, sides, numerology)
        best = np.where(value > height, found, best)
        profile = np.where(value > height, spread, profile)
        height = np.maximum(value, height)
    return Begin(best, profile, signal)


def _best(
    ls: np.ndarray,
    signal: np.ndarray,
    error_var: np.ndarray,
    energy: np.ndarray,
    delays: np.ndarray,
    numerology: Numerology,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each row of ``delays`` (B,K) the one of most evidence, its profile, and the evidence."""
    values, vectors = _modes(numerology)
    turn = 2 * np.pi / numerology.fft_size * numerology.carriers
    shifted = ls[:, None] * unit_phasor(delays[..., None] * turn)  # (B,K,n)
    # torch, since NumPy's threads would wait for one another on a busy machine.
    rows = torch.from_numpy(shifted.reshape(-1, ls.shape[1]))
    modes = (rows @ torch.from_numpy(vectors)).numpy()
    squared = (modes.real**2 + modes.imag**2).reshape(*delays.shape, len(SPREADS), MODES)
    floor = error_var + FLOOR * signal
    variance = signal[:, None, None] * values + floor[:, None, None]  # (B,profiles,MODES)
    # Energy in the modes counts by their variance, all the rest by the floor.
    weight = 1 / variance - (1 / floor)[:, None, None]
    misfit = np.einsum("bkpm,bpm->bkp", squared, weight) + (energy / floor)[:, None, None]
    evidence = -misfit - np.log(variance / floor[:, None, None]).sum(axis=2)[:, None]
    flat = evidence.reshape(len(ls), -1)
    chosen, row = flat.argmax(axis=1), np.arange(len(ls))
    at, profile = np.divmod(chosen, len(SPREADS))
    return delays[row, at], profile, flat[row, chosen]
