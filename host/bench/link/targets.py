# SPDX-License-Identifier: GPL-3.0-or-later
"""The design's targets against what was measured.

Each target takes the records of a curve to a verdict: ``met`` is True where every record's
confidence interval lies within the limit, False where one lies wholly beyond it, and None
where the sample is too small to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from host.bench.link.plan import AWGN, RAYLEIGH, SNR_RANGE_DB, SRO_PPM, WITHIN_PREFIX

Record = dict[str, Any]
Records = list[Record]

#: Share of frames that the SNR estimate may miss by more: what ±1 dB means of a random figure.
SNR_SHARE_BEYOND = 0.01
#: From this SNR on practically no frame may be lost, or what is measured on the others is void.
ALL_FOUND_DB, MOST_LOST = 5.0, 0.01
#: Multipath whose taps lie within the cyclic prefix.
FADED = WITHIN_PREFIX[1:]


@dataclass(frozen=True)
class Verdict:
    """A target, its limit and what was measured, in words; ``number`` as in the design."""

    number: int
    target: str
    limit: str
    measured: str
    met: bool | None


def verdicts(document: dict[str, Records]) -> list[Verdict]:
    """All targets that the document's curves speak about, in the design's order."""
    return [verdict for judge in JUDGES for verdict in judge(document)]


def select(records: Iterable[Record], **wanted: Any) -> Records:
    """Records with these values, or with one of them where a tuple is given."""

    def matches(record: Record) -> bool:
        return all(
            record[key] in value if isinstance(value, tuple) else record[key] == value
            for key, value in wanted.items()
        )

    return [record for record in records if matches(record)]


def default_equalizer(records: Records) -> Records:
    """Records of the equaliser that a receiver uses unless asked otherwise."""
    return [record for record in records if record.get("equalizer", "mmse") == "mmse"]


def within(
    records: Records,
    figure: str,
    *,
    most: float = np.inf,
    least: float = -np.inf,
    magnitude: bool = False,
) -> tuple[float, bool | None]:
    """The figure farthest out, and whether all are within ``least`` … ``most``.

    With ``magnitude`` the sign does not count.  NaN and no record at all decide nothing.
    """
    worst, met = np.nan, True if records else None
    for record in records:
        value, (low, high) = record[figure], record[f"{figure}_ci"]
        if magnitude:
            value, low, high = _magnitude(value, low, high)
        farther = value > worst if np.isfinite(most) else value < worst
        worst = value if np.isnan(worst) or farther else worst
        if low > most or high < least:
            met = False
        elif not (high <= most and low >= least) and met:
            met = None
    return float(worst), met


def _magnitude(value: float, low: float, high: float) -> tuple[float, float, float]:
    ends = sorted((abs(low), abs(high)))
    return abs(value), 0.0 if low < 0 < high else ends[0], ends[1]


def _detection(document: dict[str, Records]) -> Iterator[Verdict]:
    for snr_db, least in ((0.0, 0.99), (3.0, 0.999)):
        for channel in (AWGN, RAYLEIGH):
            records = select(document["detection"], channel=channel, snr_db=snr_db)
            worst, met = within(records, "probability", least=least)
            frames = sum(r["frames"] for r in records)
            yield Verdict(
                2,
                f"found at {snr_db:g} dB, {channel}",
                f"≥ {least:.1%}",
                f"{worst:.3%} of {frames}",
                met,
            )


def _false_alarms(document: dict[str, Records]) -> Iterator[Verdict]:
    noise = select(document["false_alarms"], signal="noise")
    for record in noise:
        count, (low, high) = record["frames"], record["frames_per_1e8_ci"]
        # Without a frame the confirmations bound their rate more closely than the samples do.
        high = min(high, record["frames_per_1e8_bound"]) if count == 0 else high
        yield Verdict(
            2,
            "false frames per 10⁸ of noise",
            "≤ 1",
            f"{count} in {record['samples'] / 1e8:.3g}·10⁸; {record['confirmed']} long fields",
            False if low > 1 else True if high <= 1 else None,
        )
    others = [r for r in document["false_alarms"] if r["signal"] != "noise"]
    if others:
        count, samples = (sum(r[key] for r in others) for key in ("frames", "samples"))
        yield Verdict(
            2,
            "frames in other signals",
            "0",
            f"{count} in {samples / 1e6:.3g}·10⁶",
            count == 0,
        )


def _cfo(document: dict[str, Records]) -> Iterator[Verdict]:
    records = select(document["cfo"], snr_db=10.0)
    worst, met = within(records, "sync_rms_percent", most=1.0)
    tracked, _ = within(records, "tracked_rms_percent", most=1.0)
    frames = sum(r["frames"] for r in records)
    lost = sum(round(r["frames"] * (1 - r["found"])) for r in records)
    yield Verdict(
        3,
        "CFO residual, ±8 carriers, RMS",
        "≤ 1 %",
        f"{worst:.3f} %, tracked {tracked:.3f} %" + (f"; {lost} lost" if lost else ""),
        met if lost <= MOST_LOST * frames else False,
    )


def _sro(document: dict[str, Records]) -> Iterator[Verdict]:
    records = [r for r in document["sro"] if abs(r["sro_ppm"]) <= SRO_PPM]
    worst, met = within(records, "loss_db", most=0.2)
    bias = max((abs(r["sro_error_ppm"]) for r in records), default=np.nan)
    lost = sum(r["lost"] for r in records)
    yield Verdict(
        4,
        "±100 ppm over 65,536 samples",
        "≤ 0.2 dB",
        f"{worst:.3f} dB; read to {bias:.3f} ppm",
        met if not lost else False,
    )


def _ber(document: dict[str, Records]) -> Iterator[Verdict]:
    parts = (
        ("QPSK against theory, awgn", (AWGN,), "loss_to_theory_db", 1.0),
        ("QPSK against known, multipath", FADED, "loss_to_known_channel_db", 1.5),
    )
    for target, channels, figure, most in parts:
        records = select(document["ber"], channel=channels)
        records = [r for r in records if not np.isnan(r[figure])]
        worst, met = within(records, figure, most=most)
        yield Verdict(5, target, f"≤ {most:g} dB", f"{worst:.3f} dB", met)


def _analog(document: dict[str, Records]) -> Iterator[Verdict]:
    records = default_equalizer(select(document["analog"], channel=WITHIN_PREFIX))
    worst, met = within(records, "loss_db", most=1.0)
    strong = [r for r in records if r["snr_db"] >= ALL_FOUND_DB]
    if sum(r["lost"] for r in strong) > MOST_LOST * sum(r["frames"] for r in strong):
        met = False
    yield Verdict(6, "analog SNR against known", "≤ 1 dB", f"{worst:.3f} dB", met)
    worst, met = within(records, "amplitude_bias_percent", most=2.0, magnitude=True)
    yield Verdict(6, "amplitude bias, analog", "< 2 %", f"{worst:.2f} %", met)
    worst, met = within(document["picture"], "loss_db", most=0.3)
    yield Verdict(6, "PSNR against ideal, awgn", "≤ 0.3 dB", f"{worst:.3f} dB", met)


def _snr(document: dict[str, Records]) -> Iterator[Verdict]:
    low_db, high_db = SNR_RANGE_DB
    for limit, channels in ((1, (AWGN,)), (2, FADED)):
        records = select(document["snr_estimate"], channel=channels)
        records = [r for r in records if low_db <= r["snr_db"] <= high_db]
        _, met = within(records, f"beyond_{limit}_db", most=SNR_SHARE_BEYOND)
        p99 = max((r["p99_db"] for r in records), default=np.nan)
        largest = max((r["largest_db"] for r in records), default=np.nan)
        yield Verdict(
            7,
            f"SNR estimate, {'awgn' if limit == 1 else 'multipath'}, 99 %",
            f"±{limit} dB",
            f"±{p99:.2f} dB, largest {largest:.2f}",
            met,
        )


def _envelope(document: dict[str, Records]) -> Iterator[Verdict]:
    plain = select(document["envelope"], papr_limit_db=None)
    for record in plain:
        yield Verdict(
            10,
            "PAPR at 10⁻³, 99 % bandwidth",
            "reported",
            f"{record['papr_oversampled_db']:.2f} dB, {record['bandwidth_hz'] / 1e3:.0f} kHz",
            True,
        )


JUDGES: tuple[Callable[[dict[str, Records]], Iterator[Verdict]], ...] = (
    _detection,
    _false_alarms,
    _cfo,
    _sro,
    _ber,
    _analog,
    _snr,
    _envelope,
)
