# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper's own operating points: Table I, the bit lengths it does not state, Table II.

**|v₁|** follows from Table II's latencies, which are |v₁| / (B·log2 M): 1.31 ms · 6 Mbit/s = 7860,
1.97 ms · 4 Mbit/s = 7880, 3.93 ms · 2 Mbit/s = 7860 bits, each to ±0.4 %: 7860 lies within the
rounding of all three.  **|v₀|** follows from Fig. 3's rates, 0.0024 and 0.017 bits per pixel of the
same picture: 7860 · 0.0024 / 0.017 = 1110 bits.  **BER targets**: γ₁ = 27, 26, 25 dB at 64-QAM are
−ln(5·BER)·63/1.5 for 10⁻⁶, 10⁻⁵, 10⁻⁴ (27.1, 26.2, 25.0 dB).
With these the nine thresholds of Table II come out; see :func:`table_two`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host.allocation.modulation import threshold_snr
from host.allocation.quality import QualityTable
from host.allocation.streams import ConditionStream, PromptStream

PROMPT_BITS = 1110.0
EDGE_BITS = 7860.0
BANDWIDTH_HZ = 1e6
POWER_W = 10e-3
REFERENCE_LOSS_DB = -30.0
PATH_LOSS_EXPONENT = 3.4
NOISE_DENSITY_DBM_HZ = -174.0
BASELINE_BER = 1e-7  # of the single stream: the prompt has to survive in it

#: Quality targets (CLIP, MS-SSIM) of Table II and the bit error rates that they stand for.
TARGETS = {(0.999, 0.991): 1e-6, (0.997, 0.982): 1e-5, (0.978, 0.918): 1e-4}
#: Table II: least average SNR in dB for each order, by target.
TABLE_TWO_DB = {
    64: (24.2, 23.4, 22.2),
    16: (18.0, 17.2, 16.0),
    4: (11.2, 10.4, 9.4),
}

PROMPT = PromptStream(PROMPT_BITS, BANDWIDTH_HZ)
EDGES = ConditionStream(EDGE_BITS, BANDWIDTH_HZ)


@dataclass(frozen=True)
class Threshold:
    """A row of Table II: what the paper says, what the model gives, in dB of average SNR."""

    order: int
    ber: float
    paper_db: float
    model_db: float
    condition_snr_db: float
    delay_ms: float


def average_snr(snr_full: NDArray[np.float64]) -> NDArray[np.float64]:
    """γ̄ = P_T·E|h|² / ((B₀ + B₁)·N₀) of ``snr_full`` = P_T·|h|² / (B₀·N₀), equal bands."""
    return np.asarray(snr_full, float) / 2


def snr_full_of(average_snr_db: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """``snr_full`` of an average SNR in dB."""
    return 2 * 10 ** (np.asarray(average_snr_db, float) / 10)


def snr_full_at(distance_m: float) -> float:
    """``snr_full`` at a distance by (1) and Table I: ε₀·d^(−φ) of the power, without fading."""
    gain_db = REFERENCE_LOSS_DB - 10 * PATH_LOSS_EXPONENT * np.log10(distance_m)
    noise_dbm = NOISE_DENSITY_DBM_HZ + 10 * np.log10(BANDWIDTH_HZ)
    return float(10 ** ((10 * np.log10(POWER_W / 1e-3) + gain_db - noise_dbm) / 10))


def table_two() -> list[Threshold]:
    """All nine thresholds beside the paper's."""
    found = []
    for order, paper in TABLE_TWO_DB.items():
        for ber, paper_db in zip(TARGETS.values(), paper, strict=True):
            full, snr = threshold_snr(PROMPT, EDGES, ber, order)
            found.append(
                Threshold(
                    order,
                    ber,
                    paper_db,
                    float(10 * np.log10(average_snr(np.array(full)))),
                    float(10 * np.log10(snr)),
                    1e3 * float(EDGES.order_delay_s(order)),
                )
            )
    return found


def single_stream_delay_s(average_snr_db: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The semantic-unaware benchmark: all bits in one stream of 2B and full power, BER 10⁻⁷."""
    whole = ConditionStream(PROMPT_BITS + EDGE_BITS, 2 * BANDWIDTH_HZ, name="single stream")
    return whole.delay_s(10 ** (np.asarray(average_snr_db, float) / 10), BASELINE_BER)


def paper_metrics() -> tuple[QualityTable, QualityTable]:
    """Normalised CLIP and MS-SSIM over BER at the three points that Table II gives."""
    ber = tuple(TARGETS.values())
    clip, ms_ssim = zip(*TARGETS, strict=True)
    return QualityTable("CLIP", ber, clip), QualityTable("MS-SSIM", ber, ms_ssim)
