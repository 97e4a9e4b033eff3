# SPDX-License-Identifier: GPL-3.0-or-later
"""Time of every stage of the receiver on one frame, so that the next bottleneck shows."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from semcom_blocks.bench.recording import Segment
from semcom_blocks.phy import acquire, detect, equalizer, estimators
from semcom_blocks.phy.dc import remove_dc
from semcom_blocks.phy.demodulator import frame_grid
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.header_reader import read_header
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.payload import extract
from semcom_blocks.phy.preamble import long_field
from semcom_blocks.phy.receiver import demodulate, pilot_evm_db, receive
from semcom_blocks.phy.sync import SCAN_BLOCK, FrameSync
from semcom_blocks.phy.tracking import track

#: Calls of a stage in one timing, and timings of which the median counts.
CALLS, TIMINGS = 20, 7


def _microseconds(stage: Callable[[], object]) -> float:
    """Median processor time of a call, in µs."""
    stage()
    spent = []
    for _ in range(TIMINGS):
        start = time.process_time()
        for _ in range(CALLS):
            stage()
        spent.append((time.process_time() - start) / CALLS)
    return float(np.median(spent)) * 1e6


def stages_us(path: Path, segment: Segment) -> dict[str, float]:
    """µs of each stage on the first frame of ``segment``; ``detect`` covers all its samples.

    ``demodulate`` and ``receive`` hold stages that stand before them.
    """
    num = Numerology()
    samples = segment.read(path)
    capture = FrameSync(num).push(samples)[0]
    layout = FrameLayout(num, capture.header)
    block = samples[: SCAN_BLOCK + detect.lookahead(num)]
    inside = capture.samples  # nothing but payload, as most of what is scanned
    n_scan = len(inside) - detect.lookahead(num)
    candidate = detect.find_candidates(block, SCAN_BLOCK, num)[0]
    long, grid = frame_grid(capture.samples, layout.n_symbols, capture.cfo_hz, num)
    channel = estimators.estimate_long(long, num)
    demodulated = demodulate(capture, num)
    received = layout.select(demodulated.grid).below(demodulated.long)
    reference = layout.known_cells.below(long_field(num))
    estimate = estimators.estimate_known(received, reference, num)
    equalized = equalizer.equalize(demodulated.grid, estimate.response, estimate.noise_var)

    def new_layout() -> None:
        _ = FrameLayout(num, capture.header).known_cells

    stages: dict[str, Callable[[], object]] = {
        "detect": lambda: detect.find_candidates(remove_dc(inside), n_scan, num),
        "confirm": lambda: acquire.confirm(samples, 0, candidate, num),
        "header": lambda: read_header(capture.samples, capture.cfo_hz, num),
        "layout": new_layout,
        "transform": lambda: frame_grid(capture.samples, layout.n_symbols, capture.cfo_hz, num),
        "estimate_long": lambda: estimators.estimate_long(long, num),
        "track": lambda: track(grid, channel.response, layout),
        "demodulate": lambda: demodulate(capture, num),
        "estimate": lambda: estimators.estimate_known(received, reference, num),
        "equalise": lambda: equalizer.equalize(
            demodulated.grid, estimate.response, estimate.noise_var
        ),
        "extract": lambda: extract(equalized, layout),
        "evm": lambda: pilot_evm_db(equalized, layout),
        "receive": lambda: receive(capture, num),
    }
    spent = {name: _microseconds(stage) for name, stage in stages.items()}
    spent["detect"] *= layout.n_samples / n_scan
    inner = ("transform", "estimate_long", "track")
    spent["demodulate_rest"] = max(0.0, spent["demodulate"] - sum(spent[name] for name in inner))
    return spent
