# SPDX-License-Identifier: GPL-3.0-or-later
"""Received records whose truth is known: mixers, clocks, delays, noise, converter."""

import numpy as np

from calibration.waveforms import PERIOD


def mixer(gain_db, phase_deg):
    """mu and nu of a mixer whose Q branch has this gain and departure from quadrature."""
    w = 10 ** (gain_db / 20) * np.exp(1j * np.deg2rad(phase_deg))
    return (1 + np.conj(w)) / 2, (1 - w) / 2


def noise(n, snr_db, rng):
    """Complex noise this far below a tone of amplitude 1."""
    return 10 ** (-snr_db / 20) * (rng.standard_normal((n, 2)) @ [1, 1j]) / np.sqrt(2)


def played(waveform, n, *, start=0.0, step=1.0, period=PERIOD):
    """The repeated waveform at times start + step * index, by its Fourier series: exact."""
    spectrum = np.fft.fft(waveform) / period
    bins = np.fft.fftfreq(period, 1 / period)
    times = start + step * np.arange(n)
    used = np.flatnonzero(np.abs(spectrum) > 1e-9)
    out = np.zeros(n, complex)
    for k in used:
        out += spectrum[k] * np.exp(2j * np.pi * bins[k] * times / period)
    return out


def quantised(samples, bits=12):
    """Rounded and saturated as a converter does; full scale 1."""
    full = 2 ** (bits - 1)
    parts = [np.clip(np.rint(part * full), -full, full - 1) / full
             for part in (samples.real, samples.imag)]  # fmt: skip
    return parts[0] + 1j * parts[1]
