# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise floor of a receiver with nothing on its input.

floor_dbfs = 10 log10 mean |x - mean x|^2, over the whole sampled band, full scale 1.  In dBm
it is that plus the input power of a full-scale tone, which depends on the gain and is exact
only for a radio whose level was measured.
"""

from __future__ import annotations

import numpy as np

#: A converter of 12 bits cannot show less; so a silent one does not give minus infinity.
FLOOR_MIN_DBFS = -120.0
#: Thermal noise at 290 K in dBm per Hz.
THERMAL_DBM_PER_HZ = -173.98


def floor_dbfs(samples: np.ndarray) -> float:
    """Mean power without DC in dB of full scale."""
    samples = np.asarray(samples, dtype=np.complex128)
    power = float(np.mean(np.abs(samples - samples.mean()) ** 2))
    return max(10 * np.log10(power), FLOOR_MIN_DBFS) if power > 0 else FLOOR_MIN_DBFS


def noise_figure_db(floor_dbm: float, rate_hz: float) -> float:
    """How far a floor in dBm over ``rate_hz`` lies above thermal noise."""
    return floor_dbm - THERMAL_DBM_PER_HZ - 10 * np.log10(rate_hz)
