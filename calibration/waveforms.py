# SPDX-License-Identifier: GPL-3.0-or-later
"""What the transmitter repeats while the receiver measures.

Every waveform is one period, complex64 (n,), with its peak at ``SCALE`` of full scale, and
made of whole FFT bins, so that its repetition has no seam.
"""

from __future__ import annotations

import numpy as np

#: Leaves room for a DC offset and an image on top of the peak before a converter clips.
SCALE = 0.8
#: Samples of a period.  At 2.5 MS/s 1.6 ms: a delay is known modulo that, far beyond any cable.
PERIOD = 4096
#: Bins of the tones for imbalance: multiples of 16.  Received ``OFFSET`` bins higher they lie at
#: 5 modulo 16, their images at 11, DC at 0: nothing covers anything.
TONE_BINS = 16 * np.array([6, 11, 17, 22, 29, 35, 42, 49])
OFFSET_BINS = 16 * 12 + 5
#: Two tones for clocks: wide apart for the slope, off centre by less than what a 50 ppm
#: difference at 6 GHz moves them out of the band.
PAIR_BINS = np.array([-400, 560])
#: One tone for levels.
SINGLE_BIN = 528
#: Part of the band that a wideband waveform fills: within every radio's filter.
WIDE_SPAN = 0.6


def tones(bins: np.ndarray, period: int = PERIOD) -> np.ndarray:
    """Tones of equal power at ``bins``, with Newman's phases for a low peak.

    Source: D. J. Newman, "An L1 extremal problem for polynomials", Proc. AMS 16, 1965.
    """
    spectrum = np.zeros(period, dtype=np.complex128)
    order = np.arange(len(bins))
    spectrum[np.asarray(bins)] = np.exp(1j * np.pi * order**2 / len(bins))
    return _scaled(spectrum)


def wideband(period: int = PERIOD) -> np.ndarray:
    """A flat spectrum over ``WIDE_SPAN`` of the band without DC: sharp in time, low in peak."""
    half = int(period * WIDE_SPAN / 2)
    bins = np.concatenate([np.arange(-half, 0), np.arange(1, half + 1)])
    return tones(bins, period)


def single(period: int = PERIOD) -> np.ndarray:
    """One tone at ``SINGLE_BIN``."""
    return tones(np.array([SINGLE_BIN]), period)


def pair(period: int = PERIOD) -> np.ndarray:
    """Two tones at ``PAIR_BINS``."""
    return tones(PAIR_BINS, period)


def _scaled(spectrum: np.ndarray) -> np.ndarray:
    wave = np.fft.ifft(spectrum)
    parts = np.maximum(np.abs(wave.real).max(), np.abs(wave.imag).max())
    return (wave * (SCALE / max(parts, np.abs(wave).max()))).astype(np.complex64)
