# SPDX-License-Identifier: GPL-3.0-or-later
"""Uncoded QPSK through the whole receiver: bit error rate, and the dB it is behind.

The analog field carries QPSK symbols, so the bits pass exactly what a picture passes.
Over a known channel the bit error rate is

    P(δ) = mean over frames f and carriers k of  Q(sqrt(|H_f[k]|² γ / δ)),   γ = Es/N0

and a receiver's loss is the δ at which P equals what was measured on those very channels;
for awgn this is the distance to theory, in multipath the known-channel receiver's own δ
(from its errors on the same samples) is taken off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from host.bench.link import air, paths
from host.bench.link.genie import carrier_powers, known_channel
from host.bench.link.intervals import NOTHING, Interval, mean, proportion
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import receive

ANALOG = 4000
CHUNK = 50
#: Losses in dB among which δ is looked for.
LOSSES_DB = np.arange(-6.0, 12.01, 0.25)
#: Bit errors from which a rate says something about dB: 10 % at one deviation.
FEWEST_ERRORS = 100


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    snr_db: float,
    channel: str = "awgn",
) -> dict[str, np.ndarray]:
    """Bit error rate of each frame, float64 (n_frames,), and what theory says of its channel.

    ``rate`` of the receiver (0.5 for a lost frame), ``rate_known`` of one that knows the
    channel, ``theory`` (n_frames, len(LOSSES_DB)) at each loss, ``lost`` bool.
    """
    rates = np.full((n_frames, 2), 0.5)
    theory = np.empty((n_frames, len(LOSSES_DB)))
    lost = np.zeros(n_frames, bool)
    for index in range(n_frames):
        sent = air.build(numerology, air.qpsk(rng, ANALOG))
        path = paths.draw(channel, numerology, rng)
        cfo_hz = air.random_cfo_hz(numerology, rng)
        heard = air.send(sent, path, rng, snr_db=snr_db, cfo_hz=cfo_hz)
        theory[index] = expected_rate(carrier_powers(heard, sent), snr_db - LOSSES_DB)
        rates[index, 1] = _rate(known_channel(heard, sent, snr_db).analog, sent.analog)
        capture = air.find(heard, sent)
        lost[index] = capture is None
        if capture is not None:
            rates[index, 0] = _rate(receive(capture, numerology).payload.analog, sent.analog)
    return {"rate": rates[:, 0], "rate_known": rates[:, 1], "theory": theory, "lost": lost}


def expected_rate(powers: NDArray, snr_db: NDArray) -> NDArray:
    """Mean of Q(sqrt(|H|² γ)) over ``powers`` (n,), for each SNR: float64 (len(snr_db),)."""
    amplitude = np.sqrt(np.outer(10 ** (np.asarray(snr_db) / 10), powers))
    return ndtr(-amplitude).mean(axis=1)


def _rate(received: NDArray, sent: NDArray) -> float:
    wrong = np.signbit(received.view(np.float32)) != np.signbit(sent.view(np.float32))
    return float(np.mean(wrong))


def loss_db(rate: NDArray, theory: NDArray) -> tuple[float, NDArray]:
    """Loss δ in dB at which the mean of ``theory`` (n, losses) is that of ``rate`` (n,).

    Also returns each frame's influence on it, ψ_f = (rate_f − P_f(δ)) / P'(δ), whose mean
    is zero and whose scatter gives the interval of any sum or difference of losses.
    Beyond :data:`LOSSES_DB` the loss is infinite, of the sign that it has.
    """
    curve, target = theory.mean(axis=0), rate.mean()
    if not curve[0] <= target <= curve[-1]:
        return float(np.inf if target > curve[-1] else -np.inf), np.zeros(len(rate))
    loss = float(np.interp(np.log(target), np.log(curve), LOSSES_DB))
    left = int(np.clip(np.searchsorted(LOSSES_DB, loss) - 1, 0, len(LOSSES_DB) - 2))
    width = LOSSES_DB[left + 1] - LOSSES_DB[left]
    part = (loss - LOSSES_DB[left]) / width
    at_loss = (1 - part) * theory[:, left] + part * theory[:, left + 1]
    slope = (curve[left + 1] - curve[left]) / width
    return loss, (rate - at_loss) / slope


def _around(value: float, influence: NDArray) -> Interval:
    spread = mean(influence)
    return Interval(value, value + spread.low - spread.value, value + spread.high - spread.value)


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """Rates, theory, and the losses against theory and against the known channel."""
    bits = 2 * ANALOG * len(raw["rate"])
    errors = {name: round(float(raw[name].sum()) * 2 * ANALOG) for name in ("rate", "rate_known")}
    to_theory = to_known = NOTHING
    if min(errors.values()) >= FEWEST_ERRORS:
        ours, influence = loss_db(raw["rate"], raw["theory"])
        known, influence_known = loss_db(raw["rate_known"], raw["theory"])
        to_theory = _around(ours, influence)
        # A receiver that is lost altogether is so against whatever the known channel gives.
        behind = ours - known if np.isfinite(ours) else ours
        to_known = _around(behind, influence - influence_known)
    no_loss = int(np.flatnonzero(LOSSES_DB == 0)[0])
    return {
        "frames": len(raw["rate"]),
        "lost": int(raw["lost"].sum()),
        "bits": bits,
        **proportion(errors["rate"], bits).keys("ber"),
        **proportion(errors["rate_known"], bits).keys("ber_known_channel"),
        "ber_theory": float(raw["theory"][:, no_loss].mean()),
        **to_theory.keys("loss_to_theory_db"),
        **to_known.keys("loss_to_known_channel_db"),
    }
