# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a signal: power, PAPR, occupied bandwidth, EVM, spectrum."""

import numpy as np
import scipy.fft

#: Smallest power that a logarithm is taken of (−200 dB), so that silence has a figure.
FLOOR = 1e-20


def to_db(power: float) -> float:
    """10 log10, floored at −200 dB."""
    return float(10.0 * np.log10(max(float(power), FLOOR)))


def mean_power(samples: np.ndarray) -> float:
    """Mean of |x|², float."""
    parts = np.ascontiguousarray(samples, np.complex128).view(float)
    return float(np.sum(np.square(parts))) / len(samples) if len(samples) else 0.0


def papr_db(samples: np.ndarray, ccdf: float = 1e-3) -> float:
    """Power that |x|² exceeds with probability ``ccdf``, over the mean power, in dB."""
    power = np.abs(samples) ** 2
    if len(power) == 0 or not power.any():
        return 0.0
    return to_db(float(np.quantile(power, 1.0 - ccdf)) / float(power.mean()))


def evm_db(received: np.ndarray, reference: np.ndarray) -> float:
    """Error vector magnitude 10 log10(Σ|r − s|² / Σ|s|²) in dB, over any shape."""
    error = float(np.sum(np.abs(received - reference) ** 2))
    return to_db(error / max(float(np.sum(np.abs(reference) ** 2)), FLOOR))


def power_spectrum(
    samples: np.ndarray, sample_rate_hz: float, n_bins: int = 256
) -> tuple[np.ndarray, np.ndarray]:
    """Welch spectrum with half-overlapping Hann windows.

    Returns frequencies in Hz and density in dB relative to 1/Hz, float32
    (n_bins,) each, from −sample_rate/2 up.
    """
    if len(samples) < n_bins:
        samples = np.pad(samples, (0, n_bins - len(samples)))
    window = np.hanning(n_bins).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, n_bins)[:: n_bins // 2]
    density = np.mean(np.abs(scipy.fft.fft(frames * window, axis=1)) ** 2, axis=0)
    density = scipy.fft.fftshift(density) / (np.sum(window**2) * sample_rate_hz)
    freq_hz = scipy.fft.fftshift(scipy.fft.fftfreq(n_bins, 1.0 / sample_rate_hz))
    level = 10.0 * np.log10(np.maximum(density, FLOOR))
    return freq_hz.astype(np.float32), level.astype(np.float32)


def occupied_bandwidth_hz(samples: np.ndarray, sample_rate_hz: float, share: float = 0.99) -> float:
    """Width of the band that holds ``share`` of the power, the rest split evenly, in Hz."""
    freq_hz, level_db = power_spectrum(samples, sample_rate_hz, 1024)
    cumulative = np.cumsum(10.0 ** (level_db.astype(np.float64) / 10.0))
    cumulative /= cumulative[-1]
    low = int(np.searchsorted(cumulative, (1.0 - share) / 2.0))
    high = int(np.searchsorted(cumulative, (1.0 + share) / 2.0))
    return float(freq_hz[min(high, len(freq_hz) - 1)] - freq_hz[low])
