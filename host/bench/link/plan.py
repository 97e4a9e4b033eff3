# SPDX-License-Identifier: GPL-3.0-or-later
"""Which points are measured, and over how many frames.

The quick set holds the points that the design's targets name, with just enough frames to
decide them, and ends within three minutes on two cores; the full set draws whole curves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import ceil

from host.bench.link.air import MAX_CFO_CARRIERS
from host.bench.link.false_alarms import BLOCK, SIGNALS
from host.bench.link.paths import CHANNELS
from host.bench.link.runner import Point

AWGN, RAYLEIGH = CHANNELS[:2]
#: Those whose taps lie within the cyclic prefix.
WITHIN_PREFIX = CHANNELS[:5]
#: One of every kind.
KINDS = (AWGN, RAYLEIGH, "exponential-2")
NO_FRAMES = tuple(name for name in SIGNALS if name != "noise")
#: Largest sampling-rate offset that must be borne, and the ends and middle of the CFO's range.
SRO_PPM = 100.0
CFO_CARRIERS = (-float(MAX_CFO_CARRIERS), 0.0, float(MAX_CFO_CARRIERS))
#: The range over which the SNR estimate must hold, in dB.
SNR_RANGE_DB = (-2.0, 30.0)


def steps(first: float, last: float, step: float = 1.0) -> list[float]:
    """first, first + step, … last, to six decimals."""
    return [round(first + step * i, 6) for i in range(round((last - first) / step) + 1)]


def _grid(curve: str, n_frames: int, **axes: Sequence[object]) -> Iterator[Point]:
    """A point for every combination of the axes' values."""
    for values in product(*axes.values()):
        yield Point(curve, n_frames, dict(zip(axes, values, strict=True)))


def _noise(n_samples: float) -> Iterator[Point]:
    yield Point("false_alarms", ceil(n_samples / BLOCK), {"signal": "noise"})


def quick() -> Iterator[Point]:
    """Points of the targets."""
    yield from _grid("detection", 4000, channel=(AWGN,), snr_db=(0.0,))
    yield from _grid("detection", 10_000, channel=(RAYLEIGH,), snr_db=(0.0,))
    yield from _grid("detection", 8000, channel=(AWGN, RAYLEIGH), snr_db=(3.0,))
    yield from _noise(1e8)
    yield from _grid("false_alarms", 8, signal=NO_FRAMES)
    cfo = steps(-MAX_CFO_CARRIERS, MAX_CFO_CARRIERS, 1.6)
    yield from _grid("cfo", 100, channel=(AWGN, RAYLEIGH), snr_db=(10.0,), cfo_carriers=cfo)
    offsets = {"sro_ppm": (-SRO_PPM, SRO_PPM), "cfo_carriers": CFO_CARRIERS}
    yield from _grid("sro", 20, snr_db=(10.0, 20.0), **offsets)
    yield from _grid("snr_estimate", 3000, channel=KINDS, snr_db=SNR_RANGE_DB[:1])
    yield from _grid("snr_estimate", 500, channel=KINDS, snr_db=(5.0, 15.0, SNR_RANGE_DB[1]))
    yield from _grid("ber", 100, channel=(AWGN,), snr_db=(4.0, 7.0, 10.0))
    yield from _grid("ber", 100, channel=WITHIN_PREFIX[1:], snr_db=(8.0, 14.0))
    yield from _grid("packets", 500, part=("header",), channel=(AWGN,), snr_db=(-4.0, -3.0, -2.0))
    yield from _grid("packets", 200, part=("prompt",), channel=(AWGN,), snr_db=(2.0, 3.0, 4.0))
    yield from _grid("analog", 100, channel=WITHIN_PREFIX, snr_db=(0.0, 5.0, 10.0, 20.0, 30.0))
    yield from _grid("nmse", 200, channel=KINDS, snr_db=(0.0, 10.0, 20.0))
    yield from _grid("envelope", 8, papr_limit_db=(None, 6.0, 4.0))
    yield from _grid("picture", 3, channel=(AWGN,), snr_db=(5.0, 10.0, 20.0))


def full() -> Iterator[Point]:
    """Whole curves."""
    coarse_db = [*steps(-8, -1), 1.0, 2.0, 4.0, 6.0]
    yield from _grid("detection", 4000, channel=CHANNELS, snr_db=coarse_db)
    yield from _grid("detection", 20_000, channel=CHANNELS, snr_db=(0.0, 3.0))
    yield from _noise(1e9)
    yield from _grid("false_alarms", 64, signal=NO_FRAMES)
    cfo = steps(-MAX_CFO_CARRIERS, MAX_CFO_CARRIERS, 0.5)
    yield from _grid("cfo", 300, channel=KINDS, snr_db=(3.0, 10.0, 20.0), cfo_carriers=cfo)
    offsets = {
        "sro_ppm": (-SRO_PPM, -50.0, -20.0, 20.0, 50.0, SRO_PPM),
        "cfo_carriers": CFO_CARRIERS,
    }
    for channel in (AWGN, RAYLEIGH):
        snrs_db = (5.0, 10.0, 20.0, 30.0)
        yield from _grid("sro", 40, channel=(channel,), snr_db=snrs_db, **offsets)
    yield from _grid("snr_estimate", 2000, channel=CHANNELS, snr_db=steps(*SNR_RANGE_DB, 2.0))
    yield from _grid("ber", 400, channel=(AWGN,), snr_db=steps(0, 11))
    yield from _grid("ber", 400, channel=CHANNELS[1:], snr_db=steps(0, 24, 2.0))
    yield from _grid("packets", 4000, part=("header",), channel=CHANNELS, snr_db=steps(-8, 2))
    yield from _grid("packets", 1000, part=("prompt",), channel=CHANNELS, snr_db=steps(0, 10))
    wide_db = steps(-2, 30, 2.0)
    yield from _grid("analog", 300, channel=CHANNELS, snr_db=wide_db)
    faded = {"channel": CHANNELS[1:], "snr_db": steps(-2, 30, 4.0)}
    yield from _grid("analog", 300, **faded, equalizer=("zf",))
    yield from _grid("nmse", 1000, channel=CHANNELS, snr_db=wide_db)
    yield from _grid("envelope", 40, papr_limit_db=(None, 10.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0))
    yield from _grid("picture", 4, channel=(AWGN,), snr_db=(0.0, 5.0, 10.0, 15.0, 20.0))


def scaled(points: Iterable[Point], share: float) -> list[Point]:
    """The points with ``share`` of their frames each, at least one."""
    return [
        Point(point.curve, max(1, round(point.n_frames * share)), point.parameters)
        for point in points
    ]
