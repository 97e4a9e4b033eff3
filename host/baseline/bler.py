# SPDX-License-Identifier: GPL-3.0-or-later
"""Block error rates of LDPC-coded QAM: measured once in white noise, looked up ever after.

A code word's waterfall over the SNR in dB is close to a Gaussian tail (Polyanskiy, Poor and Verdú
2010, normal approximation):

    BLER(γ) = Q((γ - threshold_db) / spread_db)

``bler.json`` holds for each modulation, rate and word length the counts as measured and the two
numbers fitted to them. Between lengths both are linear in 1/sqrt(symbols), by the same
approximation. Fading enters by :mod:`host.baseline.effective`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr

from host.baseline.effective import Fading
from host.baseline.mcs import SWEEP, Mcs, lay
from semcom_blocks.errors import ConfigError, require_range

TABLE = Path(__file__).with_name("bler.json")
COMMAND = "./semcom eval digital-bler --json host/baseline/bler.json"
LONG_BITS = 8192  # the longest words measured, in coded bits
LENGTHS = (128, 256, 512)  # symbols: k of a 32x32 picture at k/n 1/24, 1/12, 1/6
SPREAD_DB = (0.02, 2.0)  # range of the fit
PRIOR_SPREAD_DB, PRIOR_FACTOR = 8.0, 2.0  # times 1/sqrt(n); weighs as much as a few words


def lengths(mcs: Mcs) -> tuple[int, ...]:
    """Word lengths in the table, in symbols."""
    return (*LENGTHS, LONG_BITS // mcs.bits_per_symbol)


@dataclass(frozen=True)
class Curve:
    """One word's waterfall: ``symbols`` long."""

    symbols: int
    threshold_db: float
    spread_db: float

    def bler(self, snr_db: ArrayLike) -> NDArray[np.float64]:
        """Block error rate at ``snr_db``."""
        return ndtr((self.threshold_db - np.asarray(snr_db, float)) / self.spread_db)


def fit(symbols: int, coded_bits: int, snr_db: ArrayLike, words: ArrayLike, errors: ArrayLike):
    """The most likely :class:`Curve` of ``errors`` among ``words`` at each ``snr_db``."""
    from scipy.optimize import minimize  # slow to import, and only measuring needs it

    at, tried, wrong = (np.asarray(x, float) for x in (snr_db, words, errors))
    usual = np.log(PRIOR_SPREAD_DB / np.sqrt(coded_bits))

    def cost(point: NDArray) -> float:
        z = (at - point[0]) / np.exp(point[1])
        likelihood = wrong * log_ndtr(-z) + (tried - wrong) * log_ndtr(z)
        return ((point[1] - usual) / np.log(PRIOR_FACTOR)) ** 2 / 2 - likelihood.sum()

    start = np.interp(0.5, *_rising(1 - wrong / tried, at))
    best = minimize(cost, (start, usual), method="Nelder-Mead", options={"xatol": 1e-4})
    spread = float(np.clip(np.exp(best.x[1]), *SPREAD_DB))
    return Curve(symbols, round(float(best.x[0]), 3), round(spread, 4))


def _rising(share: NDArray, at: NDArray) -> tuple[NDArray, NDArray]:
    order = np.argsort(at)
    return np.maximum.accumulate(share[order]), at[order]


class BlerTable:
    """Lookup in ``bler.json``."""

    def __init__(self, rows: list[dict]) -> None:
        self.curves: dict[Mcs, list[Curve]] = {}
        for row in rows:
            curve = Curve(row["symbols"], row["threshold_db"], row["spread_db"])
            self.curves.setdefault(Mcs.parse(row["mcs"]), []).append(curve)
        for curves in self.curves.values():
            curves.sort(key=lambda curve: curve.symbols)

    @classmethod
    @cache
    def load(cls, path: Path = TABLE) -> BlerTable:
        """Read the table; raises :class:`ConfigError` naming the file where it is not one."""
        try:
            return cls(json.loads(path.read_text(encoding="utf-8"))["curves"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path.name} is not a table of block error rates ({error}), "
                f"permitted: what is written by {COMMAND}"
            ) from None

    @property
    def sweep(self) -> tuple[Mcs, ...]:
        """What was measured, by efficiency."""
        return tuple(mcs for mcs in SWEEP if mcs in self.curves)

    def curve(self, mcs: Mcs, symbols: int) -> Curve:
        """The waterfall of words of ``symbols``, at least the shortest measured."""
        if mcs not in self.curves:
            known = ", ".join(m.name for m in self.sweep)
            raise ConfigError(f"mcs is {mcs.name}, permitted: {known}")
        known = self.curves[mcs]
        require_range("symbols", symbols, known[0].symbols, 10**9)
        at = -1 / np.sqrt(min(symbols, known[-1].symbols))
        grid = [-1 / np.sqrt(curve.symbols) for curve in known]
        threshold, spread = (
            float(np.interp(at, grid, [getattr(curve, name) for curve in known]))
            for name in ("threshold_db", "spread_db")
        )
        return Curve(symbols, threshold, spread)

    def picture_error(self, mcs: Mcs, symbols: int, snr_db: float, fading: Fading) -> float:
        """Probability that a picture on ``symbols`` symbols is lost: any of its code words is.

            mean over fading blocks of 1 - (1 - BLER(γ_eff))^blocks

        One block of ``fading`` holds for a whole picture: its code words are lost together.
        """
        layout = lay(mcs, symbols)
        if not layout.payload_bits:
            return 1.0
        effective = fading.effective_snr_db(snr_db, mcs.bits_per_symbol)
        each = self.curve(mcs, layout.symbols).bler(effective)
        return float(np.mean(1 - (1 - each) ** layout.blocks))
