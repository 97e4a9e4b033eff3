# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a receiver's DC offset out of a stretch of samples, if there is one.

A zero-IF receiver adds a constant that a CFO then moves between the carriers.  Its
mean is subtracted only where it is certain to be DC: the mean of n samples of noise or
payload of power P has |mean|² ≈ P/n, that of a stretch with nothing but a preamble up
to 13 P/n (the short field is a dozen tones, of which a CFO may put one on DC).
Subtracting always would turn the silence around a frame into a constant.
"""

import numpy as np

#: |mean|² over P/n from which on it is DC: twice what a preamble alone can reach.
CERTAIN = 30.0


def remove_dc(samples: np.ndarray) -> np.ndarray:
    """Subtract the mean, complex64 (n,) → complex64 (n,); the input itself if that is not DC."""
    if len(samples) == 0:
        return samples
    mean = complex(samples.sum()) / len(samples)
    power = float(np.vdot(samples, samples).real) / len(samples)
    if not abs(mean) ** 2 > CERTAIN * power / len(samples):
        return samples
    return samples - np.complex64(mean)
