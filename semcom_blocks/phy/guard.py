# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep samples finite: one NaN behind a recursive filter stays for ever."""

import numpy as np

#: Samples beyond this magnitude come from no converter; squared twice it still fits a float32.
MAX_MAGNITUDE = 1e4


def finite_guard(samples: np.ndarray) -> tuple[np.ndarray, int]:
    """Replace samples that are not finite or exceed :data:`MAX_MAGNITUDE` by zero.

    complex64 (n,) → complex64 (n,) and the number replaced; the input itself is
    returned when nothing had to be replaced.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        peak = np.abs(samples.view(np.float32)).max(initial=0.0)
        if peak <= MAX_MAGNITUDE:
            return samples, 0
        good = np.abs(samples) <= MAX_MAGNITUDE
    return np.where(good, samples, np.complex64(0)), int(np.count_nonzero(~good))
