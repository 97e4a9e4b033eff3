# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages that the Semantic Sink sends, built from PDU dictionaries."""

from typing import Any

import numpy as np
import scipy.fft

from semcom_blocks.link.assembler import JobReceived
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.wire import MAX_ARRAYS, Message

#: Points of a constellation that a plot can tell apart.
MAX_CONSTELLATION = 4096
#: Measurements of a frame that travel as they are.
MEASURED = ("snr_db", "cfo_hz", "sro_ppm", "evm_db", "power_dbfs", "noise_var", "delay_spread")
#: Who estimated the channel, and how its questions to the model service fared.
ESTIMATOR = ("estimator", "estimator_counters")
#: Counters of the packet layer that a received job reports.
PACKET_COUNTERS = ("packets_received", "packets_duplicate", "packets_bad")


def frame_message(header: FrameHeader, meta: dict[str, Any]) -> Message:
    """``frame``: what was measured about one frame, and its channel estimate."""
    fields = {name: float(meta[name]) for name in MEASURED}
    fields |= {"job_id": header.job_id, "seq": header.seq, "header_ok": True, "end": header.end}
    fields["timing_sample"] = int(meta["start_sample"])
    fields |= {name: meta[name] for name in ESTIMATOR if name in meta}
    if "band_snr_db" in meta:
        fields["band_snr_db"] = list(map(float, meta["band_snr_db"]))
    return Message("frame", fields, {"channel": meta["channel"]})


def display_arrays(
    meta: dict[str, Any], analog: np.ndarray, numerology: Numerology
) -> dict[str, np.ndarray]:
    """Arrays of the latest frame that a report draws; frames without payload keep the old ones."""
    points = meta["constellation"]
    arrays = {"digital": points[:MAX_CONSTELLATION]} if len(points) else {}
    if len(analog):
        arrays["constellation"] = analog[:MAX_CONSTELLATION]
    if len(points) or len(analog):
        size = len(meta["psd_db"])
        step_s = 1.0 / numerology.sample_rate_hz
        freq_hz = scipy.fft.fftshift(scipy.fft.fftfreq(size, step_s)).astype(np.float32)
        arrays |= {"psd_db": meta["psd_db"], "psd_freq_hz": freq_hz, "channel": meta["channel"]}
    return arrays


def received_message(
    job: JobReceived, counters: dict[str, int], display: dict[str, np.ndarray]
) -> Message:
    """``received``: a closed job with its streams, and what fits of its last frame's arrays."""
    room = MAX_ARRAYS - 2 * len(job.streams)
    arrays = dict(list(display.items())[: max(room, 0)])
    streams = []
    for stream in job.streams:
        symbols, noise_var = stream.in_order()
        arrays[f"stream_{stream.stream_id}"] = symbols
        arrays[f"noise_var_{stream.stream_id}"] = noise_var
        streams.append(
            {
                "stream_id": stream.stream_id,
                "descriptor": stream.descriptor,
                "received": stream.received,
                "expected": len(stream.symbols),
            }
        )
    meta = {
        "job_id": job.job_id,
        "prompt": job.prompt,
        "delivered": job.prompt is not None,
        "frames_received": job.frames_received,
        "frames_expected": job.frames_expected,
        "streams": streams,
    }
    return Message("received", meta | {k: counters.get(k, 0) for k in PACKET_COUNTERS}, arrays)
