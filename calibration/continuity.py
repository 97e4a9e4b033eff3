# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a record of a repeated waveform is in one piece.

Each period is held against the one before it: rho_i = <r_i, r_i+1> / mean power.  Carrier offset
turns all rho_i by the same angle and a sample-rate error lessens them all alike, noise too; a gap,
of the transmitter or of the receiver, stands out in one or two of them.
"""

from __future__ import annotations

import numpy as np

#: Of the median: noise and drift stay below, a gap of a few samples does not.
DEVIATION_MAX = 0.2
#: Standard deviations of noise, below which rho is not judged at all.
NOISE_SIGMA = 10.0


def unbroken(samples: np.ndarray, period: int) -> bool:
    """False where a period differs from the others; True also where noise hides it."""
    rows = len(samples) // period
    if rows < 3:
        return True
    pieces = np.asarray(samples[: rows * period], dtype=np.complex128)
    pieces = (pieces - pieces.mean()).reshape(rows, period)
    power = float(np.mean(np.abs(pieces) ** 2)) * period
    if not power > 0:
        return True
    rho = np.einsum("ij,ij->i", pieces[:-1].conj(), pieces[1:]) / power  # (rows - 1,)
    middle = complex(np.median(rho.real), np.median(rho.imag))
    sigma = 1 / np.sqrt(period)
    if abs(middle) < NOISE_SIGMA * sigma:
        return True
    limit = max(DEVIATION_MAX * abs(middle), NOISE_SIGMA / 2 * sigma)
    return bool(np.max(np.abs(rho - middle)) <= limit)
