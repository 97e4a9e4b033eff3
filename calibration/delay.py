# SPDX-License-Identifier: GPL-3.0-or-later
"""Delay between two records of the same periodic waveform, to a small part of a sample.

With S and R the spectra of one period sent and received, C = R S*:
a flat channel of delay d has C[k] = |S[k]|^2 h exp(-j 2 pi k d / n).  The peak of the
inverse transform of C gives d to the sample; a straight line through the phase of C, weighted
with |C| after that delay is taken out, gives the rest.

Source: C. H. Knapp, G. C. Carter, "The generalized correlation method for estimation of time
delay", IEEE Trans. Acoust. Speech Signal Process. 24, 1976.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.errors import NoSignal

#: Peak of the correlation over its mean magnitude.  Noise alone reaches 3.3 in 4096 samples
#: (sqrt(ln n) over sqrt(pi)/2); a signal in noise of the same power 60.
PEAK_MIN = 6.0
#: Bins weaker than the strongest by this carry noise only.
BIN_FLOOR_DB = 20.0
#: Each pass removes what it found; the second leaves rounding only.
PASSES = 3
#: Bins averaged before a phase is taken, so that noise cannot turn it round.
GROUPS = 32


@dataclass(frozen=True)
class Delay:
    """A delay of ``samples`` in [0, period), with the SNR of the record it came from."""

    samples: float
    peak: float  # correlation peak over the mean magnitude
    snr_db: float


def measure(reference: np.ndarray, received: np.ndarray) -> Delay:
    """Delay of ``received`` behind ``reference``, complex (n,) each, both whole periods.

    Raises :class:`NoSignal` where the correlation has no peak.
    """
    n = len(reference)
    if len(received) != n:
        raise ValueError(f"received has {len(received)} samples, permitted: {n}")
    sent = np.fft.fft(np.asarray(reference, dtype=np.complex128))
    got = np.fft.fft(np.asarray(received, dtype=np.complex128))
    cross = got * sent.conj()
    used = np.abs(sent) ** 2 >= np.max(np.abs(sent) ** 2) * 10 ** (-BIN_FLOOR_DB / 10)
    used[0] = False  # an offset of the receiver, not of the signal
    cross = np.where(used, cross, 0)
    correlation = np.abs(np.fft.ifft(cross))
    whole = int(np.argmax(correlation))
    mean = float(correlation.mean())
    peak = float(correlation[whole]) / mean if mean > 0 else 0.0
    if not peak >= PEAK_MIN:
        raise NoSignal(
            f"no signal found: the correlation's peak is {peak:.1f} times its mean, "
            f"permitted: {PEAK_MIN:.0f} or more"
        )
    bins = np.fft.fftfreq(n, 1 / n)  # (n,) signed bin numbers
    order = np.argsort(bins)
    order = order[used[order]]
    delay = float(whole)
    for _ in range(PASSES):
        delay += _rest(cross[order] * np.exp(2j * np.pi * bins[order] * delay / n), bins[order], n)
    return Delay(delay % n, peak, _snr_db(sent, got, used, bins, delay))


def _rest(cross: np.ndarray, bins: np.ndarray, n: int) -> float:
    """What is left of the delay in samples, from the slope of the phase over ``bins``."""
    sums, centres = [], []
    for part in np.array_split(np.arange(len(cross)), min(GROUPS, len(cross))):
        sums.append(cross[part].sum())
        weight = np.abs(cross[part]).sum()
        centres.append(float(bins[part] @ np.abs(cross[part])) / weight if weight else 0.0)
    groups, position = np.array(sums), np.array(centres)
    phase = np.unwrap(np.angle(groups))
    weight = np.abs(groups)
    if not weight.sum() > 0:
        return 0.0
    position = position - weight @ position / weight.sum()
    phase = phase - weight @ phase / weight.sum()
    slope = float((weight * position) @ phase) / float((weight * position) @ position)
    return -slope * n / (2 * np.pi)


def _snr_db(
    sent: np.ndarray, got: np.ndarray, used: np.ndarray, bins: np.ndarray, delay: float
) -> float:
    """Power of the fitted signal over that of the rest within the bins used, in dB."""
    model = sent * np.exp(-2j * np.pi * bins * delay / len(bins))
    scale = np.vdot(model[used], got[used]) / np.vdot(model[used], model[used])
    rest = float(np.sum(np.abs(got[used] - scale * model[used]) ** 2))
    signal = float(np.sum(np.abs(scale * model[used]) ** 2))
    return float(10 * np.log10(signal / rest)) if rest > 0 and signal > 0 else float("inf")
