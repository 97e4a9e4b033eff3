# SPDX-License-Identifier: GPL-3.0-or-later
"""Outcomes of all degrees of completeness."""

import numpy as np
import pytest

from host.config import load_run
from host.images import LoadedImage
from host.pipeline.outcome import Outcome
from host.pipeline.records import FrameLog, ReceivedStream, Reception, Transmission
from semcom_blocks.wire import Message

RNG = np.random.default_rng(9)
PIXELS = RNG.integers(0, 256, (24, 36, 3), dtype=np.uint8)


def symbols(count):
    return (RNG.standard_normal((count, 2)) @ [1, 1j]).astype(np.complex64)


def full(prompt="a cat", received="a cat"):
    frames = FrameLog()
    for seq in range(5):
        meta = {"snr_db": 20.0 + seq, "cfo_hz": 3.0, "sro_ppm": -1.0, "evm_db": -20.0, "seq": seq}
        frames.add(Message("frame", {**meta, "job_id": 1}, {"channel": symbols(52)}))
    stream = ReceivedStream(0, {"n": 432}, symbols(432), np.full(432, 0.01, np.float32))
    reception = Reception(
        job_id=1,
        prompt=received,
        delivered=received is not None,
        frames_received=5,
        frames_expected=5,
        packets_received=1,
        packets_duplicate=0,
        packets_bad=0,
        streams=(stream,),
        constellation=symbols(1000),
        digital=symbols(100),
        psd_db=RNG.normal(-60, 1, 256).astype(np.float32),
        psd_freq_hz=np.linspace(-5e5, 5e5, 256, dtype=np.float32),
        channel=symbols(52),
    )
    return Outcome(
        run=load_run(),
        job_id=1,
        prompt_sent=prompt,
        original=LoadedImage(PIXELS, "noise"),
        symbols=432,
        descriptor={"n": 432},
        picture=PIXELS,
        transmission=Transmission(1, True, 1, 0, 5, 5000, 11.0, 1.0, None),
        reception=reception,
        frames=frames,
        quality={"psnr_db": float("inf"), "ms_ssim": 1.0, "ms_ssim_scales": 2},
        ideal={"psnr_db": 30.0, "ms_ssim": 0.9, "ms_ssim_scales": 2},
        timing_s={"setup": 1.0, "encode": 0.1, "air": 0.5, "decode": 0.1, "total": 1.8},
        versions={"semcom": "0", "host": {"numpy": "2"}},
    )


def sender_only():
    whole = full()
    return Outcome(
        run=whole.run,
        job_id=1,
        prompt_sent="a cat",
        original=whole.original,
        symbols=432,
        transmission=whole.transmission,
        timing_s={"total": 1.0},
    )


def receiver_only():
    whole = full()
    return Outcome(
        run=whole.run,
        job_id=1,
        picture=PIXELS,
        reception=whole.reception,
        frames=whole.frames,
        timing_s={"air": 0.2, "total": 1.0},
    )


def nothing_arrived():
    whole = full()
    return Outcome(
        run=whole.run,
        job_id=1,
        prompt_sent="a cat",
        original=whole.original,
        transmission=Transmission(1, False, 9, 8, 5, 5000, 11.0, 1.0, "job 1: gave up"),
        timing_s={"total": 1.0},
    )


OUTCOMES = {f.__name__: f for f in (full, sender_only, receiver_only, nothing_arrived)}


@pytest.fixture(params=OUTCOMES.values(), ids=OUTCOMES.keys())
def outcome(request):
    return request.param()


@pytest.fixture
def whole():
    return full


@pytest.fixture
def failed():
    return nothing_arrived()
