# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures waterfalls: few points, placed where they tell most about threshold and spread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from host.baseline.bler import Curve, fit
from host.baseline.effective import required_snr_db
from host.baseline.ldpc import CodeWord, send

CALL_BITS = 1 << 16  # coded bits decoded at once: what the caches hold
SEARCH_WORDS, SEARCH_STEP_DB, SEARCH_STEPS = 24, 0.6, 20
GAP_DB, GAP_SHORT_DB = 0.7, 30.0  # first guess above capacity: GAP_DB + GAP_SHORT_DB/sqrt(n)
PLACES = (-0.6, 0.4, 1.2, 2.0)  # spreads above threshold: BLER 0.73, 0.34, 0.12, 0.02


@dataclass
class Counts:
    """Errors of one word length, by SNR."""

    word: CodeWord
    rng: np.random.Generator
    rows: dict[float, list[int]] = field(default_factory=dict)

    def add(self, snr_db: float, words: int, gains: NDArray | None = None) -> float:
        """Send ``words`` more at ``snr_db``, through ``gains`` (words, s) if given; returns the
        share wrong there so far."""
        row = self.rows.setdefault(round(snr_db, 2), [0, 0, 0])
        at_once = max(1, CALL_BITS // self.word.coded_bits)
        for start in range(0, words, at_once):
            count = min(at_once, words - start)
            part = np.ones(1) if gains is None else gains[start : start + count]
            wrong, unseen = send(self.word, count, part, round(snr_db, 2), self.rng)
            row[0], row[1], row[2] = row[0] + count, row[1] + wrong, row[2] + unseen
        return row[1] / row[0]

    def table(self) -> dict[str, list]:
        """Columns in order of SNR: snr_db, words, errors, and errors that the CRC passed."""
        order = sorted(self.rows)
        words, errors, unseen = zip(*(self.rows[at] for at in order), strict=True)
        return {
            "snr_db": order, "words": list(words), "errors": list(errors), "undetected": sum(unseen)
        }  # fmt: skip

    def curve(self) -> Curve:
        """The waterfall fitted to what was counted so far."""
        table = self.table()
        columns = (table[key] for key in ("snr_db", "words", "errors"))
        return fit(self.word.symbols, self.word.coded_bits, *columns)


def waterfall(word: CodeWord, words: int, rng: np.random.Generator) -> Counts:
    """Find the waterfall in white noise, then send ``words`` at each of PLACES along it."""
    counts = Counts(word, rng)
    capacity = required_snr_db(np.array(word.mcs.efficiency), word.mcs.bits_per_symbol)
    at = float(capacity) + GAP_DB + GAP_SHORT_DB / word.coded_bits**0.5
    first = counts.add(at, SEARCH_WORDS) > 0.5
    for _ in range(SEARCH_STEPS):
        at += SEARCH_STEP_DB if first else -SEARCH_STEP_DB
        if (counts.add(at, SEARCH_WORDS) > 0.5) != first:
            break
    for place in PLACES:
        curve = counts.curve()
        counts.add(curve.threshold_db + place * curve.spread_db, words)
    return counts


def measure(codes: list[tuple[CodeWord, int]], seed: int) -> Iterator[dict]:
    """A row of ``bler.json`` for each (code word, words a point); each with a seed of its own."""
    for word, words in codes:
        key = [seed, word.symbols, word.mcs.bits_per_symbol, word.coded_bits, word.payload_bits]
        counts = waterfall(word, words, np.random.default_rng(key))
        curve = counts.curve()
        yield {
            "mcs": word.mcs.name,
            "symbols": word.symbols,
            "payload_bits": word.payload_bits,
            "threshold_db": curve.threshold_db,
            "spread_db": curve.spread_db,
            **counts.table(),
        }
