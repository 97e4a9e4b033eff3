# SPDX-License-Identifier: GPL-3.0-or-later
"""GNU Radio's own OFDM: ``digital.ofdm_tx`` makes frames, ``digital.ofdm_rx`` is timed on them.

64-point FFT, prefix 16, 48 data carriers and 4 pilots (its defaults), QPSK payload as in
its examples; its CRC-32 stays on, since the receiver cannot do without.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pmt
from gnuradio import blocks, digital, gr

from semcom_blocks.bench.clock import timed
from semcom_blocks.bench.recording import PAYLOADS, SEGMENT_SAMPLES, Segment, append

WAVEFORM = "gr_digital"
#: Kinds of frame that its default buffers take.
KINDS = ("short", "medium")
#: Samples of silence behind each frame: without any, it loses one frame in twenty.
GAP = 100
LENGTH_KEY = "packet_len"
SETTINGS = {"fft_len": 64, "cp_len": 16, "bps_header": 1, "bps_payload": 2}
BITS_PER_SYMBOL = 2


def _packet(kind: str, seq: int) -> bytes:
    """Bytes of packet ``seq``: the payload's symbols at two bits each."""
    n_bytes = PAYLOADS[kind] * BITS_PER_SYMBOL // 8
    return np.random.default_rng([n_bytes, seq]).bytes(n_bytes)


def _transmit(packets: list[bytes]) -> tuple[np.ndarray, dict[str, float]]:
    """Frames of ``packets`` one behind the other, complex64, and what that took."""
    tags, offset = [], 0
    for packet in packets:
        tag = gr.tag_t()
        tag.offset, tag.key, tag.value = offset, pmt.intern(LENGTH_KEY), pmt.from_long(len(packet))
        tags.append(tag)
        offset += len(packet)
    top = gr.top_block()
    source = blocks.vector_source_b(list(b"".join(packets)), False, 1, tags)
    sink = blocks.vector_sink_c()
    top.connect(source, digital.ofdm_tx(packet_length_tag_key=LENGTH_KEY, **SETTINGS), sink)
    spent = timed(top.run, 0)
    samples = np.array(sink.data(), np.complex64)
    return samples, spent | {"samples": len(samples)}


def make(path: Path, kind: str) -> dict[str, Any]:
    """Append a segment of frames; also what the transmitter took for them."""
    one, _ = _transmit([_packet(kind, 0)])
    n_frames = -(-SEGMENT_SAMPLES // (len(one) + GAP))
    samples, spent = _transmit([_packet(kind, seq) for seq in range(n_frames)])
    spaced = np.zeros((n_frames, len(one) + GAP), np.complex64)
    spaced[:, : len(one)] = samples.reshape(n_frames, len(one))
    segment = append(path, WAVEFORM, kind, spaced.reshape(-1), n_frames, PAYLOADS[kind])
    return {"segment": segment.to_dict(), "transmit": spent}


def decode(path: Path, segments: list[Segment]) -> dict[str, Any]:
    """Time every segment once and count the frames whose bytes are right."""
    answer = {}
    for segment in segments:
        top = gr.top_block()
        source = blocks.vector_source_c(segment.read(path).tolist())
        sink = blocks.vector_sink_b()
        receiver = digital.ofdm_rx(packet_length_tag_key=LENGTH_KEY, **SETTINGS)
        top.connect(source, receiver, sink)
        answer[segment.name] = timed(top.run, segment.count)
        answer[segment.name]["good"] = _right(segment, sink)
    return answer


def _right(segment: Segment, sink: blocks.vector_sink_b) -> int:
    """Packets in ``sink`` that were sent, each counted once."""
    data = bytes(sink.data())
    starts = [tag.offset for tag in sink.tags() if pmt.symbol_to_string(tag.key) == LENGTH_KEY]
    n_bytes = segment.payload_symbols * BITS_PER_SYMBOL // 8
    sent = {_packet(segment.name, seq) for seq in range(segment.frames)}
    return len({data[at : at + n_bytes] for at in starts} & sent)
