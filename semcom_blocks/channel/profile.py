# SPDX-License-Identifier: GPL-3.0-or-later
"""The exponential power-delay profile, sampled."""

import numpy as np

# Taps below this, relative to the first, are not kept.
TRUNCATION_DB = -30.0


def exponential_profile(delay_spread_s: float, sample_rate_hz: float) -> np.ndarray:
    """Mean tap powers of an exponential profile with the given RMS delay spread.

        p[k] = a**k / sum_i a**i,   k = 0 … K - 1,   tap spacing 1 / sample_rate_hz

    An infinite sampled profile has an RMS delay spread of ``sqrt(a) / (1 - a)`` samples.
    That gives ``K``, the number of taps above :data:`TRUNCATION_DB`; then ``a`` is solved
    for again so that the truncated profile has the delay spread asked for.

    Returns float64, shape (K,), sum 1; one tap for a delay spread of 0.

    Source: the one-sided exponential profile of COST 207, "Digital land mobile radio
    communications", final report, 1989.
    """
    spread = delay_spread_s * sample_rate_hz
    if spread == 0:
        return np.ones(1)
    # sqrt(a) = u solves spread * u**2 + u - spread = 0; this form does not cancel.
    root = 2 * spread / (1 + np.sqrt(1 + 4 * spread**2))
    decay_db = -20 * np.log10(root)
    taps = max(2, int(np.floor(-TRUNCATION_DB / decay_db)) + 1)
    delays = np.arange(taps)

    def powers(ratio: float) -> np.ndarray:
        powers = ratio**delays
        return powers / powers.sum()

    def excess(ratio: float) -> float:
        return float(rms_delay_spread_s(powers(ratio), 1.0) - spread)

    from scipy.optimize import brentq  # takes longer to load than all of the channel

    # From no spread at all to a flat profile, which is always wider than the one asked for.
    return powers(float(brentq(excess, 0.0, 1.0, xtol=1e-18)))


def rms_delay_spread_s(powers: np.ndarray, sample_rate_hz: float) -> float:
    """Square root of the second central moment of a profile, in seconds; shape (K,)."""
    weights = np.asarray(powers, dtype=np.float64) / np.sum(powers)
    delays_s = np.arange(weights.size) / sample_rate_hz
    mean_s = weights @ delays_s
    return float(np.sqrt(weights @ (delays_s - mean_s) ** 2))
