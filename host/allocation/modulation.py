# SPDX-License-Identifier: GPL-3.0-or-later
"""The same problem with modulation orders that exist: Table II, and what a radio can do.

Each condition gets an order M_i of a list, which fixes its delay |v_i| / (B_i·log2 M_i) and, with
the BER that quality allows, its least SNR Γ_i·(M_i − 1).  The prompt then needs the power with
which it keeps pace with the slowest condition.  Of the combinations that fit the budget the one
with the shortest delay is taken, of equally short ones the cheapest; what is left of the power goes
to the prompt.  Where none fits, conditions are dropped (M = 0), the last in the list first:
the receiver then draws from what is left, in the end from the prompt alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from host.allocation.solver import check_ber, check_snr_full
from host.allocation.streams import ORDERS, ConditionStream, PromptStream
from semcom_blocks.errors import ConfigError

Array = NDArray[np.float64]

MAX_COMBINATIONS = 20_000  # orders to the power of conditions
PACE = 2.0  # expected sends that the longest stream is given where that is the prompt


@dataclass(frozen=True)
class Choice:
    """What is chosen at each operating point: arrays (n,) for the prompt, (I, n) for conditions.

    order 0: the condition is not sent, its delay 0.  delay_s: of the slowest stream, infinity
    where not even the prompt gets through.
    """

    order: NDArray[np.int64]
    share: Array
    share_prompt: Array
    snr: Array
    snr_prompt: Array
    delay_prompt_s: Array
    delay_s: Array
    per: Array
    sends: Array


def check_orders(orders: Sequence[int]) -> tuple[int, ...]:
    """``orders`` rising; :class:`ConfigError` for one that the physical layer lacks."""
    for order in orders:
        if order not in ORDERS:
            raise ConfigError(f"modulation order is {order}, permitted: {ORDERS}")
    if not orders:
        raise ConfigError(f"no modulation order is given, permitted: {ORDERS}")
    return tuple(sorted(set(orders)))


def choose(
    prompt: PromptStream,
    conditions: Sequence[ConditionStream],
    ber: Sequence[float],
    snr_full: ArrayLike,
    orders: Sequence[int] = ORDERS,
) -> Choice:
    """The best orders and powers at every operating point; arguments as of ``solver.solve``."""
    check_ber(conditions, ber)
    orders = check_orders(orders)
    full = check_snr_full(snr_full, 1 + len(conditions))
    if len(orders) ** len(conditions) > MAX_COMBINATIONS:
        raise ConfigError(
            f"{len(conditions)} conditions of {len(orders)} orders are too many combinations, "
            f"permitted: {MAX_COMBINATIONS}"
        )
    n = full.shape[1]
    found = np.zeros((len(conditions), n), np.int64)
    open_ = np.ones(n, bool)
    for kept in range(len(conditions), 0, -1):
        best = _best(prompt, conditions[:kept], ber[:kept], full, orders)
        fits = open_ & (best[0] >= 0)
        found[:kept, fits] = best[:, fits]
        open_ &= ~fits
    return _finish(prompt, conditions, ber, full, found)


def _best(
    prompt: PromptStream,
    conditions: Sequence[ConditionStream],
    ber: Sequence[float],
    full: Array,
    orders: tuple[int, ...],
) -> NDArray[np.int64]:
    """Orders (I, n) of the best combination in which every condition is sent, −1 if none fits."""
    ranked = []
    for combination in product(orders, repeat=len(conditions)):
        delay_s = max(
            float(c.order_delay_s(m)) for c, m in zip(conditions, combination, strict=True)
        )
        snr = [
            float(c.snr_of_order(m, rate))
            for c, m, rate in zip(conditions, combination, ber, strict=True)
        ]
        # A prompt that takes longer than the conditions is given a retransmission.
        longer = delay_s <= prompt.least_delay_s
        pace_s = PACE * prompt.least_delay_s if longer else delay_s
        ranked.append((pace_s, sum(snr), snr, combination))
    ranked.sort(key=lambda item: item[:2])
    best = np.full((len(conditions), full.shape[1]), -1, np.int64)
    for pace_s, _, snr, combination in ranked:
        total = prompt.snr_for(pace_s) / full[0]
        for value, most in zip(snr, full[1:], strict=False):
            total = total + value / most
        better = (total <= 1) & (best[0] < 0)
        best[:, better] = np.array(combination)[:, None]
        if np.all(best[0] >= 0):
            break
    return best


def _finish(
    prompt: PromptStream,
    conditions: Sequence[ConditionStream],
    ber: Sequence[float],
    full: Array,
    order: NDArray[np.int64],
) -> Choice:
    """Powers and delays of the orders found; the rest of the power goes to the prompt."""
    sent = order > 0
    shape = order.shape
    used = np.where(sent, order, 2)
    snr = np.array(
        [c.snr_of_order(m, rate) for c, m, rate in zip(conditions, used, ber, strict=True)]
    ).reshape(shape)
    snr = np.where(sent, snr, 0.0)
    share = snr / full[1:]
    share_prompt = np.maximum(1 - share.sum(axis=0), 0.0)
    snr_prompt = share_prompt * full[0]
    delay_prompt_s = prompt.delay_s(snr_prompt)
    delays = np.array([c.order_delay_s(m) for c, m in zip(conditions, used, strict=True)])
    delays = np.where(sent, delays.reshape(shape), 0.0)
    return Choice(
        order=order,
        share=share,
        share_prompt=share_prompt,
        snr=snr,
        snr_prompt=snr_prompt,
        delay_prompt_s=delay_prompt_s,
        delay_s=np.max([delay_prompt_s, *delays], axis=0),
        per=prompt.per(snr_prompt),
        sends=prompt.sends(snr_prompt),
    )


def threshold_snr(
    prompt: PromptStream, condition: ConditionStream, ber: float, order: int
) -> tuple[float, float]:
    """Least ``snr_full`` at which ``order`` is chosen, and the condition's SNR there.

    Both streams in equal bands, as in Table II: the condition at Γ·(M−1), the prompt keeping pace.
    """
    snr = float(condition.snr_of_order(order, ber))
    return snr + float(prompt.snr_for(condition.order_delay_s(order))), snr
