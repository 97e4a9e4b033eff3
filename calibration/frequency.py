# SPDX-License-Identifier: GPL-3.0-or-later
"""Error of a radio's oscillator against that of a reference.

The reference sends a tone at baseband frequency f on carrier C; both are true by definition.
The radio under test, whose crystal is fast by e, tunes to L and so really to L (1 + e), and
counts samples that are short by the same factor.  It finds the tone at

    g = (C + f - L (1 + e)) / (1 + e)        hence   1 + e = (C + f) / (g + L)

in its own units of frequency.  ``e`` is the radio's error.  A Pluto's driver believes in a
crystal of 40 MHz unless told otherwise; told (1 + e) times what it believed, it makes no error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.errors import NoSignal
from calibration.spectrum import Tone, find_tones
from calibration.waveforms import PAIR_BINS, PERIOD

#: Two crystals of 25 ppm each are the worst that radios come with; then as much again.
ERROR_PPM_MAX = 100.0


@dataclass(frozen=True)
class PairFound:
    """The two tones of ``waveforms.pair`` as received, frequencies in the receiver's Hz."""

    sent_hz: tuple[float, float]
    received_hz: tuple[float, float]
    snr_db: float  # of the weaker line over the noise in one FFT bin


def find_pair(samples: np.ndarray, rate_hz: float, reference_rate_hz: float) -> PairFound:
    """Find the pair in ``samples`` (n,); :class:`NoSignal` where there are other tones or none.

    Both sample rates are nominal.
    """
    low, high = find_tones(samples, 2)
    sent = [float(b) / PERIOD * reference_rate_hz for b in PAIR_BINS]
    received = [tone.frequency * rate_hz for tone in (low, high)]
    spacing, expected = received[1] - received[0], sent[1] - sent[0]
    # A resolution of one bin, besides what two bad crystals do to the spacing.
    if abs(spacing - expected) > expected * 2e-6 * ERROR_PPM_MAX + rate_hz / len(samples):
        raise NoSignal(
            f"no signal found: two lines {spacing / 1e3:.1f} kHz apart, permitted: "
            f"the reference's, {expected / 1e3:.1f} kHz apart (is another transmitter near?)"
        )
    weaker = min(low.above_db, high.above_db)
    return PairFound((sent[0], sent[1]), (received[0], received[1]), weaker)


def error_ppm(pair: PairFound, carrier_hz: float, tuned_hz: float) -> float:
    """The radio's error in ppm against the reference, mean of both tones."""
    errors = [
        (carrier_hz + sent) / (tuned_hz + received) - 1
        for sent, received in zip(pair.sent_hz, pair.received_hz, strict=True)
    ]
    return float(np.mean(errors)) * 1e6


def xo_correction_hz(error: float, believed_hz: float) -> float:
    """The crystal's real frequency, for an error in ppm of a driver that believed in another."""
    return believed_hz * (1 + error * 1e-6)


def offset_hz(tone: Tone, rate_hz: float, sent_hz: float) -> float:
    """How far a received tone lies from where it was sent, in Hz."""
    return tone.frequency * rate_hz - sent_hz
