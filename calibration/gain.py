# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pair of gains: nothing clips, and the noise is lowest against the signal.

The test signal is one tone near full scale of the transmitter's converter.  No signal that the
transmitter can send has a higher envelope, so where the tone does not clip, OFDM does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.errors import Clipped, NoSignal
from calibration.spectrum import amplitudes, find_tones

#: Samples at the converter's limit that still are no clipping: a click may reach it once.
CLIPPED_PART_MAX = 1e-4
#: Component value from which on a 12-bit converter is at its limit (2047 and -2048 of 2048).
LIMIT = 2046.5 / 2048
#: Room above the tone: 2 dB since it is ``waveforms.SCALE`` of what the transmitter can send,
#: 1 dB for gain that drifts with temperature.
PEAK_MAX_DBFS = -3.0
#: SNR differences below this are within the measurement; the weaker transmission then wins.
EQUAL_DB = 0.5


@dataclass(frozen=True)
class Point:
    """What one pair of gains gives."""

    tx_db: float
    rx_db: float
    snr_db: float  # tone over noise; -inf where there is no tone
    peak_dbfs: float  # largest component
    clipped: float  # part of the samples at the converter's limit

    @property
    def clips(self) -> bool:
        """Whether the receiver saturates."""
        return self.clipped > CLIPPED_PART_MAX

    @property
    def usable(self) -> bool:
        """Whether there is a tone, with room above it."""
        return not self.clips and self.peak_dbfs <= PEAK_MAX_DBFS and bool(np.isfinite(self.snr_db))


def clipped_part(samples: np.ndarray) -> float:
    """Part of the samples (n,) of which a component is at the converter's limit."""
    parts = np.maximum(np.abs(samples.real), np.abs(samples.imag))
    return float(np.mean(parts >= LIMIT))


def peak_dbfs(samples: np.ndarray) -> float:
    """Largest component in dB of full scale."""
    peak = float(max(np.abs(samples.real).max(), np.abs(samples.imag).max()))
    return float(20 * np.log10(max(peak, 1e-6)))


def evaluate(samples: np.ndarray, tx_db: float, rx_db: float, sent: float | None = None) -> Point:
    """Judge a record (n,) of the tone received at this pair of gains.

    ``sent`` is the tone's frequency at the transmitter, cycles per sample, if it is known.
    """
    try:
        (tone,) = find_tones(samples, 1)
        snr_db = tone_snr_db(samples, tone.frequency, sent)
    except NoSignal:
        snr_db = float("-inf")
    return Point(tx_db, rx_db, snr_db, peak_dbfs(samples), clipped_part(samples))


def tone_snr_db(samples: np.ndarray, frequency: float, sent: float | None = None) -> float:
    """Power of the tone over that of the noise, in dB.

    Noise is what is neither the tone nor a mixer's doing: its image and DC at the receiver,
    and with ``sent`` also the transmitter's image and leakage, and the images of those.  They
    can be corrected, and would hide the noise.
    """
    lines = [frequency, -frequency, 0.0]
    if sent is not None:
        moved = frequency - sent
        lines += [moved, -moved, moved - sent, sent - moved]
    found = amplitudes(samples, np.array(lines))
    index = np.arange(len(samples))
    rest = np.asarray(samples, dtype=np.complex128).copy()
    for line, amplitude in zip(lines, found, strict=True):
        rest -= amplitude * np.exp(2j * np.pi * line * index)
    noise = float(np.mean(np.abs(rest) ** 2))
    return float(10 * np.log10(abs(found[0]) ** 2 / max(noise, np.finfo(float).tiny)))


def recommend(points: Sequence[Point]) -> Point:
    """The best usable point; among equals the weaker transmission, then the lower gain.

    Raises :class:`Clipped` where every point with a tone clips, and :class:`NoSignal` where
    no point has a tone.
    """
    usable = [point for point in points if point.usable]
    if usable:
        best = max(point.snr_db for point in usable)
        equal = [point for point in usable if point.snr_db >= best - EQUAL_DB]
        return min(equal, key=lambda point: (point.tx_db, point.rx_db))
    if any(point.clips or point.peak_dbfs > PEAK_MAX_DBFS for point in points):
        weakest = min(points, key=lambda point: point.peak_dbfs)
        raise Clipped(
            f"receiver clips at every gain (peak {weakest.peak_dbfs:.1f} dBFS at tx "
            f"{weakest.tx_db:g} dB, rx {weakest.rx_db:g} dB), permitted: up to "
            f"{PEAK_MAX_DBFS:g} dBFS (30 dB of attenuation between TX and RX helps)"
        )
    raise NoSignal(
        "no signal found at any gain: SNR too low (is TX connected to RX, and is the frequency "
        "the same?)"
    )
