# SPDX-License-Identifier: GPL-3.0-or-later
"""Time our own receiver and transmitter."""

from pathlib import Path
from typing import Any

import numpy as np

from semcom_blocks.bench import frames
from semcom_blocks.bench.clock import timed
from semcom_blocks.bench.recording import Segment
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import ReceivedFrame, receive
from semcom_blocks.phy.sync import FrameSync

#: Samples pushed at a time, as a radio's driver delivers them.
CHUNK = 65536
#: Frames that the transmitter is timed on.
TRANSMIT_FRAMES = 100


def run(samples: np.ndarray, numerology: Numerology) -> list[ReceivedFrame]:
    """The whole receive path over a recording."""
    sync = FrameSync(numerology)
    found = []
    for at in range(0, len(samples), CHUNK):
        for capture in sync.push(samples[at : at + CHUNK]):
            found.append(receive(capture, numerology))
    for capture in sync.flush():
        found.append(receive(capture, numerology))
    return found


def decode(path: Path, segments: list[Segment]) -> dict[str, Any]:
    """Time every segment once, after a pass in which each payload is checked."""
    numerology, answer = Numerology(), {}
    for segment in segments:
        samples = segment.read(path)
        right = {
            frame.header.seq
            for frame in run(samples, numerology)
            if frames.is_right(segment.name, frame)
        }
        answer[segment.name] = timed(lambda: run(samples, numerology), len(samples))  # noqa: B023
        answer[segment.name]["good"] = len(right)
    return answer


def search(path: Path, segment: Segment) -> dict[str, Any]:
    """Time the synchroniser on noise; ``frames`` counts what it took for one."""
    samples, numerology = segment.read(path), Numerology()
    run(samples[: 4 * CHUNK], numerology)
    sync = FrameSync(numerology)

    def push() -> None:
        for at in range(0, len(samples), CHUNK):
            sync.push(samples[at : at + CHUNK])

    return timed(push, len(samples)) | {"frames": sync.counters.frames}


def transmit(kind: str = "default") -> dict[str, Any]:
    """Time grid and modulation of frames whose payload is ready."""
    numerology = Numerology()
    ready = [(frames.header_of(kind, seq), *frames.payload(kind, seq)) for seq in range(8)]

    def send(n: int) -> int:
        return sum(len(frames.transmit(numerology, *ready[i % len(ready)])) for i in range(n))

    samples = send(len(ready)) // len(ready) * TRANSMIT_FRAMES
    return timed(lambda: send(TRANSMIT_FRAMES), samples)
