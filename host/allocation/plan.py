# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan in words and numbers: what to send how, at each operating point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from host.allocation.modulation import Choice, choose
from host.allocation.streams import ORDERS, ConditionStream, PromptStream

PROMPT_NAME = "prompt"


def plan(
    prompt: PromptStream,
    conditions: Sequence[ConditionStream],
    ber: Sequence[float],
    snr_full: ArrayLike,
    orders: Sequence[int] = ORDERS,
) -> list[dict[str, Any]]:
    """One dictionary per operating point, ready for JSON; infinite delays are ``None``.

    snr_full_db; prompt {share, snr_db, packet_error_rate, expected_sends, delay_s};
    conditions [{name, order, share, snr_db, ber, rate_bps, delay_s}]; latency_s; bottleneck.
    """
    choice = choose(prompt, conditions, ber, snr_full, orders)
    full = np.broadcast_to(np.atleast_2d(np.asarray(snr_full, float)), (1, len(choice.per)))[0]
    return [_row(choice, i, float(full[i]), conditions, ber) for i in range(len(choice.per))]


def _row(
    choice: Choice,
    i: int,
    snr_full: float,
    conditions: Sequence[ConditionStream],
    ber: Sequence[float],
) -> dict[str, Any]:
    delays = {PROMPT_NAME: float(choice.delay_prompt_s[i])}
    rows = []
    for j, condition in enumerate(conditions):
        order = int(choice.order[j, i])
        sent = order > 0
        delay_s = float(condition.order_delay_s(order)) if sent else None
        if delay_s is not None:
            delays[condition.name] = delay_s
        rows.append(
            {
                "name": condition.name,
                "order": order,
                "share": float(choice.share[j, i]),
                "snr_db": _db(choice.snr[j, i]) if sent else None,
                "ber": float(ber[j]) if sent else None,
                "rate_bps": condition.bandwidth_hz * float(np.log2(order)) if sent else 0.0,
                "delay_s": delay_s,
            }
        )
    latency_s = float(choice.delay_s[i])
    return {
        "snr_full_db": _db(snr_full),
        "prompt": {
            "share": float(choice.share_prompt[i]),
            "snr_db": _db(choice.snr_prompt[i]),
            "packet_error_rate": float(choice.per[i]),
            "expected_sends": _finite(choice.sends[i]),
            "delay_s": _finite(choice.delay_prompt_s[i]),
        },
        "conditions": rows,
        "latency_s": _finite(latency_s),
        "bottleneck": max(delays, key=lambda name: delays[name]),
    }


def _db(snr: float) -> float | None:
    return float(10 * np.log10(snr)) if snr > 0 else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
