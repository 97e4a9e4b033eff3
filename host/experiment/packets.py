# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet errors of this testbed's own code and modulation, and the laws fitted to them.

Random packets, the K = 7 rate-½ code, QPSK, noise, soft Viterbi decoding, all of a point in one
array; the receiver knows γ.  Fitted and checked on packets of different seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host.allocation.packet_errors import (
    KNOWN,
    PAPER,
    RAYLEIGH,
    FadingErrors,
    KnownErrors,
    error_rate,
)
from host.bench.link.intervals import proportion
from host.experiment.packet_fit import Counts, Fit, fit
from host.experiment.settings import Document, Settings
from semcom_blocks.link.packets import MAX_PACKET_BYTES, OVERHEAD_BYTES
from semcom_blocks.phy import coding, qam

#: Bytes of a packet with its header and CRC: the shortest, a caption's, … the longest.
LENGTHS = (OVERHEAD_BYTES + 1, 32, 64, 128, MAX_PACKET_BYTES)
QUICK_LENGTHS = (32, 128)
PACKETS, QUICK_PACKETS = 2000, 300
#: Mean SNR over fades, and SNR known, in dB.
RAYLEIGH_DB = tuple(np.arange(0.0, 22.6, 2.5))
KNOWN_DB = tuple(np.arange(-1.0, 4.6, 0.5))
POINTS_GOAL = 8  # operating points that must lie in the band
#: Share of points in a 95 % band that is no reason for doubt.
SHARE_GOAL = 0.85
_CALL_BYTES = 1 << 16  # of packets decoded in one call: some 50 MB of trellis
QPSK = 2


def arrived(snr: NDArray[np.float64], n_bytes: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether each packet of ``n_bytes`` decodes; ``snr`` (n,): Es/N0 of each, linear."""
    found = []
    for part in np.array_split(snr, max(1, len(snr) * n_bytes // _CALL_BYTES)):
        bits = rng.integers(0, 2, (len(part), 8 * n_bytes), dtype=np.uint8)
        symbols = qam.modulate(coding.encode(bits).reshape(-1), QPSK)
        variance = np.repeat(1 / np.maximum(part, 1e-9), len(symbols) // len(part))
        noise = rng.standard_normal((len(symbols), 2), np.float32).view(np.complex64)[:, 0]
        heard = symbols + noise * np.sqrt(variance / 2).astype(np.float32)
        llr = qam.demodulate(heard, variance.astype(np.float32), QPSK)
        decoded = coding.decode(llr.reshape(len(part), -1))
        found.append(np.all(decoded == bits, axis=1))
    return np.concatenate(found)


def measure(
    lengths: tuple[int, ...],
    snr_db: tuple[float, ...],
    packets: int,
    fades: bool,
    rng: np.random.Generator,
    tell: Callable[[float], None],
) -> Counts:
    """Losses at every length and SNR, the mean over block Rayleigh where it ``fades``."""
    points = [(n, db) for n in lengths for db in snr_db]
    lost = []
    for i, (n_bytes, db) in enumerate(points):
        gain = rng.exponential(size=packets) if fades else np.ones(packets)
        lost.append(np.count_nonzero(~arrived(10 ** (db / 10) * gain, n_bytes, rng)))
        tell((i + 1) / len(points))
    n_bytes, db = np.array(points).T
    return Counts(
        2 * (8 * n_bytes + coding.TAIL_BITS),
        10 ** (db / 10),
        np.full(len(points), float(packets)),
        np.array(lost, float),
    )


def document(settings: Settings) -> Document:
    """Both laws: fitted constants, every point measured anew, the paper's constants beside."""
    lengths = QUICK_LENGTHS if settings.quick else LENGTHS
    packets = QUICK_PACKETS if settings.quick else PACKETS
    rng = np.random.default_rng([settings.seed, 7])
    found: Document = {"packets_a_point": packets, "laws": {}}
    kinds = (
        ("rayleigh", FadingErrors, RAYLEIGH, RAYLEIGH_DB),
        ("known", KnownErrors, KNOWN, KNOWN_DB),
    )
    for i, (name, kind, stored, snr_db) in enumerate(kinds):
        counts = [
            measure(
                lengths, snr_db, packets, name == "rayleigh", rng,
                lambda share, at=2 * i + j: settings.tell((at + share) / 4),
            )
            for j in range(2)
        ]  # fmt: skip
        fitted = fit(kind, stored.constants, counts[0])
        found["laws"][name] = _law(fitted, counts[1]) | {"stored": list(stored.constants)}
        if name == "known":
            of_paper = fit(FadingErrors, RAYLEIGH.constants, counts[0])
            found["two_in_awgn"] = {
                "constants": list(of_paper.law.constants),
                "dispersion": of_paper.dispersion,
                "inside": int(of_paper.inside(counts[1]).sum()),
                "points": len(counts[1].lost),
            }
    rayleigh = found["laws"]["rayleigh"]
    found["paper"] = list(PAPER.constants)
    found["met"] = bool(
        rayleigh["inside"] >= POINTS_GOAL
        and rayleigh["inside"] >= SHARE_GOAL * len(rayleigh["points"])
    )
    return found


def _law(fitted: Fit, counts: Counts) -> dict[str, Any]:
    rate = error_rate(fitted.law, counts.length, counts.snr)
    low, high = fitted.band(counts)
    inside = fitted.inside(counts)
    points = [
        {
            "length_bits": int(counts.length[i]),
            "snr_db": round(float(10 * np.log10(counts.snr[i])), 3),
            **proportion(int(counts.lost[i]), int(counts.packets[i])).keys("per"),
            "model": float(rate[i]),
            "band": [float(low[i]), float(high[i])],
            "inside": bool(inside[i]),
            "paper": float(error_rate(PAPER, counts.length[i], counts.snr[i])),
        }
        for i in range(len(rate))
    ]
    return {
        "constants": list(fitted.law.constants),
        "confidence_95": fitted.reach().tolist(),
        "dispersion": fitted.dispersion,
        "inside": int(inside.sum()),
        "points": points,
    }


def lines(document: Document) -> list[str]:
    """For the terminal."""
    names = {"rayleigh": ("k", "b"), "known": ("k", "b", "a")}
    words = {"rayleigh": "block Rayleigh, form (2)", "known": "SNR known, error events"}
    found = []
    for law, keys in names.items():
        one = document["laws"][law]
        triples = zip(keys, one["constants"], one["confidence_95"], strict=True)
        constants = ", ".join(f"{key} = {value:.4f} ± {half:.4f}" for key, value, half in triples)
        found.append(
            f"{words[law]}: {constants}; χ²/N {one['dispersion']:.2f}; "
            f"{one['inside']} of {len(one['points'])} new points in the 95 % band"
        )
    bad = document["two_in_awgn"]
    found.append(
        f"form (2) at known SNR: χ²/N {bad['dispersion']:.0f}, {bad['inside']} of "
        f"{bad['points']} points in its band: not the law of a fixed channel"
    )
    return found
