# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from a transmitter to a receiver with another clock and another carrier.

With F and f the true carrier and sample rate of each end, d the delay, at the time t of a
sample of the receiver

    y(t) = g  e^{j 2 pi (F_tx - F_rx) t}  x(t - d)

where x(t) is what the transmitter's samples stand for between their instants, limited
to the receiver's band.  Where both clocks tick together and d is a whole number of
samples, that is a shift; everywhere else an interpolation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from semcom_blocks.air.clock import SampleClock
from semcom_blocks.air.config import PathConfig
from semcom_blocks.air.device import Tuning
from semcom_blocks.air.fading import TapGains
from semcom_blocks.air.frontend import TX_FULL_SCALE_DBM
from semcom_blocks.air.interpolate import TRANSITION, Interpolator, interpolator
from semcom_blocks.air.line import TransmitLine
from semcom_blocks.air.spinner import Spinner

# A carrier offset of this fraction of the sample rate leaves the receiver's filter alone.
_NEAR = 0.02
# A delay this near to a whole sample is taken for one.
_WHOLE = 1e-6


@dataclass(frozen=True)
class _Plan:
    """How to get from one pair of clocks and carriers to samples.

    shift         receiver's count → transmitter's count, where that is all
    interpolator  None with a shift
    offset_hz     true carrier of the transmitter less that of the receiver
    centre        of the band that both let through, in cycles per transmitted sample
    """

    tx: SampleClock
    rx: SampleClock
    shift: int
    interpolator: Interpolator | None
    offset_hz: float
    centre: float
    down: Spinner
    up: Spinner


class Path:
    """One channel of one path; ``behind`` and ``ahead`` samples of the sender are looked at."""

    def __init__(self, config: PathConfig, rng: np.random.Generator) -> None:
        self.config = config
        self.behind = self.ahead = 0
        self._gains = TapGains(config, rng)
        self._scale = 10 ** ((TX_FULL_SCALE_DBM + config.gain_db) / 20)
        self._key: tuple[object, ...] = ()
        self._now: _Plan | None = None

    def plan(self, tx: SampleClock, rx: SampleClock, sent: Tuning, wanted: Tuning) -> None:
        """Prepare for these clocks and tunings; cheap where nothing has changed."""
        key = (
            (tx.rate_hz, tx.anchor_s, tx.anchor_count, sent.lo_hz, sent.bandwidth_hz),
            (rx.rate_hz, rx.anchor_s, rx.anchor_count, wanted.lo_hz, wanted.bandwidth_hz),
        )
        if key != self._key:
            self._key = key
            self._now = self._make(tx, rx, sent, wanted)

    def _make(self, tx: SampleClock, rx: SampleClock, sent: Tuning, wanted: Tuning) -> _Plan | None:
        offset_hz = sent.lo_hz * (1 + 1e-6 * tx.ppm) - wanted.lo_hz * (1 + 1e-6 * rx.ppm)
        slow_hz = min(tx.rate_hz, rx.rate_hz)
        own, theirs = _half_band(tx.rate_hz, sent), _half_band(rx.rate_hz, wanted)
        # What both let through, in the transmitter's baseband.
        low, high = max(-own, -offset_hz - theirs), min(own, -offset_hz + theirs)
        memory = self._gains.taps.size - 1
        self.behind = self.ahead = 0
        if low >= high:
            return None
        near = abs(offset_hz) <= _NEAR * slow_hz and min(own, theirs) == slow_hz / 2
        if near:
            low, high = -slow_hz / 2, slow_hz / 2
        centre = (high + low) / 2 / tx.rate_hz
        ratio = tx.rate_hz / rx.rate_hz
        delay = self.config.delay_s * tx.rate_hz
        spinners = Spinner(-centre), Spinner(offset_hz / rx.rate_hz + centre * ratio)
        step = rx.same_grid(tx)
        if near and step is not None and abs(delay - round(delay)) < _WHOLE:
            self.behind = round(delay) + memory
            return _Plan(tx, rx, step - round(delay), None, offset_hz, centre, *spinners)
        cutoff, transition = (high - low) / 2 / tx.rate_hz, TRANSITION * slow_hz / tx.rate_hz
        between = interpolator(ratio, cutoff, transition)
        self.behind = between.guard + math.ceil(delay) + memory + 2
        self.ahead = between.guard + math.ceil(ratio) + 2
        return _Plan(tx, rx, 0, between, offset_hz, centre, *spinners)

    def process(self, line: TransmitLine, start: int, n: int) -> np.ndarray | None:
        """complex64 (n,), fresh, |1|² = 1 mW, for the receiver's samples from ``start`` on.

        None where nothing is to be heard.
        """
        plan = self._now
        if plan is None or not n:
            return None
        turns = plan.offset_hz * plan.rx.time_of(start)
        if plan.interpolator is None:
            samples, scale = self._tapped(plan, line, start + plan.shift, n)
            return None if samples is None else plan.up.turned(samples, turns, scale)
        whole, fraction = self._position(plan, start)
        first = whole - plan.interpolator.guard
        samples, scale = self._tapped(plan, line, first, plan.interpolator.span(n))
        if samples is None:
            return None
        if plan.centre:
            samples = plan.down.turned(samples, -plan.centre * first)
            turns += plan.centre * whole % 1.0 + plan.centre * fraction
        return plan.up.turned(plan.interpolator.process(samples, fraction, n), turns, scale)

    def _position(self, plan: _Plan, start: int) -> tuple[int, float]:
        """Where the receiver's sample ``start`` lies among the transmitter's: whole and rest.

        Counts stay integers, so that hours do not cost precision.
        """
        tx, rx = plan.tx, plan.rx
        ratio = tx.rate_hz / rx.rate_hz
        near = round(ratio)
        since = start - rx.anchor_count
        rest = (rx.anchor_s - tx.anchor_s - self.config.delay_s) * tx.rate_hz
        rest += since * (ratio - near)
        whole = math.floor(rest)
        return tx.anchor_count + since * near + whole, rest - whole

    def _tapped(
        self, plan: _Plan, line: TransmitLine, first: int, n: int
    ) -> tuple[np.ndarray | None, complex]:
        """The transmitter's samples through the taps, and a factor still to be applied."""
        taps = self._gains.taps.size
        samples = line.window(first - taps + 1, n + taps - 1)
        if samples is None:
            return None, 0.0
        if taps == 1 and self._gains.steady:
            return samples, self._scale * self._gains.taps[0]
        gains = self._gains.at(plan.tx.time_of(first), plan.tx.rate_hz, n)
        total = np.zeros(n, dtype=np.complex64)
        for tap, gain in enumerate(gains):
            total += gain * samples[taps - 1 - tap : taps - 1 - tap + n]
        return total, self._scale


def _half_band(rate_hz: float, tuning: Tuning) -> float:
    """Upper edge of what a port lets through: its sample rate's, or its analog filter's."""
    edge_hz = rate_hz / 2
    return min(edge_hz, tuning.bandwidth_hz / 2) if tuning.bandwidth_hz > 0 else edge_hz
