# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a channel begins, by evidence: the grid of the images is laid there.

Against each exponential profile of taps a sample apart, from a delay τ on, the LS estimate h has
the Gaussian evidence −log det C − hᴴ C⁻¹ h with C = P R + e I. τ is looked for in steps of half a
sample around the mean delay, and then of ever smaller ones around the best: taps that do stand a
sample apart, like those of a sampled channel, and single paths, come to stand on the grid.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.phasor import unit_phasor

SPREADS = (0.0, 0.3, 0.7, 1.2, 2.0, 3.5, 6.0)  # samples
FLOOR = 1e-3  # share of power that lies anywhere
MODES = 24  # of a profile that are told from its floor
EARLIEST, LATEST, STEP = -8.0, 1.0, 0.5  # samples from the mean delay
FINER = (0.25, 0.125, 0.0625, 0.03125, 0.015625)


@lru_cache(maxsize=16)
def _modes(numerology: Numerology) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues float32 (profiles,MODES) and conjugate eigenvectors complex64
    (n,profiles·MODES) of each profile's R."""
    values, vectors = [], []
    delays = np.arange(2 * numerology.cp_len)
    steering = np.exp(-2j * np.pi * np.outer(numerology.carriers, delays) / numerology.fft_size)
    for spread in SPREADS:
        ratio = 2 * spread / (1 + np.sqrt(1 + 4 * spread**2))
        powers = (ratio**2) ** delays
        powers /= powers.sum()
        value, vector = np.linalg.eigh((steering * powers) @ steering.conj().T)
        kept = min(MODES, numerology.n_used)
        values.append(np.pad(value[: -kept - 1 : -1], (0, MODES - kept)))
        vectors.append(np.pad(vector[:, : -kept - 1 : -1], ((0, 0), (0, MODES - kept))))
    return (
        np.maximum(values, 0).astype(np.float32),
        np.conj(np.concatenate(vectors, axis=1)).astype(np.complex64),
    )


def onset(
    ls: np.ndarray, error_var: np.ndarray, mean_delay: np.ndarray, numerology: Numerology
) -> np.ndarray:
    """Samples after the window's begin, float (B,), of LS estimates complex64 (B,n) with error
    variances (B,) and mean delays (B,)."""
    power = np.mean(np.abs(ls) ** 2, axis=1)
    signal = np.maximum(power - error_var, 1e-3 * power + 1e-30)
    energy = power * ls.shape[1]
    offsets = np.arange(EARLIEST, LATEST + STEP / 2, STEP)
    best, height = _best(ls, signal, error_var, energy, mean_delay[:, None] + offsets, numerology)
    for step in FINER:
        sides = best[:, None] + np.array([-step, step])
        found, value = _best(ls, signal, error_var, energy, sides, numerology)
        best = np.where(value > height, found, best)
        height = np.maximum(value, height)
    return best


def _best(
    ls: np.ndarray,
    signal: np.ndarray,
    error_var: np.ndarray,
    energy: np.ndarray,
    delays: np.ndarray,
    numerology: Numerology,
) -> tuple[np.ndarray, np.ndarray]:
    """Of each row of ``delays`` (B,K) the one of most evidence, and that evidence, (B,)."""
    values, vectors = _modes(numerology)
    turn = 2 * np.pi / numerology.fft_size * numerology.carriers
    shifted = ls[:, None] * unit_phasor(delays[..., None] * turn)  # (B,K,n)
    modes = shifted.reshape(-1, ls.shape[1]) @ vectors
    squared = (modes.real**2 + modes.imag**2).reshape(*delays.shape, len(SPREADS), MODES)
    floor = error_var + FLOOR * signal
    variance = signal[:, None, None] * values + floor[:, None, None]  # (B,profiles,MODES)
    # Energy in the modes counts by their variance, all the rest by the floor.
    weight = 1 / variance - (1 / floor)[:, None, None]
    misfit = np.einsum("bkpm,bpm->bkp", squared, weight) + (energy / floor)[:, None, None]
    evidence = -misfit - np.log(variance / floor[:, None, None]).sum(axis=2)[:, None]
    flat = evidence.max(axis=2)
    chosen = flat.argmax(axis=1)
    row = np.arange(len(ls))
    return delays[row, chosen], flat[row, chosen]
