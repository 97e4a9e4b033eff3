# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own frames for the benchmark, and whether what came out of them is right.

The payload is uncoded QPSK in the analog field, as other receivers' is uncoded too, and
so can be checked bit by bit; the frames called ``coded`` carry a prompt packet besides.
"""

from pathlib import Path

import numpy as np

from semcom_blocks.bench.recording import PAYLOADS, SEGMENT_SAMPLES, Segment, append
from semcom_blocks.phy.framer import DEFAULT_ANALOG_PER_FRAME
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import ReceivedFrame

WAVEFORM = "ours"
#: Analog symbols and bytes of prompt packet in each kind of frame.
KINDS = {name: (symbols, 0) for name, symbols in PAYLOADS.items()}
KINDS["coded"] = (DEFAULT_ANALOG_PER_FRAME, 128)


def payload(kind: str, seq: int) -> tuple[bytes, np.ndarray]:
    """Prompt packet and QPSK symbols, complex64, of frame ``seq``."""
    symbols, n_bytes = KINDS[kind]
    rng = np.random.default_rng([symbols, n_bytes, seq])
    signs = 1 - 2 * rng.integers(0, 2, (symbols, 2)).astype(np.float32)
    return rng.bytes(n_bytes), signs.view(np.complex64)[:, 0] * np.float32(np.sqrt(0.5))


def transmit(numerology: Numerology, header: FrameHeader, digital: bytes, analog: np.ndarray):
    """Samples of one frame, complex64: what the transmitter does for each."""
    return modulate(build_grid(FrameLayout(numerology, header), digital, analog), numerology)


def header_of(kind: str, seq: int) -> FrameHeader:
    """Header of frame ``seq``."""
    symbols, n_bytes = KINDS[kind]
    return FrameHeader(1, seq, digital_bytes=n_bytes, stream_id=1, analog_symbols=symbols)


def append_frames(path: Path, kind: str, numerology: Numerology) -> Segment:
    """Append a segment of frames without a sample between them."""
    pieces: list[np.ndarray] = []
    while sum(map(len, pieces)) < SEGMENT_SAMPLES:
        seq = len(pieces)
        pieces.append(transmit(numerology, header_of(kind, seq), *payload(kind, seq)))
    return append(path, WAVEFORM, kind, np.concatenate(pieces), len(pieces), KINDS[kind][0])


def is_right(kind: str, frame: ReceivedFrame) -> bool:
    """Whether header, packet and every single bit of the QPSK symbols are those sent."""
    digital, analog = payload(kind, frame.header.seq)
    got = frame.payload
    return (
        frame.header == header_of(kind, frame.header.seq)
        and got.digital == digital
        and np.array_equal(
            np.signbit(got.analog.view(np.float32)), np.signbit(analog.view(np.float32))
        )
    )
