# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a receiver's DC offset out of a stretch of samples, if there is one.

A zero-IF receiver adds a constant that a CFO then moves between the carriers.  Its
mean is subtracted only where it is certain to be DC: the mean of n samples of noise or
payload of power P has |mean|² ≈ P/n, that of a stretch with nothing but a preamble up
to 13 P/n (the short field is a dozen tones, of which a CFO may put one on DC).
Subtracting always would turn the silence around a frame into a constant.

A CFO may also put a strong carrier on DC.  It is a constant over one symbol but not
over the next, so a mean must stand out against the scatter of the means of segments too.
"""

import numpy as np

#: |mean|² over P/n from which on it is DC: twice what a preamble alone can reach.
CERTAIN = 30.0
#: Segments whose means are compared: each of several symbols in the stretches that are looked at.
SEGMENTS = 16


def remove_dc(samples: np.ndarray) -> np.ndarray:
    """Subtract the mean, complex64 (n,) → complex64 (n,); the input itself if that is not DC."""
    if len(samples) < SEGMENTS:
        return samples
    mean = complex(samples.sum()) / len(samples)
    power = float(np.vdot(samples, samples).real) / len(samples)
    if not abs(mean) ** 2 > CERTAIN * power / len(samples):
        return samples
    means = samples[: len(samples) // SEGMENTS * SEGMENTS].reshape(SEGMENTS, -1).mean(axis=1)
    scatter = float(np.mean(np.abs(means - mean) ** 2)) / (SEGMENTS - 1)
    if not abs(mean) ** 2 > CERTAIN * scatter:
        return samples
    return samples - np.complex64(mean)
