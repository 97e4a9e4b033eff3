# SPDX-License-Identifier: GPL-3.0-or-later
"""``report.json``: every figure of a job, with what was set beside what was measured.

    prompt    sent, received, delivered, retransmissions and packet counts
    link      radio, channel, set and estimated SNR/CFO/SRO, frames, EVM, PAPR
    quality   PSNR and MS-SSIM of the picture; ideal_*: of the same symbols over an ideal
              AWGN channel of the set SNR
    replay    of a recording only: each frame as first received and as received now
    streams   symbols and bits of each semantic stream
    allocation  carriers, power, modulation of each stream as planned; null without bands
    generation  sampler, scores and counted fidelity; null unless the picture was drawn
    cost      symbols, symbols per pixel, samples and seconds on the air
    timing_s  seconds of each stage; measure is what only the report needs
    image, codec, config, seed, versions: what it takes to do it again

What is unknown on this side, or not finite, is ``null``.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from host.pipeline.outcome import Outcome
from host.report.allocation import allocation
from host.report.generation import generation, streams

SCHEMA = 1
DECIMALS = 6  # beyond measurement, and free of 0.30000000000000004


def plain(value: Any) -> Any:
    """``value`` as strict JSON has it: NumPy scalars to Python, not finite to ``None``."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value


def build(outcome: Outcome) -> dict[str, Any]:
    """The report of ``outcome`` as strict-JSON values."""
    replay = {} if outcome.replay is None else {"replay": outcome.replay}
    return plain(
        {
            "schema": SCHEMA,
            "job_id": outcome.job_id,
            "prompt": _prompt(outcome),
            "link": _link(outcome),
            "quality": _quality(outcome),
            "cost": _cost(outcome),
            "streams": streams(outcome, _pixels(outcome)),
            "allocation": allocation(outcome),
            "generation": generation(outcome),
            **replay,
            "timing_s": outcome.timing_s,
            "image": _image(outcome),
            "codec": {"rate": _rate(outcome), "descriptor": outcome.descriptor},
            "seed": outcome.run.seed,
            "config": outcome.run.model_dump(),
            "versions": outcome.versions,
        }
    )


def to_json(report: dict[str, Any]) -> str:
    """Strict JSON; controls and non-ASCII text are escaped, so any terminal can show it."""
    return json.dumps(report, indent=2, allow_nan=False, ensure_ascii=True) + "\n"


def _prompt(outcome: Outcome) -> dict[str, Any]:
    sent, received = outcome.transmission, outcome.reception
    return {
        "sent": outcome.prompt_sent,
        "received": outcome.prompt_received,
        "delivered": outcome.delivered,
        "retransmissions": sent.retransmissions if sent else None,
        "packets_sent": sent.packets_sent if sent else None,
        "packets_received": received.packets_received if received else None,
        "packets_duplicate": received.packets_duplicate if received else None,
        "packets_bad": received.packets_bad if received else None,
        "error": sent.error if sent else None,
    }


def _link(outcome: Outcome) -> dict[str, Any]:
    run, frames = outcome.run, outcome.frames
    sent, received = outcome.transmission, outcome.reception
    # The channel sits in the sender; a receiver on its own does not know what was set.
    channel = run.known_channel if sent else None
    # Virtual radios have crystals of their own instead.
    clocks = None if run.radio.is_hardware else channel
    stream = received.picture_stream() if received else None
    return {
        "radio": run.radio.spec,
        "channel": channel.model if channel else None,
        "snr_db_set": channel.snr_db if channel else None,
        "snr_db_est": frames.mean_snr_db(),
        "cfo_hz_set": clocks.cfo_hz if clocks else None,
        "cfo_hz_est": frames.median("cfo_hz"),
        "sro_ppm_set": clocks.sro_ppm if clocks else None,
        "sro_ppm_est": frames.median("sro_ppm"),
        "frames_sent": sent.frames_sent if sent else None,
        "frames_received": received.frames_received if received else len(frames) or None,
        "frames_expected": received.frames_expected if received else None,
        "headers_bad": frames.bad_headers,
        "estimators": frames.estimators,
        "estimator_counters": frames.estimator_counters,
        "evm_db": frames.mean_evm_db(),
        "papr_db": sent.papr_db if sent else None,
        "transmit_power": sent.power if sent else None,
        "feedback": run.link.feedback if sent else None,
        "round_trip_s": sent.round_trip_s if sent else None,
        "symbols_erased": stream.erased if stream else None,
        "devices": outcome.devices,
    }


def _quality(outcome: Outcome) -> dict[str, Any]:
    found, ideal = outcome.quality or {}, outcome.ideal or {}
    return {
        "psnr_db": found.get("psnr_db"),
        "ms_ssim": found.get("ms_ssim"),
        "ms_ssim_scales": found.get("ms_ssim_scales"),
        "ideal_psnr_db": ideal.get("psnr_db"),
        "ideal_ms_ssim": ideal.get("ms_ssim"),
    }


def size_of(outcome: Outcome) -> tuple[int, int] | None:
    """(width, height) of the picture in pixels, if this side knows it."""
    pixels = outcome.original.pixels if outcome.original is not None else outcome.picture
    return None if pixels is None else (pixels.shape[1], pixels.shape[0])


def _pixels(outcome: Outcome) -> int | None:
    size = size_of(outcome)
    return None if size is None else size[0] * size[1]


def _cost(outcome: Outcome) -> dict[str, Any]:
    size, sent = size_of(outcome), outcome.transmission
    per_pixel = None
    if size is not None and outcome.symbols is not None:
        per_pixel = outcome.symbols / (size[0] * size[1])
    samples = sent.samples_sent if sent else None
    return {
        "symbols": outcome.symbols,
        "symbols_per_pixel": per_pixel,
        "samples": samples,
        "air_time_s": samples / outcome.run.radio.sample_rate_hz if samples else None,
    }


def _image(outcome: Outcome) -> dict[str, Any]:
    size = size_of(outcome)
    return {
        "name": outcome.original.name if outcome.original else None,
        "width": size[0] if size else None,
        "height": size[1] if size else None,
        "notes": list(outcome.original.notes) if outcome.original else [],
    }


def _rate(outcome: Outcome) -> str | None:
    return outcome.run.codec.rate if outcome.original is not None else None
