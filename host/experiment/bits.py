# SPDX-License-Identifier: GPL-3.0-or-later
"""Bit errors of this testbed's uncoded QAM beside theory and the bound behind (4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from host.allocation.qam_errors import BOUNDS, bit_error_rate, least_snr
from host.allocation.streams import ORDERS, steps_of
from host.bench.link.intervals import proportion
from host.experiment.settings import Document, Settings
from semcom_blocks.phy import qam

#: Between these the bound has to hold.
RATES = (1e-7, 0.1)
POINTS = 200  # of each order, over the logarithm of the rate
#: Error rates at which bits are sent.
MEASURED = (0.1, 0.03, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
BITS, QUICK_BITS = 2_000_000, 200_000
SHOWN = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def curve(order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x = γ/(M − 1) and ln BER of theory over :data:`RATES`, (POINTS,) each."""
    rate = np.geomspace(*RATES, POINTS)
    return least_snr(order, rate) / steps_of(order), np.log(rate)


def tightest() -> tuple[float, float]:
    """(α, β) with ln BER ≤ −ln β − α·x everywhere and the least mean distance: a linear program."""
    x, y = np.concatenate([curve(order) for order in ORDERS], axis=1)
    found = linprog(
        [1.0, -x.mean()],
        A_ub=np.stack([-np.ones_like(x), x], axis=1),
        b_ub=-y,
        bounds=[(None, None), (0, None)],
    )
    offset, alpha = found.x
    return float(alpha), float(np.exp(-offset))


def slack_db(order: int, rate: float, bound: tuple[float, float]) -> float:
    """SNR that the bound asks for above what theory needs, in dB."""
    alpha, beta = bound
    asked = -np.log(beta * rate) / alpha * steps_of(order)
    return float(10 * np.log10(asked / least_snr(order, rate)))


def document(settings: Settings) -> Document:
    """Measured, exact and bounded rates of each order; the bound fitted anew."""
    rng = np.random.default_rng([settings.seed, 11])
    bits = QUICK_BITS if settings.quick else BITS
    fitted = tightest()
    orders = []
    for i, order in enumerate(ORDERS):
        slack = {
            name: [slack_db(order, rate, bound) for rate in SHOWN]
            for name, bound in (("paper", BOUNDS["paper"]), ("fitted", fitted))
        }
        points = [_point(order, rate, bits, rng) for rate in MEASURED]
        orders.append({"order": order, "points": points, "slack_db": slack})
        settings.tell((i + 1) / len(ORDERS))
    inside = [point["inside"] for one in orders for point in one["points"]]
    return {
        "bits_a_point": bits,
        "paper": list(BOUNDS["paper"]),
        "fitted": list(fitted),
        "stored": list(BOUNDS["fitted"]),
        "slack_at": list(SHOWN),
        "orders": orders,
        "inside": sum(inside),
        "points": len(inside),
        "met": bool(min(min(one["slack_db"]["fitted"]) for one in orders) > -0.01),
    }


def _point(order: int, rate: float, n_bits: int, rng: np.random.Generator) -> dict[str, Any]:
    per_symbol = order.bit_length() - 1
    snr = float(least_snr(order, rate))
    bits = rng.integers(0, 2, n_bits - n_bits % per_symbol, dtype=np.uint8)
    symbols = qam.modulate(bits, per_symbol)
    noise = rng.standard_normal((len(symbols), 2), np.float32).view(np.complex64)[:, 0]
    heard = symbols + noise * np.float32(np.sqrt(0.5 / snr))
    llr = qam.demodulate(heard, np.full(len(heard), 1 / snr, np.float32), per_symbol)
    found = proportion(int(np.count_nonzero((llr < 0) != bits)), len(bits))
    theory = float(bit_error_rate(order, snr))
    return {
        "snr_db": float(10 * np.log10(snr)),
        **found.keys("ber"),
        "theory": theory,
        "inside": bool(found.low <= theory <= found.high),
    }


def lines(document: Document) -> list[str]:
    """For the terminal."""
    alpha, beta = document["fitted"]
    found = [
        f"tightest bound of BPSK to 256-QAM for BER 1e-7 to 0.1: α = {alpha:.4f}, β = {beta:.4f}; "
        f"theory within the 95 % interval of {document['inside']} of {document['points']} points"
    ]
    for name in ("paper", "fitted"):
        most = [max(one["slack_db"][name]) for one in document["orders"]]
        least = [min(one["slack_db"][name]) for one in document["orders"]]
        found.append(
            f"({name} constants) asks for {min(least):+.2f} to {max(most):+.2f} dB above theory"
        )
    return found
