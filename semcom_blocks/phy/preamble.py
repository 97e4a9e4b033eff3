# SPDX-License-Identifier: GPL-3.0-or-later
"""The preamble: a short field to find a frame by, a long field to measure the channel with.

    | short: 10 periods of N/4 samples | CP 2·cp_len | long: N samples | long: N samples |

The short field (Schmidl & Cox 1997; layout as in IEEE 802.11a) repeats every N/4
samples, so that a lag-N/4 autocorrelation finds it and reads a CFO of up to ±2
subcarriers; the ambiguity of 4 subcarriers that remains is resolved by the long
field, whose pseudo-noise spectrum matches at one integer offset only.
"""

from functools import lru_cache

import numpy as np
import scipy.fft

from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.pn import pn_qpsk

#: Periods of the short field: eight for the correlation window, two for timing slack.
SHORT_PERIODS = 10
#: Long symbols: two, so that their phase difference gives the CFO.
LONG_SYMBOLS = 2
#: Pseudo-noise offsets that are searched for the symbol of lowest peak power.
CANDIDATE_OFFSETS = 512


def short_period(numerology: Numerology) -> int:
    """Samples of one period of the short field."""
    return numerology.fft_size // 4


def short_len(numerology: Numerology) -> int:
    """Samples of the short field."""
    return SHORT_PERIODS * short_period(numerology)


def long_start(numerology: Numerology) -> int:
    """Samples from the start of the preamble to the first long symbol."""
    return short_len(numerology) + 2 * numerology.cp_len


def preamble_len(numerology: Numerology) -> int:
    """Samples of the whole preamble."""
    return long_start(numerology) + LONG_SYMBOLS * numerology.fft_size


def _lowest_peak(numerology: Numerology, index: np.ndarray) -> np.ndarray:
    """Pseudo-noise values on carriers ``index`` whose time signal has the lowest peak.

    Returns complex64 (n_used,), zero outside ``index``.  A low peak keeps the
    field out of the power amplifier's compression, where it would be distorted
    as a reference.
    """
    candidates = np.zeros((CANDIDATE_OFFSETS, numerology.fft_size), np.complex64)
    values = np.stack([pn_qpsk(len(index), 7 * c) for c in range(CANDIDATE_OFFSETS)])
    candidates[:, numerology.carriers[index] % numerology.fft_size] = values
    peaks = np.abs(scipy.fft.ifft(candidates, axis=1)).max(axis=1)
    spectrum = np.zeros(numerology.n_used, np.complex64)
    spectrum[index] = values[int(np.argmin(peaks))]
    return spectrum


@lru_cache(maxsize=16)
def short_spectrum(numerology: Numerology) -> np.ndarray:
    """Values of the short field on the used carriers, complex64 (n_used,), mean power 1."""
    index = np.flatnonzero(numerology.carriers % 4 == 0)
    return _lowest_peak(numerology, index) * np.float32(np.sqrt(numerology.n_used / len(index)))


@lru_cache(maxsize=16)
def long_spectrum(numerology: Numerology) -> np.ndarray:
    """Values of the long symbol on the used carriers, complex64 (n_used,), unit power each."""
    return _lowest_peak(numerology, np.arange(numerology.n_used))


@lru_cache(maxsize=16)
def long_field(numerology: Numerology) -> np.ndarray:
    """Values of both long symbols, complex64 (2, n_used)."""
    return np.tile(long_spectrum(numerology), (LONG_SYMBOLS, 1))


def symbol_samples(numerology: Numerology, spectrum: np.ndarray) -> np.ndarray:
    """Time signal of subcarrier values, (…, n_used) → complex64 (…, fft_size), unit mean power.

    x[n] = (1/sqrt(n_used)) Σ_k X[k] exp(j 2π k n / fft_size).
    """
    bins = np.zeros((*spectrum.shape[:-1], numerology.fft_size), np.complex64)
    bins[..., numerology.carriers % numerology.fft_size] = spectrum
    scale = np.float32(numerology.fft_size / np.sqrt(numerology.n_used))
    return scipy.fft.ifft(bins, axis=-1) * scale


@lru_cache(maxsize=16)
def long_symbol(numerology: Numerology) -> np.ndarray:
    """One long symbol in time, complex64 (fft_size,), unit power."""
    return symbol_samples(numerology, long_spectrum(numerology))


@lru_cache(maxsize=16)
def preamble_samples(numerology: Numerology) -> np.ndarray:
    """The whole preamble, complex64 (preamble_len,), unit power."""
    short = symbol_samples(numerology, short_spectrum(numerology))[: short_period(numerology)]
    long = long_symbol(numerology)
    return np.concatenate(
        [np.tile(short, SHORT_PERIODS), long[-2 * numerology.cp_len :], long, long]
    )
