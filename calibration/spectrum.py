# SPDX-License-Identifier: GPL-3.0-or-later
"""Tones in noise: which there are, and the complex amplitude of each.

Frequencies here are in cycles per sample, -0.5 to 0.5.  A record with samples x[n] of
full scale 1 that holds a tone a exp(j 2 pi f n) has amplitude ``a`` at ``f``.

Source: D. C. Rife, R. R. Boorstyn, "Single tone parameter estimation from discrete-time
observations", IEEE Trans. Inf. Theory 20, 1974; window: F. J. Harris, Proc. IEEE 66, 1978.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.errors import NoSignal

#: 4-term Blackman-Harris: side lobes below -92 dB, so that a tone hides no image of it.
BLACKMAN_HARRIS = (0.35875, 0.48829, 0.14128, 0.01168)
#: Half width of that window's main lobe in FFT bins; closer tones cannot be told apart.
MAIN_LOBE_BINS = 4
#: A bin of noise alone exceeds the median by 15 dB once in 10^9 bins or so; 5 dB of margin.
DETECTION_DB = 20.0
#: Segments whose phases are compared: few enough that each averages well, enough for a slope.
SEGMENTS = 32
#: Fewer samples would leave segments shorter than their own window is good for.
SAMPLES_MIN = 1024
#: Median of |bin|^2 of white noise over its mean (an exponential distribution): ln 2.
MEDIAN_OF_MEAN = float(np.log(2))
#: What rounding leaves of a constant that was taken out, relative to its power.
ROUNDING = 1e-28


@dataclass(frozen=True)
class Tone:
    """One spectral line.

    frequency    cycles per sample
    amplitude    complex, full scale 1, referred to sample 0
    above_db     its FFT bin over the mean bin of the noise
    """

    frequency: float
    amplitude: complex
    above_db: float


def window(n: int) -> np.ndarray:
    """Periodic Blackman-Harris window with mean 1, float64 (n,)."""
    phase = 2 * np.pi * np.arange(n) / n
    terms = [(-1) ** i * a * np.cos(i * phase) for i, a in enumerate(BLACKMAN_HARRIS)]
    values = np.sum(terms, axis=0)
    return values / values.mean()


def amplitudes(samples: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Complex amplitude of each tone, complex128 (m,), from samples (n,).

    a(f) = 1/n sum_n w[n] x[n] exp(-j 2 pi f n).  Tones must lie at least
    ``MAIN_LOBE_BINS`` / n apart.
    """
    shaped = np.asarray(samples, dtype=np.complex128) * window(len(samples))
    index = np.arange(len(samples))
    return np.array([np.vdot(np.exp(2j * np.pi * f * index), shaped) for f in frequencies]) / len(
        samples
    )


def find_tones(samples: np.ndarray, count: int) -> list[Tone]:
    """The ``count`` strongest lines, by frequency; DC does not count as one.

    Raises :class:`NoSignal` where one of them does not stand ``DETECTION_DB`` out of the noise.
    """
    n = len(samples)
    if n < SAMPLES_MIN:
        raise ValueError(f"record has {n} samples, permitted: {SAMPLES_MIN} or more")
    samples = np.asarray(samples, dtype=np.complex128)
    shaped = (samples - samples.mean()) * window(n)
    power = np.abs(np.fft.fft(shaped)) ** 2
    rounding = n * ROUNDING * float(np.mean(np.abs(samples) ** 2)) + np.finfo(float).tiny
    floor = max(float(np.median(power)) / MEDIAN_OF_MEAN, rounding)
    left = power.copy()
    left[np.arange(-MAIN_LOBE_BINS, MAIN_LOBE_BINS + 1)] = 0.0
    found = []
    for _ in range(count):
        peak = int(np.argmax(left))
        above_db = 10 * np.log10(max(left[peak], np.finfo(float).tiny) / floor)
        if not above_db >= DETECTION_DB:
            raise NoSignal(
                f"no signal found: the strongest line stands {max(above_db, 0.0):.0f} dB out of "
                f"the noise, permitted: {DETECTION_DB:.0f} dB or more"
            )
        near = power[(peak + np.arange(-1, 2)) % n]
        frequency = refine(samples, (peak + _parabola(near)) / n)
        frequency = (frequency + 0.5) % 1.0 - 0.5
        amplitude = complex(amplitudes(samples, np.array([frequency]))[0])
        found.append(Tone(frequency, amplitude, float(above_db)))
        left[(peak + np.arange(-2 * MAIN_LOBE_BINS, 2 * MAIN_LOBE_BINS + 1)) % n] = 0.0
    return sorted(found, key=lambda tone: tone.frequency)


def refine(samples: np.ndarray, near: float) -> float:
    """The frequency of the tone at about ``near`` (within a quarter FFT bin), from its phase.

    The record is turned back by ``near`` and cut into segments; a straight line through the
    phases of their windowed means is the rest of the frequency.  The error of the slope is
    within 2 dB of the Cramér-Rao bound, whatever other tones there are.
    """
    length = len(samples) // SEGMENTS
    used = np.asarray(samples[: length * SEGMENTS], dtype=np.complex128)
    turned = used * np.exp(-2j * np.pi * near * np.arange(len(used)))
    means = turned.reshape(SEGMENTS, length) @ window(length) / length  # (segments,)
    phase = np.unwrap(np.angle(means))
    middle = np.arange(SEGMENTS) - (SEGMENTS - 1) / 2
    slope = float(middle @ phase) / float(middle @ middle)
    return near + slope / (2 * np.pi * length)


def _parabola(powers: np.ndarray) -> float:
    """Offset in bins of the top of a parabola through three powers in dB, -0.5 to 0.5."""
    left, top, right = np.log(np.maximum(powers, np.finfo(float).tiny))
    bend = left - 2 * top + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
