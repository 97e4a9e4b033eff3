# SPDX-License-Identifier: GPL-3.0-or-later
"""Problem (5): the least of the longest delay under a power budget, for any number of streams.

    min max{T₀(p₀), T_i(p_i)}   subject to   Σ p_i ≤ P_T,   BER_i ≤ what quality allows

For a common delay T each stream has a least power p_i(T) in closed form, and Σ p_i(T) falls with
T; so the optimum is where it meets the budget: one bisection, for all operating points at once.
At the optimum all delays are equal and the budget is spent, which is Lemma 1 for one condition;
nothing in the argument needs there to be one.

An operating point is given by ``snr_full``: for each stream the SNR that it would have with all of
the power, P_T·|h_i|² / (B_i·N₀).  Bandwidths, path loss and fading are all in it, and a stream's
share of the power is γ_i / snr_full_i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from host.allocation.streams import ConditionStream, PromptStream
from semcom_blocks.errors import ConfigError

Array = NDArray[np.float64]

ITERATIONS = 60  # of bisection on log T: from a factor of 1e9 to 2e-17 of it
DELAY_SPAN = 1e9  # the longest delay looked at, as a multiple of the shortest


@dataclass(frozen=True)
class Allocation:
    """The optimum at each operating point, arrays (n,) for the prompt, (I, n) for conditions.

    snr_prompt, snr: linear.  share_prompt, share: of the power.  delay_s: common to all streams,
    infinity where the budget is too small.  per, sends: of the prompt.
    """

    snr_prompt: Array
    snr: Array
    share_prompt: Array
    share: Array
    delay_s: Array
    per: Array
    sends: Array
    bits_per_symbol: Array


def check_snr_full(snr_full: ArrayLike, streams: int) -> Array:
    """``snr_full`` as an array (streams, n); :class:`ConfigError` unless all are positive.

    One number, or one per operating point, stands for all streams.
    """
    found = np.asarray(snr_full, float)
    if found.ndim < 2:
        found = np.broadcast_to(np.atleast_1d(found), (streams, max(1, found.size)))
    if found.shape[0] != streams:
        raise ConfigError(f"snr_full has {found.shape[0]} rows, permitted: {streams}, one a stream")
    bad = ~(np.isfinite(found) & (found > 0))
    if np.any(bad):
        raise ConfigError(f"power budget gives an SNR of {found[bad][0]:g}, permitted: above 0")
    return found


def check_ber(conditions: Sequence[ConditionStream], ber: Sequence[float]) -> None:
    """:class:`ConfigError` unless there is one BER for each condition."""
    if len(conditions) != len(ber):
        raise ConfigError(f"{len(ber)} BERs for {len(conditions)} conditions, permitted: one each")


def solve(
    prompt: PromptStream,
    conditions: Sequence[ConditionStream],
    ber: Sequence[float],
    snr_full: ArrayLike,
) -> Allocation:
    """Solve (5) with continuous rates at every operating point.

    ``ber``: the bit error rate that quality allows each condition.  ``snr_full``: see the module;
    (n,) for equal streams or (1 + I, n), the prompt first.
    """
    check_ber(conditions, ber)
    full = check_snr_full(snr_full, 1 + len(conditions))
    pairs = list(zip(conditions, ber, full[1:], strict=True))

    def shares(delay_s: Array) -> Array:
        return sum(
            (c.snr_for(delay_s, rate) / most for c, rate, most in pairs),
            prompt.snr_for(delay_s) / full[0],
        )

    low = np.full(full.shape[1], np.log(prompt.least_delay_s))
    high = low + np.log(DELAY_SPAN)
    feasible = shares(np.exp(high)) <= 1
    for _ in range(ITERATIONS):
        middle = (low + high) / 2
        fits = shares(np.exp(middle)) <= 1
        high = np.where(fits, middle, high)
        low = np.where(fits, low, middle)
    delay_s = np.where(feasible, np.exp(high), np.inf)
    snr_prompt = prompt.snr_for(delay_s)
    shape = (len(conditions), full.shape[1])
    snr = np.array([c.snr_for(delay_s, rate) for c, rate, _ in pairs]).reshape(shape)
    gaps = np.array([c.gap(rate) for c, rate, _ in pairs]).reshape(-1, 1)
    return Allocation(
        snr_prompt=snr_prompt,
        snr=snr,
        share_prompt=snr_prompt / full[0],
        share=snr / full[1:],
        delay_s=delay_s,
        per=prompt.per(snr_prompt),
        sends=prompt.sends(snr_prompt),
        bits_per_symbol=np.log2(1 + snr / gaps),
    )
